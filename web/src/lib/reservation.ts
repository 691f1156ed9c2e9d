import type { BadgeKind } from './badge'

/** How a reservation stands, as far as is looked at here. */
export interface Standing {
  why: string
  held: number
  used: number
  unused?: string
  cost: { held: number }
}

/** How one stood from an instant on. */
export interface HistoryPoint {
  at: string
  wanted: number
  used: number
  zones: { zone: string; type: string; held: number }[]
}

/** What a form changes, as far as it hangs together. */
export interface ReservationDraft {
  schedule?: string
  from?: string
  to?: string
  timezone?: string
  lead?: string
  deadline?: string
  future?: boolean
  alternatives?: { zone?: string; instance_type?: string }[]
}

const kinds: Record<string, BadgeKind> = {
  reached: 'good',
  missing: 'moving',
  again: 'moving',
  excess: 'moving',
  'other-end': 'moving',
  'many-steps': 'moving',
  unsettled: 'moving',
  within: 'moving',
  'in-use': 'warn',
  limit: 'warn',
  'day-limit': 'warn',
  approval: 'warn',
  observes: 'warn',
  short: 'bad',
  'given-up': 'bad',
  refused: 'bad',
  trouble: 'bad',
  'set-aside': 'bad',
  before: 'stopped',
  released: 'stopped',
  over: 'stopped',
  disabled: 'stopped',
  gone: 'stopped',
  future: 'stopped',
}

/** How it reads at a glance what a reservation does or waits for. */
export function whyKind(why: string): BadgeKind {
  return kinds[why] ?? 'unknown'
}

/** What a person should look at: what is missing, at fault, or paid for and unused. */
export type Problem = 'short' | 'given-up' | 'limit' | 'day-limit' | 'approval' | 'refused' | 'trouble' | 'set-aside' | 'idle'

export function problemsOf(status: Standing): Problem[] {
  const list: Problem[] = []
  if (['short', 'given-up', 'limit', 'day-limit', 'approval', 'refused', 'trouble', 'set-aside'].includes(status.why)) list.push(status.why as Problem)
  if (status.unused && status.held > status.used) list.push('idle')
  return list
}

/** What is held and not used costs so much of what everything held costs, by the list price of each place. */
export function burns(status: Standing): number {
  return status.held > 0 ? (status.cost.held * Math.max(0, status.held - status.used)) / status.held : 0
}

/** A zone, and where there are several types also the type. */
export function placeName(place: { zone: string; type: string }, types: readonly string[]): string {
  return types.length > 1 ? `${place.zone} · ${place.type}` : place.zone
}

export interface Drawn {
  at: number[]
  wanted: number[]
  used: number[]
  /** By place, in order of their names. */
  held: { place: string; values: number[] }[]
}

/** The history as a chart draws it: with how things still stood at its end. */
export function drawn(points: readonly HistoryPoint[], end: number): Drawn {
  const types = [...new Set(points.flatMap((p) => p.zones.map((z) => z.type)))]
  const places = [...new Set(points.flatMap((p) => p.zones.map((z) => placeName(z, types))))].sort()
  const last = points.at(-1)
  const all = last && Date.parse(last.at) < end ? [...points, { ...last, at: new Date(end).toISOString() }] : points
  return {
    at: all.map((p) => Date.parse(p.at)),
    wanted: all.map((p) => p.wanted),
    used: all.map((p) => p.used),
    held: places.map((place) => ({ place, values: all.map((p) => p.zones.filter((z) => placeName(z, types) === place).reduce((sum, z) => sum + z.held, 0)) })),
  }
}

/** How the time is said in which capacity is wanted. */
export type When = 'always' | 'window' | 'schedule'

export function whenOf(spec: ReservationDraft): When {
  if (spec.schedule) return 'schedule'
  return spec.from || spec.to ? 'window' : 'always'
}

/** The spec with the time said in another way, without what belongs to the one before. */
export function saidWhen<T extends ReservationDraft>(spec: T, when: When): T {
  const next = { ...spec }
  if (when !== 'schedule') delete next.schedule
  if (when !== 'window') {
    delete next.from
    delete next.to
    delete next.future
    if (when === 'always') delete next.deadline
    delete next.timezone
  }
  if (when === 'always') delete next.lead
  return next
}

/** A local time that a browser's own field can show; others are shown as they are. */
export function isLocalTime(text: string | undefined): boolean {
  return text === undefined || text === '' || /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/.test(text)
}

/** Tags as lines of KEY=VALUE, and back. */
export function tagLines(tags: Record<string, string> | undefined): string {
  return Object.entries(tags ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')
}

export function tagsOf(lines: string): Record<string, string> | undefined {
  const tags: Record<string, string> = {}
  for (const line of lines.split('\n')) {
    const [key = '', ...value] = line.split('=')
    if (key.trim() !== '') tags[key.trim()] = value.join('=').trim()
  }
  return Object.keys(tags).length > 0 ? tags : undefined
}

/** What is kept of a form: without what says nothing. A count of 0 says something. */
export function wholeSpec<T extends ReservationDraft>(spec: T): T {
  const alternatives = spec.alternatives?.map((a) => Object.fromEntries(Object.entries(a).filter(([, text]) => text !== '' && text !== undefined))).filter((a) => Object.keys(a).length > 0)
  return Object.fromEntries(
    Object.entries({ ...spec, alternatives }).filter(([, v]) => v !== undefined && v !== null && v !== '' && !(typeof v === 'object' && Object.keys(v).length === 0)),
  ) as T
}
