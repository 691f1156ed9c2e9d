import { type Answer, type Query, type RequestOptions, request, send } from './client'
import type { components, operations } from './types.gen'

// One function for each operation of the API, under its operationId; every type comes from the API's document.

type Schemas = components['schemas']
type Operation = keyof operations

/** The query of an operation. */
export type QueryOf<K extends Operation> = operations[K]['parameters'] extends { query?: infer Q } ? NonNullable<Q> : never

export type About = Schemas['About']
export type Account = Schemas['Account']
export type Activity = Schemas['Activity']
export type ActivityList = Schemas['ActivityList']
export type ApiObject = Schemas['Object']
export type Attention = Schemas['Attention']
export type Change = Schemas['Change']
export type Checkup = Schemas['Checkup']
export type ClearedOverrides = Schemas['ClearedOverrides']
export type Effect = Schemas['Effect']
export type EffectLine = Schemas['EffectLine']
export type Exception = Schemas['Exception']
export type Explanation = Schemas['Explanation']
export type Facet = Schemas['Facet']
export type Fault = Schemas['Fault']
export type FleetPage = Schemas['FleetPage']
export type Gap = Schemas['Gap']
export type Holiday = Schemas['Holiday']
export type KeyAnswer = Schemas['KeyAnswer']
export type KeyChange = Schemas['KeyChange']
export type KeyRequest = Schemas['KeyRequest']
export type KeyRotation = Schemas['KeyRotation']
export type KeyView = Schemas['KeyView']
export type Lane = Schemas['Lane']
export type Me = Schemas['Me']
export type ObjectAnswer = Schemas['ObjectAnswer']
export type ObjectView = Schemas['ObjectView']
export type OverrideAnswer = Schemas['OverrideAnswer']
export type OverrideChange = Schemas['OverrideChange']
export type OverrideLine = Schemas['OverrideLine']
export type OverrideList = Schemas['OverrideList']
export type OverrideRequest = Schemas['OverrideRequest']
export type OverrideView = Schemas['OverrideView']
export type Overview = Schemas['Overview']
export type Period = Schemas['Period']
export type Preview = Schemas['Preview']
export type PreviewEvent = Schemas['PreviewEvent']
export type Resource = Schemas['Resource']
export type Rule = Schemas['Rule']
export type RuleCheck = Schemas['RuleCheck']
export type RuleDraft = Schemas['RuleDraft']
export type Run = Schemas['Run']
export type RunRequest = Schemas['RunRequest']
export type RunStarted = Schemas['RunStarted']
export type Saved = Schemas['Saved']
export type Schedule = Schemas['Schedule']
export type ScheduleCheck = Schemas['ScheduleCheck']
export type ScheduleDraft = Schemas['ScheduleDraft']
export type ScheduleExplanation = Schemas['ScheduleExplanation']
export type ScheduleWeek = Schemas['ScheduleWeek']
export type Session = Schemas['Session']
export type Step = Schemas['Step']
export type Upcoming = Schemas['Upcoming']
export type Verification = Schemas['Verification']
export type WeekCell = Schemas['WeekCell']
export type WeekDay = Schemas['WeekDay']

/** A page of a list. */
export interface List<T> {
  items: T[]
  total: number
  next: string
}

/** One resource's address: `account/region/kind/id`, where an ID may hold slashes. */
export interface Ref {
  account: string
  region: string
  kind: string
  id: string
}

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

/** A change that says which version it changes: that of an ETag, or none because the object is new. */
export interface Write {
  /** The ETag of the version that is changed; absent: the object must not be there yet. */
  etag?: string
  /** Say what it would do, and change nothing. */
  dryRun?: boolean
  /** The effect was seen and is wanted. */
  confirm?: boolean
  signal?: AbortSignal
}

