/** Schedules, periods, exceptions, holidays and rules: what people put together, and what would come of it. */
import type { PeriodSpec } from '@/lib/week'
import { request, send } from './client'

/** The kinds of objects, as the paths of the API name them. */
export type ObjectKind = 'schedules' | 'periods' | 'exceptions' | 'holidays' | 'rules'

export interface Fault {
  file?: string
  line?: number
  path?: string
  text?: string
  problem: string
  allowed?: string
  fix?: string
}

/** Where an object is: in a file, or in the store. */
export interface Origin {
  file?: string
  line?: number
  object?: string
}

/** An object with what stands below its name as `spec`. */
export interface Stored<S> {
  kind: string
  name: string
  /** it belongs to the file, and nothing but an edit of the file changes it */
  file: boolean
  locked?: boolean
  version?: number
  spec: S
  author?: string
  created?: string
  changed?: string
  where: Origin | string
  fault?: Fault[] | null
}

export interface ObjectView<S> extends Stored<S> {
  notes: string[] | null
  gaps: Gap[] | null
}

export interface Gap {
  scope: { account?: string; region?: string } | string
  text: string
}

export interface ScheduleSpec {
  timezone?: string
  periods?: string[] | string
  enabled?: boolean
  enforced?: boolean
  retain_running?: boolean
  stop_new_instances?: boolean
  new_resource_grace?: string
  use_maintenance_window?: boolean
  ssm_maintenance_window?: string[] | string
  hibernate?: boolean
  snapshot_before_stop?: boolean
  mute_alarms?: boolean
  holidays?: string[]
  override_status?: string
  mode?: string
  max_manual_uptime?: string
  start_lead?: string
  notify_before_stop?: string
  jitter?: string
  verify?: string
  capacity_deadline?: string
  observe?: boolean
  description?: string
}

export interface ExceptionSpec {
  schedule: string
  date?: string
  from?: string
  to?: string
  type: 'start' | 'stop'
  value: string
  note?: string
}

export interface DayOff {
  date: string
  name?: string
}

export interface MakeUp {
  date: string
  as?: string
  name?: string
}

export interface HolidaysSpec {
  days?: DayOff[]
  make_up?: MakeUp[]
  file?: string
  url?: string
  refresh?: string
  make_up_pattern?: string
  builtin?: string
}

export interface RuleSpec {
  expression: string
  timezone?: string
  action: string
  accounts?: string[]
  regions?: string[]
  filters: string
  untagged?: boolean
  mute_alarms?: boolean
  catch_up?: string
  enabled?: boolean
  created?: string
  description?: string
}

export interface SpecOf {
  schedules: ScheduleSpec
  periods: PeriodSpec
  exceptions: ExceptionSpec
  holidays: HolidaysSpec
  rules: RuleSpec
}

export interface EffectCount {
  before: number
  after: number
}

export interface EffectLine {
  comes: boolean
  action: string
  type?: string
  ref: string
  name: string
  schedule: string
  reason: string
  why: string
}

export interface EffectEvent {
  comes: boolean
  at: string
  action: string
  type?: string
  ref?: string
  name?: string
  schedule: string
  rule?: string
  why: string
}

export interface Conflict {
  rule: string
  with: string
  opposite: boolean
  count: number
  text: string
}

/** What a change would do, told before it is made. */
export interface Effect {
  at: string
  until: string
  now: EffectLine[]
  more_now: number
  starts_now: EffectCount
  stops_now: EffectCount
  starts: EffectCount
  stops: EffectCount
  ahead: EffectEvent[]
  more: number
  resources: number
  protected: number
  protected_names: string[]
  uncounted: number
  limits: string[]
  conflicts: Conflict[]
  gaps: Gap[]
  notes: string[]
  confirm?: string
}

/** What a change of one object does, or did. */
export interface ObjectAnswer<S = unknown> {
  object: Stored<S>
  did: 'created' | 'changed' | 'deleted' | 'unchanged'
  dry_run: boolean
  saved: boolean
  fields: string[]
  notes: string[]
  effect: Effect
}

/** What several objects changed at once do, or did. */
export interface ApplyAnswer {
  dry_run: boolean
  objects: { kind: string; name: string; did: string; saved: boolean; version?: number; fields: string[] }[]
  effect: Effect
}

export interface WeekCell {
  state?: string
  period?: string
  gap?: boolean
  mixed?: boolean
}

export interface WeekDay {
  date: string
  weekday: string
  skipped?: boolean
  kind: 'ordinary' | 'day off' | 'make-up day'
  as: string
  holiday?: string
  calendar?: string
  uncovered: string[]
  exceptions: string[]
  cells: WeekCell[]
  changes: WeekChange[]
}

export interface WeekChange {
  at: string
  clock: string
  from: string
  to: string
  period?: string
  instance_type?: string
}

