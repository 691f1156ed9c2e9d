import { ref } from 'vue'
import { backOff, eventParser } from '@/lib/sse'
import { ApiError, address, reachable, refused, unreached } from './client'

/** What the server tells on its own. `resync` is the page's word for "something may have been missed". */
export interface LiveEvent {
  id: string
  type: string
  data: unknown
}

export type Listener = (event: LiveEvent) => void

/** `live` while the stream stands, `waiting` between two tries, `off` while nobody listens or may. */
export const stream = ref<'live' | 'connecting' | 'waiting' | 'off'>('off')

/** Without a line in this time the connection is taken for dead; the server says something every 15 s. */
const SILENCE = 45_000

const listeners = new Set<Listener>()
let last = ''
let abort: AbortController | undefined

/** Hears every event until the function that it gives is called. All listeners share one connection. */
export function listen(listener: Listener): () => void {
  listeners.add(listener)
  if (abort === undefined) start()
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) halt()
  }
}

/** Connects anew at once: somebody signed in or out, or the machine is online again. */
export function restartEvents(): void {
  halt()
  last = ''
  if (listeners.size > 0) start()
}

/** Has the views ask for the whole once more. */
export function resync(): void {
  tell({ id: last, type: 'resync', data: undefined })
}

function start(): void {
  abort = new AbortController()
  void follow(abort.signal)
}

function halt(): void {
  abort?.abort()
  abort = undefined
  stream.value = 'off'
}

async function follow(halted: AbortSignal): Promise<void> {
  let tries = 0
  let first = true
  const lives = (): boolean => !halted.aborted
  while (lives()) {
    stream.value = 'connecting'
    try {
      await read(halted, () => {
        tries = 0
        // After a break the views ask for the whole once more: the server may have forgotten where we were.
        if (!first) resync()
        first = false
      })
    } catch (error) {
      if (!lives()) return
      if (error instanceof ApiError && (error.word === 'unauthenticated' || error.word === 'forbidden')) {
        stream.value = 'off'
        return
      }
      first = false
    }
    if (!lives()) return
    tries++
    stream.value = 'waiting'
    await pause(backOff(tries, Math.random()), halted)
  }
}

/** One connection, from its begin to its end. */
async function read(halted: AbortSignal, opened: () => void): Promise<void> {
  const dead = new AbortController()
  const stop = (): void => dead.abort()
  halted.addEventListener('abort', stop)
  let watch = setTimeout(stop, SILENCE)
  try {
    const response = await fetch(address('/events'), {
      headers: { Accept: 'text/event-stream', ...(last === '' ? {} : { 'Last-Event-ID': last }) },
      credentials: 'same-origin',
      cache: 'no-store',
      signal: dead.signal,
    })
    if (!response.ok) throw await refused(response)
    if (response.body === null) return
    reachable.value = true
    stream.value = 'live'
    opened()
    const parser = eventParser()
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(watch)
      watch = setTimeout(stop, SILENCE)
      for (const message of parser.push(value)) {
        if (message.id !== '') last = message.id
        tell({ id: message.id, type: message.type, data: parsed(message.data) })
      }
    }
  } catch (error) {
    throw halted.aborted ? error : unreached(error)
  } finally {
    clearTimeout(watch)
    halted.removeEventListener('abort', stop)
    dead.abort()
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function tell(event: LiveEvent): void {
  for (const listener of [...listeners]) {
    try {
      listener(event)
    } catch (error) {
      // One view's fault is not the others'.
      reportError(error)
    }
  }
}

function pause(ms: number, halted: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer)
      window.removeEventListener('online', wake)
      halted.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    window.addEventListener('online', wake)
    halted.addEventListener('abort', wake)
  })
}