function writing({ etag, dryRun, confirm, signal }: Write): RequestOptions {
  return {
    query: { dry_run: dryRun === true ? true : undefined, confirm: confirm === true ? true : undefined },
    headers: etag === undefined ? { 'If-None-Match': '*' } : { 'If-Match': etag },
    signal,
  }
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
export const getPreview = (query: QueryOf<'getPreview'>, signal?: AbortSignal) => get<Preview>('/preview', query, signal)

// What people decide

export const listOverrides = (signal?: AbortSignal) => get<OverrideList>('/overrides', undefined, signal)
export const getOverride = (id: string, signal?: AbortSignal) => send<OverrideAnswer>('GET', path`/overrides/${id}`, { signal })
export const createOverride = (body: OverrideRequest, dryRun = false, signal?: AbortSignal) =>
  request<OverrideAnswer>('POST', '/overrides', { body, query: { dry_run: dryRun || undefined }, signal })
export const changeOverride = (id: string, body: OverrideChange, { etag, dryRun, signal }: Write = {}) =>
  request<OverrideAnswer>('PATCH', path`/overrides/${id}`, {
    body,
    query: { dry_run: dryRun || undefined },
    headers: etag === undefined ? {} : { 'If-Match': etag },
    signal,
  })
export const clearOverride = (id: string, dryRun = false, signal?: AbortSignal) =>
  request<ClearedOverrides>('DELETE', path`/overrides/${id}`, { query: { dry_run: dryRun || undefined }, signal })
export const listRuns = (query: QueryOf<'listRuns'> = {}, signal?: AbortSignal) => get<List<Run>>('/runs', query, signal)
export const getRun = (id: string, signal?: AbortSignal) => get<Run>(path`/runs/${id}`, undefined, signal)
export const createRun = (body: RunRequest) => request<RunStarted>('POST', '/runs', { body })
export const confirmHeld = () => request<undefined>('POST', '/held/confirm')

// Schedules and what they are made of

/** The objects of a kind: the same five operations for each. */
function objects<T>(kind: 'schedules' | 'periods' | 'exceptions' | 'holidays' | 'rules') {
  return {
    list: (query: QueryOf<'listSchedules'> = {}, signal?: AbortSignal) => get<List<ApiObject>>(`/${kind}`, query, signal),
    get: (name: string, signal?: AbortSignal): Promise<Answer<ObjectView>> => send('GET', `/${kind}/${encodeURIComponent(name)}`, { signal }),
    put: (name: string, body: T, write: Write = {}): Promise<Answer<ObjectAnswer>> =>
      send('PUT', `/${kind}/${encodeURIComponent(name)}`, { ...writing(write), body }),
    remove: (name: string, write: Write & { etag: string }): Promise<Answer<ObjectAnswer>> =>
      send('DELETE', `/${kind}/${encodeURIComponent(name)}`, writing(write)),
  }
}

export const { list: listSchedules, get: getSchedule, put: putSchedule, remove: deleteSchedule } = objects<Schedule>('schedules')
export const { list: listPeriods, get: getPeriod, put: putPeriod, remove: deletePeriod } = objects<Period>('periods')
export const { list: listExceptions, get: getException, put: putException, remove: deleteException } = objects<Exception>('exceptions')
export const { list: listHolidays, get: getHoliday, put: putHoliday, remove: deleteHoliday } = objects<Holiday>('holidays')
export const { list: listRules, get: getRule, put: putRule, remove: deleteRule } = objects<Rule>('rules')

export const getScheduleCalendar = (name: string, query: QueryOf<'getScheduleCalendar'> = {}, signal?: AbortSignal) =>
  get<ScheduleWeek[]>(path`/schedules/${name}/calendar`, query, signal)
export const explainSchedule = (name: string, query: QueryOf<'explainSchedule'> = {}, signal?: AbortSignal) =>
  get<ScheduleExplanation>(path`/schedules/${name}/explain`, query, signal)
export const checkSchedule = (body: ScheduleDraft, signal?: AbortSignal) =>
  request<ScheduleCheck>('POST', '/schedules/check', { body, signal })
export const checkRule = (body: RuleDraft, signal?: AbortSignal) => request<RuleCheck>('POST', '/rules/check', { body, signal })

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
export const listAccounts = (query: QueryOf<'listAccounts'> = {}, signal?: AbortSignal) => get<List<Account>>('/accounts', query, signal)
export const getDoctor = (signal?: AbortSignal) => get<Checkup[]>('/doctor', undefined, signal)

// Keys and sessions

export const listKeys = (query: QueryOf<'listKeys'> = {}, signal?: AbortSignal) => get<List<KeyView>>('/keys', query, signal)
export const getKey = (id: string, signal?: AbortSignal) => get<KeyView>(path`/keys/${id}`, undefined, signal)
export const createKey = (body: KeyRequest) => request<KeyAnswer>('POST', '/keys', { body })
export const updateKey = (id: string, body: KeyChange) => request<KeyView>('PATCH', path`/keys/${id}`, { body })
export const rotateKey = (id: string, body: KeyRotation) => request<KeyAnswer>('POST', path`/keys/${id}/rotate`, { body })
export const revokeKey = (id: string) => request<KeyView>('DELETE', path`/keys/${id}`)
export const listSessions = (query: QueryOf<'listSessions'> = {}, signal?: AbortSignal) => get<List<Session>>('/sessions', query, signal)
export const endSession = (id: string) => request<undefined>('DELETE', path`/sessions/${id}`)
