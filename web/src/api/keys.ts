import { request } from './client'

export const roles = ['viewer', 'operator', 'editor', 'admin'] as const

export type Role = (typeof roles)[number]

export interface Rate {
  per_second: number
  burst: number
}

export interface Quota {
  limit: number
  per: 'day' | 'week' | 'month'
}

/** A key without its secret. */
export interface KeyView {
  id: string
  label: string
  prefix: string
  role: Role
  within?: string
  state: 'active' | 'disabled' | 'expired' | 'revoked'
  secrets: { created: string; expires?: string }[] | null
  rate: Rate
  quota?: Quota & { used: number; resets: string }
  expires?: string
  /** To the minute; none: never. */
  last_used?: string
  version: number
  author: string
  created: string
  changed: string
  revoked?: string
  revoked_by?: string
}

/** A key with its secret, which is given this once. */
export type KeyAnswer = KeyView & { secret: string }

export interface KeyRequest {
  label: string
  role: Role
  within?: string
  rate?: Rate
  quota?: Quota
  expires?: string
}

export interface KeyChange extends Partial<KeyRequest> {
  disabled?: boolean
  /** Of rate, quota, expires, within: back to none, or to the default. */
  unset?: string[]
  version?: number
}

export interface Session {
  id: string
  by: string
  name: string
  role: Role
  within?: string
  created: string
  seen: string
  expires: string
}

interface List<T> {
  items: T[] | null
  total: number
  next: string
}

const path = (id: string): string => `/keys/${encodeURIComponent(id)}`

export const listKeys = (signal?: AbortSignal): Promise<List<KeyView>> => request('GET', '/keys', { query: { limit: 500 }, signal })

export const createKey = (key: KeyRequest): Promise<KeyAnswer> => request('POST', '/keys', { body: key })

export const updateKey = (id: string, change: KeyChange): Promise<KeyView> => request('PATCH', path(id), { body: change })

/** A new secret; the old one lives for so many seconds beside it. */
export const rotateKey = (id: string, overlapSeconds: number): Promise<KeyAnswer> =>
  request('POST', `${path(id)}/rotate`, { body: { overlap_seconds: overlapSeconds } })

export const revokeKey = (id: string): Promise<KeyView> => request('DELETE', path(id))

export const listSessions = (signal?: AbortSignal): Promise<List<Session>> => request('GET', '/sessions', { query: { limit: 500 }, signal })

export const endSession = (id: string): Promise<void> => request('DELETE', `/sessions/${encodeURIComponent(id)}`)
