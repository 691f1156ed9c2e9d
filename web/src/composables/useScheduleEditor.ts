import { computed, onScopeDispose, reactive, ref, shallowRef, watch } from 'vue'
import { ApiError } from '@/lib/problem'
import { type Effect, type ScheduleCheck, checkSchedule } from '@/api/endpoints'
import {
  type ApplyAnswer,
  type ObjectAnswer,
  type ScheduleSpec,
  type Stored,
  applyObjects,
  deleteObject,
  getObject,
  listObjects,
  putObject,
} from '@/api/objects'
import { FieldFaults, collectFaults } from '@/lib/faults'
import {
  type Entry,
  type KeyConflict,
  type KnownPeriod,
  asideReason,
  changedPeriods,
  cleanSpec,
  entryOf,
  painted,
  paintedWeek,
  parseRef,
  refList,
  refText,
  sameSpec,
  threeWay,
} from '@/lib/scheduleDraft'
import { type PeriodSpec, type Week, freeName, shapeName, weekShapes } from '@/lib/week'
import type { Load } from './useAsync'

/** What saving would do, before it is done. */
export interface Review {
  rows: { kind: string; name: string; did: string; fields: string[] }[]
  notes: string[]
  effect: Effect
}

/** Somebody else saved first. */
export interface Stale {
  /** they deleted it */
  gone: boolean
  author: string
  changed: string
  rows: KeyConflict[]
  /** of the rows: whose value is taken */
  choice: Record<string, 'theirs' | 'yours'>
  merged: Record<string, unknown>
  world: World
}

/** What the server has, as the editor needs it. */
interface World {
  schedule: Stored<ScheduleSpec> | null
  periods: Map<string, KnownPeriod>
  schedules: Stored<ScheduleSpec>[]
  holidays: string[]
}

/** How long typing rests before the server is asked what it means, in milliseconds. */
const rest = 450

const periodKey = 'period:'

async function readWorld(name: string, signal?: AbortSignal): Promise<World> {
  const [schedules, periods, holidays] = await Promise.all([listObjects('schedules', signal), listObjects('periods', signal), listObjects('holidays', signal)])
  const known = new Map<string, KnownPeriod>()
  for (const period of periods) {
    if (known.get(period.name)?.locked) continue // where both have one, the file's counts
    known.set(period.name, {
      name: period.name,
      spec: period.spec,
      locked: period.file,
      version: period.version ?? 0,
      sharedWith: schedules.filter((s) => s.name !== name && refList(s.spec.periods).some((ref) => parseRef(ref).period === period.name)).map((s) => s.name),
    })
  }
  return {
    schedule: schedules.find((s) => s.name === name && s.file) ?? schedules.find((s) => s.name === name) ?? null,
    periods: known,
    schedules,
    holidays: [...new Set(holidays.map((h) => h.name))],
  }
}

