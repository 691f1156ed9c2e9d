import { type Ordered, layout } from './graph'

// The specification of a workload as it is saved and edited. Durations are text such as 10s and 30m.

export interface GateSpec {
  type: string
  host?: string
  port?: number
  path?: string
  expect?: string
  lines?: string[]
  windows?: boolean
  timeout?: string
  interval?: string
}

export interface VetoSpec {
  type: string
  path?: string
  windows?: boolean
  lines?: string[]
  url?: string
  timeout?: string
  unknown?: string
  limit?: string
}

export interface HookSpec {
  type: string
  lines?: string[]
  windows?: boolean
  url?: string
  function?: string
  timeout?: string
  veto?: boolean
  once_per?: string
}

export interface HalfSpec {
  sequence?: number
  delay?: string
  synchronous?: boolean
  at_once?: number
  timeout?: string
  before?: HookSpec[]
  after?: HookSpec[]
}

export interface TierSpec {
  filters: string
  accounts?: string[]
  regions?: string[]
  profiles?: Record<string, string>
  depends_on?: string[]
  stop_depends_on?: string[]
  start?: HalfSpec
  stop?: HalfSpec
  ready?: GateSpec[]
  vetoes?: VetoSpec[]
  balancers?: boolean
  bypass?: string
}

export interface WorkloadSpec {
  description?: string
  schedule?: string
  filters?: string
  accounts?: string[]
  regions?: string[]
  enabled?: boolean
  profile?: string
  overlap?: string
  on_failure?: string
  topic?: string
  tiers: Record<string, TierSpec>
}

/** A tier of a draft: the key stays while its name is typed. */
export interface DraftTier {
  key: number
  name: string
  spec: TierSpec
}

export type Direction = 'start' | 'stop'
/** What decides about the order: dependencies, or numbers. */
export type OrderedBy = 'graph' | 'numbers'

export function draftTiers(tiers: Record<string, TierSpec>): DraftTier[] {
  return Object.entries(tiers).map(([name, spec], key) => ({ key, name, spec: structuredClone(spec) }))
}

export function specTiers(tiers: readonly DraftTier[]): Record<string, TierSpec> {
  return Object.fromEntries(tiers.map((t) => [t.name.trim(), t.spec]))
}

export function orderedBy(tiers: readonly DraftTier[]): OrderedBy {
  return tiers.some((t) => t.spec.start?.sequence !== undefined || t.spec.stop?.sequence !== undefined) ? 'numbers' : 'graph'
}

/** What each tier waits for in a direction; without an order of its own the stop is the start the other way round. */
export function orderOf(tiers: readonly DraftTier[], direction: Direction): Ordered[] {
  const number = (t: DraftTier): number | undefined => t.spec[direction]?.sequence
  if (tiers.some((t) => number(t) !== undefined)) {
    const at = (t: DraftTier): number => number(t) ?? 0
    return tiers.map((t) => ({ name: t.name, after: tiers.filter((o) => at(o) < at(t)).map((o) => o.name) }))
  }
  if (direction === 'start') return tiers.map((t) => ({ name: t.name, after: t.spec.depends_on ?? [] }))
  if (tiers.some((t) => t.spec.stop_depends_on?.length)) return tiers.map((t) => ({ name: t.name, after: t.spec.stop_depends_on ?? [] }))
  const starts = orderOf(tiers, 'start')
  return tiers.map((t) => ({ name: t.name, after: starts.filter((o) => o.after.includes(t.name)).map((o) => o.name) }))
}

/** Another name for a tier, wherever it is named; the one with the key has it already where somebody types. */
export function renamed(tiers: readonly DraftTier[], key: number, to: string): DraftTier[] {
  const from = tiers.find((t) => t.key === key)?.name
  // Where two have one name for a moment, those that name it mean the other one.
  const shared = tiers.some((t) => t.key !== key && t.name === from)
  const follow = (names: string[] | undefined): string[] | undefined => (shared || from === '' ? names : names?.map((n) => (n === from ? to : n)))
  return tiers.map((t) => {
    const spec = { ...t.spec }
    if (spec.depends_on) spec.depends_on = follow(spec.depends_on)
    if (spec.stop_depends_on) spec.stop_depends_on = follow(spec.stop_depends_on)
    return { ...t, name: t.key === key ? to : t.name, spec }
  })
}

export function removed(tiers: readonly DraftTier[], key: number): DraftTier[] {
  const gone = tiers.find((t) => t.key === key)?.name
  const without = (names: string[] | undefined): string[] | undefined => names?.filter((n) => n !== gone)
  return tiers
    .filter((t) => t.key !== key)
    .map((t) => {
      const spec = { ...t.spec }
      if (spec.depends_on) spec.depends_on = without(spec.depends_on)
      if (spec.stop_depends_on) spec.stop_depends_on = without(spec.stop_depends_on)
      return { ...t, spec }
    })
}

const size = { width: 1, height: 1, along: 1, across: 1 }

