import type { Place } from '@/lib/health'

import { request, send } from './client'

interface List<T> {
  items: T[] | null
  total: number
  next: string
}

/** One pass. */
export interface Run {
  id: string
  term: number
  trigger: string
  started: string
  /** None while it is under way, or where its process died. */
  finished?: string
  counts: {
    resources: number
    started: number
    stopped: number
    changed?: number
    failed: number
    held: number
    skipped: number
    scopes: number
    gaps: number
  }
  gaps?: string[] | null
  error?: string
}

/** Asks every account and region what may be done there. Slow where one of them does not answer. */
export const getDoctor = (signal?: AbortSignal): Promise<Place[] | null> => request('GET', '/doctor', { signal })

export const listRuns = (limit: number, signal?: AbortSignal): Promise<List<Run>> => request('GET', '/runs', { query: { limit }, signal })

export const getRun = (id: string, signal?: AbortSignal): Promise<Run> => request('GET', `/runs/${encodeURIComponent(id)}`, { signal })

/** Begins a pass over everything; gives the ID of the run to follow. */
export async function createRun(): Promise<string> {
  const answer = await send<{ id?: string } | undefined>('POST', '/runs', { body: {} })
  return answer.data?.id ?? decodeURIComponent((answer.location ?? '').replace(/^.*\/runs\//, ''))
}

/** What needs a person, as the overview shows it too. */
export interface Attention {
  kind: 'gap' | 'failed' | 'held' | 'config' | 'quarantine'
  text: string
  ref?: string
  name?: string
  since?: string
  link: string
}

export const getState = (signal?: AbortSignal): Promise<{ attention: Attention[] | null; last_pass?: string }> => request('GET', '/overview', { signal })

/** Lets the next pass carry out what a limit holds back. */
export const confirmHeld = (): Promise<void> => request('POST', '/held/confirm')
