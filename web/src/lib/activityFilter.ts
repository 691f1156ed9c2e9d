/** How far back the record is looked at. `range` is what stands in `from` and `to`. */
export const spans = ['all', 'hour', 'day', 'week', 'range'] as const

export type Span = (typeof spans)[number]

/** What of the record is shown. Empty fields ask for nothing. */
export interface ActivityFilter {
  q: string
  actor: string
  event: string
  ref: string
  schedule: string
  run: string
  span: Span
  /** RFC 3339; they count for the span `range` alone. */
  from: string
  to: string
}

const words = ['q', 'actor', 'event', 'ref', 'schedule', 'run'] as const

const seconds: Partial<Record<Span, number>> = { hour: 3600, day: 86_400, week: 604_800 }

export function noFilter(): ActivityFilter {
  return { q: '', actor: '', event: '', ref: '', schedule: '', run: '', span: 'all', from: '', to: '' }
}

function text(value: unknown): string {
  const one: unknown = Array.isArray(value) ? value[0] : value
  return typeof one === 'string' ? one.trim() : ''
}

function time(value: unknown): string {
  const at = Date.parse(text(value))
  return Number.isNaN(at) ? '' : new Date(at).toISOString()
}

/** The filter that an address asks for; what it does not know, it leaves out. */
export function fromAddress(query: Record<string, unknown>): ActivityFilter {
  const filter = noFilter()
  for (const word of words) filter[word] = text(query[word])
  filter.from = time(query.from)
  filter.to = time(query.to)
  const span = text(query.span)
  if (filter.from !== '' || filter.to !== '') filter.span = 'range'
  else if (span === 'hour' || span === 'day' || span === 'week') filter.span = span
  return filter
}

/** The address that shows a filter, for a bookmark or a colleague. */
export function toAddress(filter: ActivityFilter): Record<string, string> {
  const query: Record<string, string> = {}
  for (const word of words) if (filter[word] !== '') query[word] = filter[word]
  if (filter.span === 'range') {
    if (filter.from !== '') query.from = filter.from
    if (filter.to !== '') query.to = filter.to
  } else if (filter.span !== 'all') query.span = filter.span
  return query
}

/** What the API is asked, at an instant of the server in milliseconds: a span is one of the server's clock. */
export function toQuery(filter: ActivityFilter, now: number): Record<string, string> {
  const query = toAddress(filter)
  delete query.span
  const back = seconds[filter.span]
  if (back !== undefined) query.from = new Date(now - back * 1000).toISOString()
  return query
}

/** Whether anything is left out. */
export function filtered(filter: ActivityFilter): boolean {
  return Object.keys(toAddress(filter)).length > 0
}