/** One schedule while it is edited: what is on the server, what was typed and painted, and what saving would do. */
export function useScheduleEditor() {
  const load = shallowRef<Load<true>>({ is: 'loading' })
  const world = shallowRef<World>({ schedule: null, periods: new Map(), schedules: [], holidays: [] })
  const isNew = ref(false)
  const name = ref('')
  /** the schedule's spec but for its periods */
  const spec = reactive<{ value: ScheduleSpec }>({ value: {} })
  const entries = shallowRef<Entry[]>([])
  const replaced = shallowRef<Entry[]>([])
  const check = shallowRef<ScheduleCheck | null>(null)
  const checking = ref(false)
  /** the check is of what stands there now */
  const fresh = ref(false)
  const checkError = shallowRef<unknown>(null)
  const saveFaults = shallowRef(new FieldFaults())
  const stale = shallowRef<Stale | null>(null)
  const busy = ref(false)
  const undoStack = shallowRef<Entry[][]>([])

  const locked = computed(() => world.value.schedule?.file === true)
  const version = computed(() => world.value.schedule?.version ?? 0)
  const picture = computed(() => paintedWeek(entries.value))

  function wholeSpec(): ScheduleSpec {
    return cleanSpec({ ...spec.value, periods: entries.value.map(refText) })
  }

  const scheduleDirty = computed(() => !world.value.schedule || !sameSpec(wholeSpec(), { ...world.value.schedule.spec, periods: refList(world.value.schedule.spec.periods) }))
  const dirtyPeriods = computed(() => changedPeriods(entries.value))
  const dirty = computed(() =>
    isNew.value ? entries.value.length > 0 || name.value !== '' || Object.keys(cleanSpec(spec.value)).length > 0 : scheduleDirty.value || dirtyPeriods.value.length > 0,
  )

  function take(found: World): void {
    world.value = found
    const { periods: refs, ...others } = found.schedule?.spec ?? {}
    spec.value = structuredClone(others)
    entries.value = refList(refs).map((ref) => entryOf(ref, found.periods))
    replaced.value = []
    undoStack.value = []
    stale.value = null
    saveFaults.value = new FieldFaults()
  }

  async function open(of: string | null): Promise<void> {
    load.value = { is: 'loading' }
    isNew.value = of === null
    name.value = of ?? ''
    check.value = null
    try {
      const found = await readWorld(of ?? '')
      if (of !== null && !found.schedule) await getObject('schedules', of) // says 404, and which one was probably meant
      take(found)
      load.value = { is: 'ready', data: true }
    } catch (error) {
      load.value = { is: 'failed', error }
    }
  }

  /** Periods that only this schedule named and that it names no longer, or would not after its deletion. */
  function orphans(deleted: boolean): KnownPeriod[] {
    const named = new Set(refList(world.value.schedule?.spec.periods).map((ref) => parseRef(ref).period))
    if (!deleted) for (const entry of entries.value) named.delete(entry.period)
    return [...named].map((period) => world.value.periods.get(period)).filter((p) => p !== undefined && !p.locked && p.sharedWith.length === 0) as KnownPeriod[]
  }

  /** Deletes periods that nothing names any more. One that cannot be deleted stays; it does no harm. */
  async function drop(periods: KnownPeriod[]): Promise<void> {
    for (const period of periods) {
      try {
        await deleteObject('periods', period.name, { version: period.version })
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
      }
    }
  }

  // — changing it —

  function setEntries(next: Entry[]): void {
    undoStack.value = [...undoStack.value.slice(-49), entries.value]
    entries.value = next
  }

  function taken(period: string): boolean {
    return world.value.periods.has(period)
  }

  function paint(week: Week): void {
    const after = painted(entries.value, week, taken)
    setEntries(after.entries)
    replaced.value = [...replaced.value.filter((r) => !after.entries.some((e) => e.period === r.period)), ...after.replaced.filter((r) => r.known)]
  }

  function undo(): void {
    const before = undoStack.value.at(-1)
    if (!before) return
    undoStack.value = undoStack.value.slice(0, -1)
    entries.value = before
    replaced.value = replaced.value.filter((r) => !before.some((e) => e.period === r.period))
  }

  /** Changes the replaced shared period for everybody instead of taking another in its place. */
  function changeForAll(entry: Entry): void {
    const week = paintedWeek(entries.value)
    const before = undoStack.value.at(-1)
    // From the entries before the stroke, with the period now as good as its own.
    const base = before?.some((e) => e.period === entry.period) ? before : [...entries.value, entry]
    const own = base.map((e) => (e.period === entry.period ? { ...e, forAll: true } : e))
    replaced.value = replaced.value.filter((r) => r.period !== entry.period)
    setEntries(painted(own, week, taken).entries)
  }

  function updateEntry(index: number, change: Partial<Entry>): void {
    setEntries(entries.value.map((entry, i) => (i === index ? { ...entry, ...change } : entry)))
  }

  /** A period of this schedule alone, with the spec of a shared one. */
  function copyEntry(index: number): void {
    const entry = entries.value[index]
    if (!entry) return
    const period = freeName(`${name.value || 'schedule'}-${entry.period}`.slice(0, 100), (n) => taken(n) || entries.value.some((e) => e.period === n))
    updateEntry(index, { period, known: null, forAll: false })
  }

  function removeEntry(index: number): void {
    setEntries(entries.value.filter((_, i) => i !== index))
  }

  function addKnown(period: string): void {
    if (entries.value.some((e) => e.period === period && e.type === '')) return
    setEntries([...entries.value, entryOf(period, world.value.periods)])
  }

  function addNew(spec: PeriodSpec): void {
    const period = freeName(suggestion(spec), (n) => taken(n) || entries.value.some((e) => e.period === n))
    setEntries([...entries.value, { period, type: '', spec, known: null, forAll: false }])
  }

  function suggestion(of: PeriodSpec): string {
    const probe: Entry = { period: '', type: '', spec: of, known: null, forAll: false }
    if (asideReason(probe) !== null) return 'period'
    const [shape] = weekShapes(paintedWeek([probe]))
    return shape ? shapeName(shape) : 'period'
  }

  // — what it means —

  let timer: ReturnType<typeof setTimeout> | undefined
  let asking: AbortController | undefined

  async function ask(): Promise<void> {
    asking?.abort()
    const mine = new AbortController()
    asking = mine
    checking.value = true
    try {
      const answer = await checkSchedule(
        { name: name.value, schedule: wholeSpec(), periods: Object.fromEntries(dirtyPeriods.value.map((e) => [e.period, cleanSpec(e.spec)])) },
        mine.signal,
      )
      if (mine !== asking) return
      check.value = answer
      fresh.value = true
      checkError.value = null
    } catch (error) {
      if (mine.signal.aborted) return
      checkError.value = error
    } finally {
      if (mine === asking) checking.value = false
    }
  }

  watch(
    [name, () => JSON.stringify(spec.value), entries, load],
    ([, , , now], [, , , before]) => {
      clearTimeout(timer)
      fresh.value = false
      saveFaults.value = new FieldFaults()
      if (load.value.is === 'ready') timer = setTimeout(() => void ask(), now === before ? rest : 0) // what was just read is not being typed
    },
    { flush: 'post' },
  )
  onScopeDispose(() => {
    clearTimeout(timer)
    asking?.abort()
  })

  const prefixes = computed(() => [`schedules.${name.value}`, 'body.schedule', 'schedule', 'body'])

  const faults = computed(() => {
    if (saveFaults.value.size > 0) return saveFaults.value
    return collectFaults(check.value?.valid === false ? check.value.faults : [], prefixes.value)
  })

  // — saving it —

  /** The sections of a file that hold everything that changes; null where one object alone does. */
  function several(): Record<string, unknown> | null {
    const periods = dirtyPeriods.value
    if (periods.length + (scheduleDirty.value ? 1 : 0) <= 1) return null
    const sections: Record<string, unknown> = { periods: Object.fromEntries(periods.map((e) => [e.period, cleanSpec(e.spec)])) }
    if (scheduleDirty.value) sections['schedules'] = { [name.value]: wholeSpec() }
    return sections
  }

  /** Throws a stale problem where an object of a joint change is in another version than the one that was read. */
  function sameVersions(answer: ApplyAnswer): void {
    for (const object of answer.objects) {
      const isPeriod = /^periods?$/.test(object.kind)
      const read = isPeriod ? (world.value.periods.get(object.name)?.version ?? 0) : version.value
      if ((object.version ?? 0) !== read) {
        throw new ApiError({ type: '/problems/stale', title: '', status: 409, detail: `${object.kind} ${object.name}` })
      }
    }
  }

  async function write(dryRun: boolean, confirm: boolean): Promise<Review> {
    const sections = several()
    if (sections) {
      if (!dryRun) sameVersions(await applyObjects(sections, { dryRun: true }))
      const answer = await applyObjects(sections, { dryRun, confirm })
      if (dryRun) sameVersions(answer)
      return {
        rows: answer.objects.filter((o) => o.did !== 'unchanged').map((o) => ({ kind: o.kind, name: o.name, did: o.did, fields: o.fields ?? [] })),
        notes: [],
        effect: answer.effect,
      }
    }
    const [period] = dirtyPeriods.value
    const answer: ObjectAnswer = period
      ? await putObject('periods', period.period, cleanSpec(period.spec), { version: period.known?.version ?? 0, dryRun, confirm })
      : await putObject('schedules', name.value, wholeSpec(), { version: version.value, dryRun, confirm })
    return { rows: [{ kind: answer.object.kind, name: answer.object.name, did: answer.did, fields: answer.fields ?? [] }], notes: [], effect: answer.effect }
  }

  /** What saving would do; null where it can not be saved, which then stands in faults or stale. Other errors are thrown. */
  async function review(): Promise<Review | null> {
    return attempt(() => write(true, false))
  }

  async function save(confirm: boolean, dropOrphans: boolean): Promise<Review | null> {
    const unused = dropOrphans ? orphans(false) : []
    const done = await attempt(() => write(false, confirm))
    if (done) {
      await drop(unused)
      isNew.value = false
      take(await readWorld(name.value))
    }
    return done
  }

  async function attempt<T>(task: () => Promise<T>): Promise<T | null> {
    busy.value = true
    try {
      return await task()
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      if (error.word === 'stale' && !isNew.value) {
        await meet()
        return null
      }
      if (error.word === 'invalid' || (error.word === 'stale' && isNew.value)) {
        const found = new FieldFaults()
        for (const [field, message] of error.fields) found.add(collectField(field), message)
        if (found.size === 0) found.add('', error.problem.detail ?? error.problem.title)
        saveFaults.value = found
        return null
      }
      throw error
    } finally {
      busy.value = false
    }
  }

  function collectField(path: string): string {
    for (const prefix of prefixes.value) if (path.startsWith(`${prefix}.`)) return path.slice(prefix.length + 1)
    return path
  }

  // — somebody else saved first —

  function flat(scheduleSpec: ScheduleSpec, periods: [string, PeriodSpec][]): Record<string, unknown> {
    const { periods: refs, ...others } = scheduleSpec
    return { ...others, periods: refList(refs), ...Object.fromEntries(periods.map(([n, s]) => [periodKey + n, s])) }
  }

  async function meet(): Promise<void> {
    const theirs = await readWorld(name.value)
    const mine = dirtyPeriods.value.filter((e) => e.known)
    const base = flat(world.value.schedule?.spec ?? {}, mine.map((e) => [e.period, e.known?.spec ?? {}]))
    const other = flat(theirs.schedule?.spec ?? {}, mine.map((e) => [e.period, theirs.periods.get(e.period)?.spec ?? {}]))
    const own = flat(wholeSpec(), mine.map((e) => [e.period, cleanSpec(e.spec)]))
    const { merged, rows } = threeWay(base, other, own)
    const changedOne = mine.map((e) => theirs.periods.get(e.period)).find((p) => p && p.version !== world.value.periods.get(p.name)?.version)
    stale.value = {
      gone: theirs.schedule === null,
      author: theirs.schedule?.version === version.value && changedOne ? '' : (theirs.schedule?.author ?? ''),
      changed: theirs.schedule?.changed ?? '',
      rows,
      choice: Object.fromEntries(rows.map((row) => [row.key, sameSpec({ v: merged[row.key] }, { v: row.yours }) ? ('yours' as const) : ('theirs' as const)])),
      merged,
      world: theirs,
    }
  }

  /** Goes on with what both sides make together; nothing is saved yet. */
  function resolve(choice: Record<string, 'theirs' | 'yours'>): void {
    const met = stale.value
    if (!met) return
    const result = { ...met.merged }
    for (const row of met.rows) {
      const value = choice[row.key] === 'theirs' ? row.theirs : row.yours
      if (value === undefined) Reflect.deleteProperty(result, row.key)
      else result[row.key] = value
    }
    const before = entries.value
    const { periods: refs, ...others } = result as ScheduleSpec & Record<string, unknown>
    world.value = met.world
    isNew.value = met.gone
    spec.value = Object.fromEntries(Object.entries(others).filter(([key]) => !key.startsWith(periodKey)))
    setEntries(
      refList(refs).map((ref) => {
        const entry = entryOf(ref, met.world.periods)
        const mine = before.find((e) => e.period === entry.period)
        const decided = result[periodKey + entry.period] as PeriodSpec | undefined
        return { ...entry, forAll: mine?.forAll ?? false, spec: decided ?? (mine && !mine.known ? mine.spec : entry.spec) }
      }),
    )
    stale.value = null
  }

  // — deleting it —

  async function remove(options: { dryRun: boolean; confirm: boolean }): Promise<ObjectAnswer> {
    return deleteObject('schedules', name.value, { version: version.value, ...options })
  }

  return {
    load,
    world,
    isNew,
    name,
    spec,
    entries,
    replaced,
    picture,
    locked,
    dirty,
    dirtyPeriods,
    check,
    checking,
    fresh,
    checkError,
    faults,
    stale,
    busy,
    canUndo: computed(() => undoStack.value.length > 0),
    open,
    ask,
    paint,
    undo,
    changeForAll,
    updateEntry,
    copyEntry,
    removeEntry,
    addKnown,
    addNew,
    review,
    save,
    resolve,
    remove,
    orphans,
    drop,
  }
}
