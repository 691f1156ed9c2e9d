/** Go's zero time; the API gives it for "never". */
const ZERO = '0001-01-01T00:00:00Z'

/** An instant of the API in milliseconds; undefined for none, for Go's zero time and for what is no time. */
export function instant(text: string | null | undefined): number | undefined {
  if (text === undefined || text === null || text === '' || text === ZERO) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at
}

/** A zone that this browser knows; else UTC, so that a page is shown rather than an exception. */
export function knownZone(zone: string | undefined): string {
  if (zone === undefined || zone === '') return 'UTC'
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return zone
  } catch {
    return 'UTC'
  }
}

interface Local {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
}

const formats = new Map<string, Intl.DateTimeFormat>()

// Making a format takes far longer than using it, and tables use thousands.
function format(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale + JSON.stringify(options)
  let made = formats.get(key)
  if (made === undefined) {
    made = new Intl.DateTimeFormat(locale, options)
    formats.set(key, made)
  }
  return made
}

/** The date and the clock of an instant in a zone. */
export function local(at: number, zone: string): Local {
  const out: Record<string, number> = {}
  for (const part of format('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(at)) {
    if (part.type !== 'literal') out[part.type] = Number(part.value)
  }
  return out as unknown as Local
}

/** `2027-02-05` of an instant in a zone. */
export function dateOf(at: number, zone: string): string {
  const { year, month, day } = local(at, zone)
  return `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`
}

/** `09:05` of an instant in a zone. */
export function clockOf(at: number, zone: string): string {
  const { hour, minute } = local(at, zone)
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`
}

/** How many days lie between the dates of two instants in a zone: 0 today, 1 tomorrow, -1 yesterday. */
export function daysBetween(from: number, to: number, zone: string): number {
  return Math.round((Date.parse(dateOf(to, zone)) - Date.parse(dateOf(from, zone))) / 86_400_000)
}

/**
 * An instant as people say it beside another one, in a zone: the clock alone on the same day, with the
 * weekday within a week, else with the date. The clock is of 24 hours, as the configuration writes it.
 */
export function formatWhen(at: number, now: number, zone: string, locale: string): string {
  const clock = clockOf(at, zone)
  const days = daysBetween(now, at, zone)
  if (days === 0) return clock
  if (Math.abs(days) === 1) {
    const word = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(days, 'day')
    return `${word} ${clock}`
  }
  if (days > 0 && days < 7) return `${format(locale, { timeZone: zone, weekday: 'short' }).format(at)} ${clock}`
  const sameYear = local(at, zone).year === local(now, zone).year
  const date = format(locale, {
    timeZone: zone,
    month: 'short',
    day: 'numeric',
    ...(sameYear ? {} : { year: 'numeric' }),
  }).format(at)
  return `${date} ${clock}`
}

/** An instant in full, with its zone: for titles and details. */
export function formatFull(at: number, zone: string, locale: string): string {
  return format(locale, {
    timeZone: zone,
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
  }).format(at)
}

const instants = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g

/** A sentence of the server with its instants, such as `2027-02-05T00:30:00Z`, as `say` writes them. */
export function withInstants(text: string, say: (at: number) => string): string {
  return text.replace(instants, (found) => {
    const at = instant(found)
    return at === undefined ? found : say(at)
  })
}

/** A date such as `2027-02-05` in the words of a locale; `options` say which parts. */
export function formatDate(date: string, locale: string, options: Intl.DateTimeFormatOptions = { month: 'short', day: 'numeric' }): string {
  const at = Date.parse(`${date}T00:00:00Z`)
  return Number.isNaN(at) ? date : format(locale, { ...options, timeZone: 'UTC' }).format(at)
}

/**
 * The instant of a date and a clock such as `2027-02-05T09:30` in a zone; undefined for what is none. Of a time that
 * occurs twice it is the first; one that the clock jumps over is as far behind the jump as it was written.
 */
export function instantOf(text: string, zone: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text)) return undefined
  const wall = Date.parse(`${text}Z`)
  if (Number.isNaN(wall)) return undefined
  const offset = (at: number): number => {
    const { year, month, day, hour, minute, second } = local(at, zone)
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1_000) * 1_000
  }
  // The offsets a day before and after are those on both sides of a jump, if there is one.
  const candidates = [offset(wall - 86_400_000), offset(wall + 86_400_000)].map((o) => wall - o)
  const right = candidates.filter((at) => at + offset(at) === wall)
  return right.length > 0 ? Math.min(...right) : candidates[0]
}

/** An instant as an input of date and time wants it: `2027-02-05T09:30` on the clock of a zone. */
export function inputOf(at: number, zone: string): string {
  return `${dateOf(at, zone)}T${clockOf(at, zone)}`
}
