import { address, request } from './client'

/** A row of the record. Its texts come from people and from AWS: hostile until shown as text. */
export interface ActivityRow {
  seq: number
  at: string
  run?: string
  actor: string
  event: string
  ref?: { scope: { account: string; region: string }; kind: string; id: string }
  name?: string
  schedule?: string
  reason: string
  detail?: string
  chain?: { rule: string; fact: string }[]
  prev: string
  hash: string
}

export interface ActivityPage {
  items: ActivityRow[] | null
  /** Of the whole record; none where only some rows are asked for. */
  total?: number
  /** More may follow, even after a page without rows: the record is looked through a stretch at a time. */
  next: string
}

/** Whether the chain of the record holds, and up to where. */
export interface Verification {
  rows: number
  head: string
  /** The first row that does not fit; none or 0: all of them do. */
  bad_at?: number
  why?: string
}

/** Rows that match, the newest first. */
export const listActivity = (query: Record<string, string>, cursor: string, limit: number, signal?: AbortSignal): Promise<ActivityPage> =>
  request('GET', '/activity', { query: { ...query, order: 'desc', limit, cursor }, signal })

/** Where all rows that match can be downloaded. */
export const activityCSV = (query: Record<string, string>): string => address('/activity.csv', query)

export const verifyActivity = (signal?: AbortSignal): Promise<Verification> => request('GET', '/activity/verify', { signal })
