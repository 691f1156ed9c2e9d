const units = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** Seconds of a duration as the API takes it: `90s`, `10m`, `2h`, `1h30m`, `7d`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim().toLowerCase()
  if (!/^(\d+[smhd])+$/.test(trimmed)) return undefined
  let seconds = 0
  for (const [, count, unit] of trimmed.matchAll(/(\d+)([smhd])/g)) {
    seconds += Number(count) * units[unit as keyof typeof units]
  }
  return seconds > 0 ? seconds : undefined
}

/** The parts of a duration that people read: at most the two largest. `90061` is `[[1,'d'],[1,'h']]`. */
export function parts(seconds: number): [number, 'd' | 'h' | 'm' | 's'][] {
  let rest = Math.max(0, Math.round(seconds))
  // Beyond a minute nobody wants seconds.
  if (rest >= 60) rest = Math.round(rest / 60) * 60
  const out: [number, 'd' | 'h' | 'm' | 's'][] = []
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const count = Math.floor(rest / units[unit])
    rest -= count * units[unit]
    if (count > 0) out.push([count, unit])
    else if (out.length > 0) break
    if (out.length === 2) break
  }
  return out.length > 0 ? out : [[0, 's']]
}

const names = { d: 'day', h: 'hour', m: 'minute', s: 'second' } as const

/** A duration in the words of a locale, short: `2 hr 30 min`, `2小时30分钟`, `2시간 30분`. */
export function formatDuration(seconds: number, locale: string): string {
  const words = parts(seconds).map(([count, unit]) =>
    new Intl.NumberFormat(locale, { style: 'unit', unit: names[unit], unitDisplay: 'short' }).format(count),
  )
  return words.join(locale.startsWith('zh') ? '' : ' ')
}

/** `formatDuration` as an offset from now: `in 2 hr`, `3 min ago`, in the grammar of the locale. */
export function formatRelative(seconds: number, locale: string): string {
  const [[count, unit]] = parts(Math.abs(seconds)) as [[number, keyof typeof names]]
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: count === 0 ? 'auto' : 'always', style: 'short' })
  return relative.format(seconds < 0 ? -count : count, names[unit])
}
