/** Schedules, periods, exceptions, holidays, rules, workloads and reservations: the operations that are the same for objects of every kind. */
import type { PeriodSpec } from '@/lib/week'
import type { WorkloadSpec } from '@/lib/workloadDraft'
import { request } from './client'
import type { components } from './types.gen'

type Schemas = components['schemas']

/** The kinds of objects, as the paths of the API name them. */
export type ObjectKind = 'schedules' | 'periods' | 'exceptions' | 'holidays' | 'rules' | 'workloads' | 'reservations'

// What stands below the name of an object. The document says what the server takes; in answers it leaves the spec open,
// which is any JSON object there. What it holds is said here by hand: what was taken, and names as a list also where text
// with commas was allowed.

type Listed<T, Names extends keyof T> = Omit<T, Names> & Partial<Record<Names, string[]>>

export type ScheduleSpec = Listed<Schemas['Schedule'], 'holidays'>
export type ExceptionSpec = Schemas['Exception']
export type HolidaysSpec = Schemas['Holiday']
export type RuleSpec = Listed<Schemas['Rule'], 'accounts' | 'regions'>
export type ReservationSpec = Listed<Schemas['Reservation'], 'zones'>

export interface SpecOf {
  schedules: ScheduleSpec
  periods: PeriodSpec
  exceptions: ExceptionSpec
  holidays: HolidaysSpec
  rules: RuleSpec
  workloads: WorkloadSpec
  reservations: ReservationSpec
}

/** What the document has of an object, with the spec that it leaves open. */
type WithSpec<T, S> = Omit<T, 'spec'> & { spec: S }

/** An object of a list. */
export type Stored<S> = WithSpec<Schemas['Object'], S>

export type ApplyAnswer = Schemas['ApplyAnswer']
export type ObjectAnswer = Schemas['ObjectAnswer']
type ObjectView<S> = WithSpec<Schemas['ObjectView'], S>
type ObjectList<S> = Omit<Schemas['ListObject'], 'items'> & { items: Stored<S>[] }

/** The most that one answer of a list holds. */
const pageSize = 500

/** Every object of a kind, page by page. */
export async function listObjects<K extends ObjectKind>(kind: K, signal?: AbortSignal): Promise<Stored<SpecOf[K]>[]> {
  const all: Stored<SpecOf[K]>[] = []
  let cursor = ''
  do {
    const page: ObjectList<SpecOf[K]> = await request('GET', `/${kind}`, { query: { limit: pageSize, cursor }, signal })
    all.push(...page.items)
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

interface ChangeOptions {
  /** say what it would do, and change nothing */
  dryRun?: boolean
  /** the effect was seen and is wanted */
  confirm?: boolean
}

interface SaveOptions extends ChangeOptions {
  /** the version that is changed; 0 makes a new object */
  version: number
}

function conditions({ version }: SaveOptions): Record<string, string> {
  return version > 0 ? { 'If-Match': `"${version}"` } : { 'If-None-Match': '*' }
}

function asks({ dryRun, confirm }: ChangeOptions): { dry_run?: boolean; confirm?: boolean } {
  return { dry_run: dryRun || undefined, confirm: confirm || undefined }
}

export function putObject<K extends ObjectKind>(kind: K, name: string, spec: SpecOf[K], options: SaveOptions): Promise<ObjectAnswer> {
  return request('PUT', pathOf(kind, name), { body: spec, headers: conditions(options), query: asks(options) })
}

export function deleteObject(kind: ObjectKind, name: string, options: SaveOptions): Promise<ObjectAnswer> {
  return request('DELETE', pathOf(kind, name), { headers: conditions(options), query: asks(options) })
}

/** Several objects in one change with one effect. A file's sections as JSON, which is YAML too. */
export function applyObjects(sections: Record<string, unknown>, options: ChangeOptions): Promise<ApplyAnswer> {
  return request('POST', '/apply', { text: { type: 'application/yaml', value: JSON.stringify(sections) }, query: asks(options) })
}