export interface ScheduleWeek {
  schedule: string
  timezone: string
  enabled: boolean
  observe: boolean
  override_status?: string
  monday: string
  step_minutes: number
  days: WeekDay[]
  shifts: { at: string; date: string; before: string; after: string; back: boolean }[]
}

export interface CheckFault {
  path: string
  message: string
  line?: number
}

export interface ScheduleCheck {
  valid: boolean
  faults: CheckFault[]
  weeks: ScheduleWeek[]
  next: { at: string; to: string }[]
  effect?: Effect
}

/** A resource as far as the sample of a rule needs it. */
export interface SampleResource {
  ref: string
  account: string
  region: string
  kind: string
  id: string
  name: string
  state: string
  schedule: string
}

export interface RuleCheck {
  valid: boolean
  faults: CheckFault[]
  matches: number
  sample: SampleResource[]
  left: number
  next: string[]
  words: string
  gaps: Gap[]
}

export interface List<T> {
  items: T[] | null
  total: number
  next: string
}

/** The most that one answer of a list holds. */
const pageSize = 500

/** Every object of a kind, page by page. */
export async function listObjects<K extends ObjectKind>(kind: K, signal?: AbortSignal): Promise<Stored<SpecOf[K]>[]> {
  const all: Stored<SpecOf[K]>[] = []
  let cursor = ''
  do {
    const page: List<Stored<SpecOf[K]>> = await request('GET', `/${kind}`, { query: { limit: pageSize, cursor }, signal })
    all.push(...(page.items ?? []))
    cursor = page.next
  } while (cursor !== '')
  return all
}

function pathOf(kind: ObjectKind, name: string): string {
  return `/${kind}/${encodeURIComponent(name)}`
}

export function getObject<K extends ObjectKind>(kind: K, name: string, signal?: AbortSignal): Promise<ObjectView<SpecOf[K]>> {
  return request('GET', pathOf(kind, name), { signal })
}

export interface SaveOptions {
  /** the version that is changed; 0 makes a new object */
  version: number
  dryRun?: boolean
  confirm?: boolean
  signal?: AbortSignal
}

function conditions({ version }: SaveOptions): Record<string, string> {
  return version > 0 ? { 'If-Match': `"${version}"` } : { 'If-None-Match': '*' }
}

function asks(options: SaveOptions): { dry_run?: boolean; confirm?: boolean } {
  return { dry_run: options.dryRun || undefined, confirm: options.confirm || undefined }
}

export async function putObject<K extends ObjectKind>(kind: K, name: string, spec: SpecOf[K], options: SaveOptions): Promise<ObjectAnswer<SpecOf[K]>> {
  const answer = await send<ObjectAnswer<SpecOf[K]>>('PUT', pathOf(kind, name), {
    body: spec,
    headers: conditions(options),
    query: asks(options),
    signal: options.signal,
  })
  return answer.data
}

export function deleteObject<K extends ObjectKind>(kind: K, name: string, options: SaveOptions): Promise<ObjectAnswer<SpecOf[K]>> {
  return request('DELETE', pathOf(kind, name), { headers: conditions(options), query: asks(options), signal: options.signal })
}

/** Several objects in one change with one effect. A file's sections as JSON, which is YAML too. */
export function applyObjects(sections: Record<string, unknown>, options: { dryRun?: boolean; confirm?: boolean; signal?: AbortSignal }): Promise<ApplyAnswer> {
  return request('POST', '/apply', {
    text: { type: 'application/yaml', value: JSON.stringify(sections) },
    query: { dry_run: options.dryRun || undefined, confirm: options.confirm || undefined },
    signal: options.signal,
  })
}

/** Local weeks of a schedule as it is saved, from the one of a date on. */
export async function getScheduleCalendar(name: string, query: { date?: string; weeks?: number }, signal?: AbortSignal): Promise<ScheduleWeek[]> {
  const answer = await request<ScheduleWeek[] | List<ScheduleWeek>>('GET', `${pathOf('schedules', name)}/calendar`, { query, signal })
  return Array.isArray(answer) ? answer : (answer.items ?? [])
}

/** What a schedule would be that is not saved yet. */
export function checkSchedule(
  body: { name: string; schedule: ScheduleSpec; periods: Record<string, PeriodSpec>; date?: string },
  signal?: AbortSignal,
): Promise<ScheduleCheck> {
  return request('POST', '/schedules/check', { body, signal })
}

/** What a rule would do that is not saved yet. */
export function checkRule(body: { name: string; rule: RuleSpec }, signal?: AbortSignal): Promise<RuleCheck> {
  return request('POST', '/rules/check', { body, signal })
}

export interface AccountRow {
  id: string
  name?: string
  regions?: string[]
}
