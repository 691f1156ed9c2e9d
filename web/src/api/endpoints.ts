import { type Query, request, send } from './client'
import type { components, operations } from './types.gen'

// The operations that the page asks for, under their operationId; those on objects of any kind are in ./objects. Every
// type comes from the API's document.

type Schemas = components['schemas']
type Operation = keyof operations

/** The query of an operation. */
type QueryOf<K extends Operation> = operations[K]['parameters'] extends { query?: infer Q } ? NonNullable<Q> : never

export type About = Schemas['About']
export type Activity = Schemas['Activity']
export type ActivityList = Schemas['ActivityList']
export type ApprovalAnswer = Schemas['ApprovalAnswer']
export type Attention = Schemas['Attention']
export type Capacity = Schemas['Capacity']
export type Channel = Schemas['Channel']
export type ChannelTestAnswer = Schemas['ChannelTestAnswer']
export type Channels = Schemas['Channels']
export type Checkup = Schemas['Checkup']
export type ClearedOverrides = Schemas['ClearedOverrides']
export type Delivery = Schemas['Delivery']
export type DeliveryList = Schemas['DeliveryList']
export type Effect = Schemas['Effect']
export type Explanation = Schemas['Explanation']
export type Facet = Schemas['Facet']
export type FleetPage = Schemas['FleetPage']
export type HeldReservation = Schemas['HeldReservation']
export type HolidayYear = Schemas['HolidayYear']
export type KeyAnswer = Schemas['KeyAnswer']
export type KeyChange = Schemas['KeyChange']
export type KeyRequest = Schemas['KeyRequest']
export type KeyRotation = Schemas['KeyRotation']
export type KeyView = Schemas['KeyView']
export type Lane = Schemas['Lane']
export type Me = Schemas['Me']
export type MessageKind = Schemas['MessageKind']
export type MessagePreview = Schemas['MessagePreview']
export type OverrideAnswer = Schemas['OverrideAnswer']
export type OverrideRequest = Schemas['OverrideRequest']
export type Overview = Schemas['Overview']
export type ReservationHistory = Schemas['ReservationHistory']
export type ReservationStatus = Schemas['ReservationStatus']
export type Resource = Schemas['Resource']
export type RuleCheck = Schemas['RuleCheck']
export type RuleDraft = Schemas['RuleDraft']
export type Run = Schemas['Run']
export type RunRequest = Schemas['RunRequest']
export type RunStarted = Schemas['RunStarted']
export type Saved = Schemas['Saved']
export type ScheduleCheck = Schemas['ScheduleCheck']
export type ScheduleDraft = Schemas['ScheduleDraft']
export type ScheduleExplanation = Schemas['ScheduleExplanation']
export type ScheduleWeek = Schemas['ScheduleWeek']
export type Session = Schemas['Session']
export type Step = Schemas['Step']
export type Upcoming = Schemas['Upcoming']
export type Verification = Schemas['Verification']
export type WeekDay = Schemas['WeekDay']
export type Foresight = Schemas['Foresight']
export type WorkloadAnswer = Schemas['WorkloadAnswer']
export type WorkloadList = Schemas['WorkloadList']
export type WorkloadRun = Schemas['WorkloadRun']
export type WorkloadStatus = Schemas['WorkloadStatus']
export type WorkloadTier = Schemas['WorkloadTier']
export type WorkloadView = Schemas['WorkloadView']

/** One resource's address: `account/region/kind/id`, where an ID may hold slashes. */
export type Ref = operations['getResource']['parameters']['path']

const path = (strings: TemplateStringsArray, ...values: string[]): string =>
  strings.reduce((out, part, i) => out + part + (i < values.length ? encodeURIComponent(values[i] ?? '') : ''), '')

const get = <T>(at: string, query?: object, signal?: AbortSignal): Promise<T> =>
  request<T>('GET', at, { query: query === undefined ? undefined : flat(query), signal })

/** Several values of one field go as one, with commas between. */
function flat(query: object): Query {
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : (value as string)]),
  )
}

// Who asks