/** The same order, said by dependencies or by numbers. */
export function saidBy(tiers: readonly DraftTier[], by: OrderedBy): DraftTier[] {
  if (by === orderedBy(tiers)) return [...tiers]
  if (by === 'numbers') {
    const level = (direction: Direction): Map<string, number> => new Map(layout(orderOf(tiers, direction), size, 'right').nodes.map((n) => [n.name, n.level]))
    const [starts, stops] = [level('start'), level('stop')]
    return tiers.map((t) => {
      const spec = { ...t.spec }
      delete spec.depends_on
      delete spec.stop_depends_on
      return { ...t, spec: { ...spec, start: { ...spec.start, sequence: starts.get(t.name) ?? 0 }, stop: { ...spec.stop, sequence: stops.get(t.name) ?? 0 } } }
    })
  }
  // What the level before says is enough: that one waits for those before it.
  const edges = (direction: Direction): Map<string, string[]> => {
    const graph = layout(orderOf(tiers, direction), size, 'right')
    return new Map(graph.levels.flatMap((names, l) => names.map((name) => [name, l === 0 ? [] : [...(graph.levels[l - 1] ?? [])]] as const)))
  }
  const [starts, stops] = [edges('start'), edges('stop')]
  const names = tiers.map((t) => t.name)
  const reverse = names.every((a) => names.every((b) => (stops.get(a)?.includes(b) ?? false) === (starts.get(b)?.includes(a) ?? false)))
  return tiers.map((t) => {
    const spec: TierSpec = { ...t.spec, start: { ...t.spec.start, sequence: undefined }, stop: { ...t.spec.stop, sequence: undefined } }
    const [start, stop] = [starts.get(t.name) ?? [], stops.get(t.name) ?? []]
    if (start.length) spec.depends_on = start
    if (!reverse && stop.length) spec.stop_depends_on = stop
    return { ...t, spec }
  })
}

/** Without what says nothing: undefined, empty text, empty lists and structures. */
export function bare<T>(value: T): T {
  if (Array.isArray(value)) return value.map(bare) as T
  if (value === null || typeof value !== 'object') return value
  const kept = Object.entries(value)
    .map(([key, inner]) => [key, bare(inner)] as const)
    .filter(([, inner]) => inner !== undefined && inner !== null && inner !== '' && !(typeof inner === 'object' && Object.keys(inner as object).length === 0))
  return Object.fromEntries(kept) as T
}

/** Where a tier stands in the faults of the server: a name with dots, brackets or blanks is in quotes there. */
export function tierPath(name: string): string {
  return `tiers.${name === '' || /[.[\]" ]/.test(name) ? JSON.stringify(name) : name}`
}

// — gates, vetoes and hooks —

export type CallList = 'ready' | 'vetoes' | 'hooks'

export interface CallField {
  key: string
  /** The types that have it; absent: all. */
  of?: readonly string[]
  as: 'text' | 'number' | 'lines' | 'switch' | 'choice' | 'duration'
  /** The first is the default. */
  choices?: readonly string[]
  example?: string
}

/** What the three lists of a tier can hold, and the fields of each. */
export const calls: Record<CallList, { types: readonly string[]; fields: readonly CallField[] }> = {
  ready: {
    types: ['tcp', 'http', 'status-checks', 'target-health', 'command', 'state'],
    fields: [
      { key: 'port', of: ['tcp', 'http'], as: 'number', example: '5432' },
      { key: 'path', of: ['http'], as: 'text', example: '/health' },
      { key: 'expect', of: ['http'], as: 'text', example: '200-399' },
      { key: 'host', of: ['tcp', 'http'], as: 'text', example: 'db.shop.internal' },
      { key: 'lines', of: ['command'], as: 'lines', example: 'systemctl is-active postgresql' },
      { key: 'windows', of: ['command'], as: 'switch' },
      { key: 'timeout', as: 'duration', example: '10m' },
      { key: 'interval', as: 'duration', example: '10s' },
    ],
  },
  vetoes: {
    types: ['file', 'sessions', 'backup', 'command', 'webhook'],
    fields: [
      { key: 'path', of: ['file'], as: 'text', example: '/tmp/StopOverride' },
      { key: 'lines', of: ['command'], as: 'lines', example: 'test ! -e /var/run/batch.pid' },
      { key: 'windows', of: ['file', 'command'], as: 'switch' },
      { key: 'url', of: ['webhook'], as: 'text', example: 'https://ci.example/may-stop' },
      { key: 'unknown', as: 'choice', choices: ['keep', 'stop'] },
      { key: 'timeout', as: 'duration', example: '3m' },
      { key: 'limit', as: 'duration', example: '4h' },
    ],
  },
  hooks: {
    types: ['command', 'webhook', 'lambda'],
    fields: [
      { key: 'lines', of: ['command'], as: 'lines', example: '/opt/shop/warm-up' },
      { key: 'windows', of: ['command'], as: 'switch' },
      { key: 'url', of: ['webhook'], as: 'text', example: 'https://hooks.example/shop' },
      { key: 'function', of: ['lambda'], as: 'text', example: 'arn:aws:lambda:us-west-2:111122223333:function:warm-up' },
      { key: 'once_per', as: 'choice', choices: ['tier', 'member'] },
      { key: 'veto', as: 'switch' },
      { key: 'timeout', as: 'duration', example: '5m' },
    ],
  },
}

export function fieldsOf(list: CallList, type: string): CallField[] {
  return calls[list].fields.filter((f) => f.of === undefined || f.of.includes(type))
}
