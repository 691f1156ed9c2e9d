import { type ShallowRef, getCurrentScope, onScopeDispose, shallowRef } from 'vue'

/** A load as one of four things. While it is repeated or has failed, what was there before stays in `data`. */
export type Load<T> =
  | { is: 'idle'; data?: undefined }
  | { is: 'loading'; data?: T }
  | { is: 'failed'; error: unknown; data?: T }
  | { is: 'ready'; data: T }

export interface Async<T, A extends unknown[]> {
  load: Readonly<ShallowRef<Load<T>>>
  /** Starts over; a call under way is given up, and its answer is dropped. Never throws. */
  run: (...args: A) => Promise<T | undefined>
  /** Puts in a value that came another way, such as the answer of a change. */
  set: (data: T) => void
}

/** Runs `task` and keeps what became of it. The last call wins; leaving the component gives it up. */
export function useAsync<T, A extends unknown[]>(task: (signal: AbortSignal, ...args: A) => Promise<T>): Async<T, A> {
  const load = shallowRef<Load<T>>({ is: 'idle' })
  let current: AbortController | undefined

  async function run(...args: A): Promise<T | undefined> {
    current?.abort()
    const mine = new AbortController()
    current = mine
    const before = load.value.data
    load.value = { is: 'loading', data: before }
    let end: Load<T> = { is: 'idle' }
    try {
      const data = await task(mine.signal, ...args)
      end = { is: 'ready', data }
      return mine === current ? data : undefined
    } catch (error) {
      end = { is: 'failed', error, data: before }
      return undefined
    } finally {
      if (mine === current && !mine.signal.aborted) load.value = end
    }
  }

  function set(data: T): void {
    current?.abort()
    current = undefined
    load.value = { is: 'ready', data }
  }

  if (getCurrentScope() !== undefined) onScopeDispose(() => current?.abort())
  return { load, run, set }
}