export const getMe = (signal?: AbortSignal) => get<Me>('/me', undefined, signal)
export const signIn = (key: string) => request<Me>('POST', '/session', { body: { key } })
export const signOut = () => request<undefined>('DELETE', '/session')
export const getAbout = (signal?: AbortSignal) => get<About>('/about', undefined, signal)

// The fleet

export const getOverview = (signal?: AbortSignal) => get<Overview>('/overview', undefined, signal)
export const listResources = (query: QueryOf<'listResources'>, signal?: AbortSignal) =>
  get<FleetPage>('/resources', query, signal)
export const getResource = (r: Ref, signal?: AbortSignal) =>
  get<Resource>(path`/resources/${r.account}/${r.region}/${r.kind}/${r.id}`, undefined, signal)
export const explainResource = (r: Ref, query: QueryOf<'explainResource'> = {}, signal?: AbortSignal) =>
  get<Explanation>(path`/resources/${r.account}/${r.region}/${r.kind}/${r.id}/explain`, query, signal)

// What people decide

export const getOverride = (id: string, signal?: AbortSignal) => send<OverrideAnswer>('GET', path`/overrides/${id}`, { signal })
export const createOverride = (body: OverrideRequest, dryRun = false, signal?: AbortSignal) =>
  request<OverrideAnswer>('POST', '/overrides', { body, query: { dry_run: dryRun || undefined }, signal })
export const clearOverride = (id: string, dryRun = false, signal?: AbortSignal) =>
  request<ClearedOverrides>('DELETE', path`/overrides/${id}`, { query: { dry_run: dryRun || undefined }, signal })
export const listRuns = (query: QueryOf<'listRuns'> = {}, signal?: AbortSignal) => get<Schemas['ListRun']>('/runs', query, signal)
export const getRun = (id: string, signal?: AbortSignal) => get<Run>(path`/runs/${id}`, undefined, signal)
export const createRun = (body: RunRequest) => request<RunStarted>('POST', '/runs', { body })
export const confirmHeld = () => request<undefined>('POST', '/held/confirm')

// Schedules and what they are made of

/** Local weeks of a schedule as it is saved, from the one of a date on. */
export const getScheduleCalendar = (name: string, query: QueryOf<'getScheduleCalendar'> = {}, signal?: AbortSignal) =>
  get<ScheduleWeek[]>(path`/schedules/${name}/calendar`, query, signal)
export const explainSchedule = (name: string, query: QueryOf<'explainSchedule'> = {}, signal?: AbortSignal) =>
  get<ScheduleExplanation>(path`/schedules/${name}/explain`, query, signal)
/** What a schedule would be that is not saved yet. */
export const checkSchedule = (body: ScheduleDraft, signal?: AbortSignal) =>
  request<ScheduleCheck>('POST', '/schedules/check', { body, signal })
/** What a rule would do that is not saved yet. */
export const checkRule = (body: RuleDraft, signal?: AbortSignal) => request<RuleCheck>('POST', '/rules/check', { body, signal })
/** What a holiday calendar says of a year, with the dates of a file, an address or a built-in calendar. */
export const getHolidayYear = (name: string, year: number, signal?: AbortSignal) =>
  get<HolidayYear>(path`/holidays/${name}/dates`, { year }, signal)

// Workloads: how they stand, and their runs

export const listWorkloadStatus = (signal?: AbortSignal) => get<WorkloadList>('/workload-status', undefined, signal)
export const getWorkloadStatus = (name: string, signal?: AbortSignal) => get<WorkloadStatus>(path`/workloads/${name}/status`, undefined, signal)
export const listWorkloadRuns = (name: string, signal?: AbortSignal) => get<Schemas['WorkloadRuns']>(path`/workloads/${name}/runs`, { limit: 20 }, signal)
export const getWorkloadRun = (name: string, id: string, signal?: AbortSignal) => get<WorkloadRun>(path`/workloads/${name}/runs/${id}`, undefined, signal)
export const startWorkload = (name: string, body: Schemas['WorkloadStart'], dryRun: boolean, signal?: AbortSignal) =>
  request<WorkloadAnswer>('POST', path`/workloads/${name}/start`, { body, query: { dry_run: dryRun || undefined }, signal })
