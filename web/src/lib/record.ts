/** What a row of the record is about, as far as a link needs it. */
export interface Subject {
  event: string
  name?: string
  schedule?: string
  ref?: { scope?: { account?: string; region?: string }; kind?: string; id?: string }
}

const pages: Record<string, string> = { schedule: '/schedules/', rule: '/rules/', reservation: '/reservations/' }

/** Events that are about a reservation, which is their name. */
const ofReservations = new Set(['reserved', 'released', 'reservation-short', 'reservation-idle', 'reservation-failed', 'approved'])
const lists: Record<string, string> = { period: '/schedules', exception: '/exceptions', holiday: '/holidays', key: '/keys' }

/** The page of what a row is about; undefined where it has none. */
export function linkOf(row: Subject): string | undefined {
  const { scope, kind, id } = row.ref ?? {}
  if (ofReservations.has(row.event) && (row.name ?? '') !== '') return `/reservations/${encodeURIComponent(row.name ?? '')}`
  if (scope?.account !== undefined && scope.account !== '' && scope.region !== undefined && scope.region !== '') {
    if (kind !== undefined && kind !== '' && id !== undefined && id !== '') {
      return `/fleet/${[scope.account, scope.region, kind, id].map(encodeURIComponent).join('/')}`
    }
    return '/health'
  }
  if (row.event === 'rule-fired' || row.event === 'rule-missed') {
    return row.name === undefined || row.name === '' ? '/rules' : `/rules/${encodeURIComponent(row.name)}`
  }
  if (row.event === 'object') {
    const [, objectKind, objectName] = /^([a-z]+)\/(.*)$/s.exec(row.name ?? '') ?? []
    if (objectKind === undefined || objectName === undefined) return undefined
    const page = pages[objectKind]
    return page === undefined ? lists[objectKind] : page + encodeURIComponent(objectName)
  }
  if (row.schedule !== undefined && row.schedule !== '') return `/schedules/${encodeURIComponent(row.schedule)}`
  return undefined
}

/** What a row is about in a word: the name that people gave, else the identifier, else the place. */
export function subjectOf(row: Subject): string {
  const { scope, id } = row.ref ?? {}
  if (row.event === 'override' && (id ?? '') !== '') return id ?? ''
  if ((row.name ?? '') !== '') return row.name ?? ''
  if ((id ?? '') !== '') return id ?? ''
  if ((scope?.account ?? '') !== '') return [scope?.account, scope?.region].filter((part) => part !== undefined && part !== '').join('/')
  return row.schedule ?? ''
}

/** How a row reads at a glance. */
export type Tone = 'good' | 'rest' | 'bad' | 'warn' | 'plain'

const tones: Record<string, Tone> = {
  'start-accepted': 'good',
  started: 'good',
  'gap-closed': 'good',
  'stop-accepted': 'rest',
  stopped: 'rest',
  failed: 'bad',
  short: 'bad',
  gap: 'bad',
  held: 'warn',
  announced: 'warn',
  'rule-missed': 'warn',
  denied: 'warn',
  reserved: 'good',
  released: 'rest',
  'reservation-short': 'bad',
  'reservation-failed': 'bad',
  'reservation-idle': 'warn',
}

export function toneOf(event: string): Tone {
  return tones[event] ?? 'plain'
}

/** Rows by number, the newest first, each once: what came later replaces what was there. At most `most`. */
export function merged<T extends { seq: number }>(old: readonly T[], fresh: readonly T[], most: number): T[] {
  const all = new Map<number, T>()
  for (const row of [...old, ...fresh]) all.set(row.seq, row)
  return [...all.values()].sort((a, b) => b.seq - a.seq).slice(0, most)
}
