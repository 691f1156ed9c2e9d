/**
 * A schedule while it is edited, with the periods it is put together from.
 *
 * Periods are objects of their own, which several schedules can share. The grid paints the plain ones of this schedule
 * together; `painted` turns the picture back into periods and leaves alone all it can: what the grid can not show, what
 * belongs to the file or to other schedules too, and what fits the picture as it is.
 */
import {
  bridged,
  freeName,
  gridReason,
  isWithin,
  periodWeek,
  sameWeek,
  shapeName,
  shapeSpec,
  weekShapes,
  weekUnion,
  weekWithout,
} from './week'
import type { GridReason, PeriodSpec, Shape, Week } from './week'

/** A period as it is on the server. */
export interface KnownPeriod {
  name: string
  spec: PeriodSpec
  /** it belongs to the file: this page can not change it */
  locked: boolean
  version: number
  /** the other schedules that name it */
  sharedWith: string[]
}

/** One place in a schedule's list of periods. */
export interface Entry {
  period: string
  /** the EC2 instance type after the @; empty: as it is */
  type: string
  spec: PeriodSpec
  /** what is on the server under this name; null: it is new */
  known: KnownPeriod | null
  /** a change of it is meant for all schedules that share it */
  forAll: boolean
}

/** Why an entry is not part of the painted picture; null where it is. */
export function asideReason(entry: Entry): GridReason | 'type' | null {
  return gridReason(entry.spec) ?? (entry.type !== '' ? 'type' : null)
}

/** Whether the picture may change the period itself; otherwise it takes another in its place. */
export function isOwn(entry: Entry): boolean {
  if (!entry.known) return true
  return !entry.known.locked && (entry.known.sharedWith.length === 0 || entry.forAll)
}

/** `period@type` taken apart. */
export function parseRef(text: string): { period: string; type: string } {
  const at = text.indexOf('@')
  if (at < 0) return { period: text.trim(), type: '' }
  return { period: text.slice(0, at).trim(), type: text.slice(at + 1).trim() }
}

export function refText(entry: { period: string; type: string }): string {
  return entry.type ? `${entry.period}@${entry.type}` : entry.period
}

/** The refs of a schedule's spec, given as a list or as text with commas. */
export function refList(periods: string | string[] | undefined): string[] {
  const list = typeof periods === 'string' ? periods.split(',') : (periods ?? [])
  return list.map((ref) => ref.trim()).filter((ref) => ref !== '')
}

export function entryOf(ref: string, known: Map<string, KnownPeriod>): Entry {
  const { period, type } = parseRef(ref)
  const found = known.get(period) ?? null
  return { period, type, spec: structuredClone(found?.spec ?? {}), known: found, forAll: false }
}

/** What the grid shows as painted: the plain periods together. */
export function paintedWeek(entries: Entry[]): Week {
  return bridged(weekUnion(...entries.filter((entry) => asideReason(entry) === null).map((entry) => periodWeek(entry.spec))))
}

/** What is shown behind it: windows of periods that the grid leaves alone. */
export function asideWeek(entries: Entry[]): Week {
  return weekUnion(...entries.filter((entry) => asideReason(entry) !== null).map((entry) => periodWeek(entry.spec)))
}

export interface Painted {
  entries: Entry[]
  /** shared or locked periods that this schedule no longer uses because the picture is another now */
  replaced: Entry[]
}

/**
 * The entries of a schedule whose plain periods make up a picture. `taken` says which names of periods are in use
 * elsewhere. Order is kept: what stays stays in its place, what is new comes where the first plain period was.
 */