export const stopWorkload = (name: string, body: Schemas['WorkloadStop'], dryRun: boolean, signal?: AbortSignal) =>
  request<WorkloadAnswer>('POST', path`/workloads/${name}/stop`, { body, query: { dry_run: dryRun || undefined }, signal })
export const cancelWorkload = (name: string, run: string) => request<WorkloadAnswer>('POST', path`/workloads/${name}/cancel`, { body: { run } })
export const resumeWorkload = (name: string, run: string, mode: Schemas['WorkloadResume']['mode']) =>
  request<WorkloadAnswer>('POST', path`/workloads/${name}/resume`, { body: { run, mode } })

// Reservations of capacity: what is wanted, held and used

export const getCapacity = (signal?: AbortSignal) => get<Capacity>('/capacity', undefined, signal)
export const getReservationStatus = (name: string, signal?: AbortSignal) => get<ReservationStatus>(path`/reservations/${name}/status`, undefined, signal)
export const getReservationHistory = (name: string, query: QueryOf<'getReservationHistory'>, signal?: AbortSignal) =>
  get<ReservationHistory>(path`/reservations/${name}/history`, query, signal)
export const approveReservation = (name: string) => request<ApprovalAnswer>('POST', path`/reservations/${name}/approve`)

// Notifications: channels, what became of messages, and what they look like

export const listChannels = (signal?: AbortSignal) => get<Channels>('/channels', undefined, signal)
export const previewMessage = (name: string, query: QueryOf<'previewMessage'>, signal?: AbortSignal) => get<MessagePreview>(path`/channels/${name}/preview`, query, signal)
export const testChannel = (name: string) => request<ChannelTestAnswer>('POST', path`/channels/${name}/test`)
export const sendChannelAgain = (name: string) => request<Schemas['AgainAnswer']>('POST', path`/channels/${name}/again`)
export const listDeliveries = (query: QueryOf<'listDeliveries'>, signal?: AbortSignal) => get<DeliveryList>('/deliveries', query, signal)
export const sendAgain = (id: string) => request<Schemas['AgainAnswer']>('POST', path`/deliveries/${id}/again`)

// The record, and how things are

export type ActivityQuery = QueryOf<'exportActivity'>
export const listActivity = (query: QueryOf<'listActivity'>, signal?: AbortSignal) =>
  get<ActivityList>('/activity', query, signal)
/** The address of the record as CSV, for a link. */
export const activityExport = (query: ActivityQuery): string => {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(flat(query))) {
    if (value !== undefined && value !== null && value !== '') search.set(name, String(value))
  }
  return `/api/v1/activity.csv${search.size > 0 ? `?${search}` : ''}`
}
export const verifyActivity = (signal?: AbortSignal) => get<Verification>('/activity/verify', undefined, signal)
export const listAccounts = (query: QueryOf<'listAccounts'> = {}, signal?: AbortSignal) => get<Schemas['ListAccount']>('/accounts', query, signal)
export const getDoctor = (signal?: AbortSignal) => get<Checkup[]>('/doctor', undefined, signal)

// Keys and sessions

export const listKeys = (query: QueryOf<'listKeys'> = {}, signal?: AbortSignal) => get<Schemas['ListKeyView']>('/keys', query, signal)
export const createKey = (body: KeyRequest) => request<KeyAnswer>('POST', '/keys', { body })
export const updateKey = (id: string, body: KeyChange) => request<KeyView>('PATCH', path`/keys/${id}`, { body })
export const rotateKey = (id: string, body: KeyRotation) => request<KeyAnswer>('POST', path`/keys/${id}/rotate`, { body })
export const revokeKey = (id: string) => request<KeyView>('DELETE', path`/keys/${id}`)
export const listSessions = (query: QueryOf<'listSessions'> = {}, signal?: AbortSignal) => get<Schemas['ListSession']>('/sessions', query, signal)
export const endSession = (id: string) => request<undefined>('DELETE', path`/sessions/${id}`)