export function painted(entries: Entry[], picture: Week, taken: (name: string) => boolean): Painted {
  const plain = entries.filter((entry) => asideReason(entry) === null)
  const own = (entry: Entry): boolean => isOwn(entry) && entries.filter((other) => other.period === entry.period).length === 1
  if (sameWeek(paintedWeek(entries), bridged(picture))) return { entries, replaced: [] }
  const fits = plain.filter((entry) => isWithin(periodWeek(entry.spec), picture))

  // Leave alone what fits, or shape one's own periods anew: whichever needs fewer periods.
  const rest = (keep: Entry[]): Shape[] => weekShapes(weekWithout(picture, bridged(weekUnion(...keep.map((e) => periodWeek(e.spec))))))
  const options = [fits, fits.filter((entry) => !own(entry))].map((keep) => ({ keep, shapes: rest(keep) }))
  const size = (option: { keep: Entry[]; shapes: Shape[] }): number => option.keep.length + option.shapes.length
  const [patch, anew] = options
  if (!patch || !anew) return { entries, replaced: [] }
  const { keep, shapes } = size(anew) < size(patch) ? anew : patch

  const reusable = plain.filter((entry) => !keep.includes(entry) && own(entry) && !autoNamed(entry))
  const used = new Set(entries.filter((entry) => keep.includes(entry) || !autoNamed(entry)).map((entry) => entry.period))
  const made = shapes.map((shape): Entry => {
    const spec = shapeSpec(shape)
    const closest = takeClosest(reusable, shape)
    if (closest) {
      const { description } = closest.spec
      return { ...closest, spec: description ? { ...spec, description } : spec }
    }
    const period = freeName(shapeName(shape), (name) => used.has(name) || taken(name))
    used.add(period)
    return { period, type: '', spec, known: null, forAll: false }
  })

  // What was shaped anew keeps its place; what is new goes behind the last plain period.
  const placed = new Set<Entry>()
  const list: Entry[] = []
  for (const entry of entries) {
    if (!plain.includes(entry) || keep.includes(entry)) {
      list.push(entry)
      continue
    }
    const again = made.find((other) => other.period === entry.period)
    if (again) {
      list.push(again)
      placed.add(again)
    }
  }
  const added = made.filter((entry) => !placed.has(entry))
  const lastPlain = list.findLastIndex((entry) => asideReason(entry) === null)
  list.splice(lastPlain < 0 ? 0 : lastPlain + 1, 0, ...added)
  return { entries: list, replaced: plain.filter((entry) => !keep.includes(entry) && !own(entry)) }
}

/** Whether a period is new and still has the name that its times gave it: with other times it gets another. */
export function autoNamed(entry: Entry): boolean {
  if (entry.known) return false
  const [shape] = weekShapes(periodWeek(entry.spec))
  const name = shape ? shapeName(shape) : ''
  return entry.period === name || (entry.period.startsWith(`${name}-`) && /^\d+$/.test(entry.period.slice(name.length + 1)))
}

/** Takes the entry whose period is most like the shape; undefined where there is none left. */
function takeClosest(entries: Entry[], shape: Shape): Entry | undefined {
  if (entries.length === 0) return undefined
  const target = periodWeek(shapeSpec(shape))
  const overlap = (entry: Entry): number => {
    const week = periodWeek(entry.spec)
    return target.reduce((sum, value, minute) => sum + (value && week[minute] ? 1 : 0), 0)
  }
  let best = 0
  for (let i = 1; i < entries.length; i++) {
    const entry = entries[i]
    const leader = entries[best]
    if (entry && leader && overlap(entry) > overlap(leader)) best = i
  }
  return entries.splice(best, 1)[0]
}

/** The periods that saving has to write: those that are new or not as they are on the server. */
export function changedPeriods(entries: Entry[]): Entry[] {
  const byName = new Map<string, Entry>()
  for (const entry of entries) {
    if (!entry.known || !sameSpec(entry.spec, entry.known.spec)) byName.set(entry.period, entry)
  }
  return [...byName.values()]
}

/** Whether two specs say the same: keys in any order, absent and empty alike. */
export function sameSpec(a: object, b: object): boolean {
  return canonical(a) === canonical(b)
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner
    return Object.fromEntries(
      Object.entries(inner)
        .filter(([, v]) => v !== undefined && v !== null && v !== '' && !(Array.isArray(v) && v.length === 0))
        .sort(([x], [y]) => (x < y ? -1 : 1)),
    )
  })
}

/** A spec without the keys that say nothing, as it is sent. */
export function cleanSpec<T extends object>(spec: T): T {
  return Object.fromEntries(
    Object.entries(spec).filter(([, v]) => v !== undefined && v !== null && v !== '' && !(Array.isArray(v) && v.length === 0)),
  ) as T
}

/** One key on which two people have changed a spec, or only one of them. */
export interface KeyConflict {
  key: string
  base: unknown
  theirs: unknown
  yours: unknown
  /** both changed it, to different values */
  clash: boolean
}

/**
 * What became of a spec in two hands: a row for each key that differs between the three. Where only one side changed a
 * key, that side's value is the merged one; where both did, `yours` is until a person says otherwise.
 */
export function threeWay(base: object, theirs: object, yours: object): { merged: Record<string, unknown>; rows: KeyConflict[] } {
  const [b, t, y] = [base, theirs, yours] as Record<string, unknown>[]
  const keys = [...new Set([b, t, y].flatMap((spec) => Object.keys(spec ?? {})))]
  const rows: KeyConflict[] = []
  const merged: Record<string, unknown> = {}
  for (const key of keys) {
    const [was, other, own] = [b?.[key], t?.[key], y?.[key]]
    const same = (p: unknown, q: unknown): boolean => sameSpec({ p }, { p: q })
    const value = same(own, was) ? other : own
    if (value !== undefined) merged[key] = value
    if (!same(other, own)) rows.push({ key, base: was, theirs: other, yours: own, clash: !same(other, was) && !same(own, was) })
  }
  return { merged, rows }
}
