import { ref } from 'vue'
import { ApiError, type Problem, wordOf } from '@/lib/problem'

export { ApiError }

/** Whether the last request reached the server. The layout shows it; the event stream mends it. */
export const reachable = ref(true)

/** The language that answers are asked for in; the sentences of the server come in it. */
let language = ''

export function askIn(locale: string): void {
  language = locale
}

/** Called when the server says that nobody is signed in (any more). */
let onUnauthenticated: () => void = () => undefined

export function whenUnauthenticated(callback: () => void): void {
  onUnauthenticated = callback
}

export type Query = Record<string, string | number | boolean | null | undefined>

export interface RequestOptions {
  query?: Query
  body?: unknown
  /** A body that is no JSON, with its media type. */
  text?: { type: string; value: string }
  headers?: Record<string, string>
  signal?: AbortSignal
}

export interface Answer<T> {
  data: T
  status: number
  etag?: string
  location?: string
}

/** Long enough for a look at a slow cloud, short enough that nobody believes that it still works. */
const PATIENCE = 30_000

/** `path?query`; what is undefined, null or empty is left out. */
export function address(path: string, query: Query = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') search.set(name, String(value))
  }
  const text = search.toString()
  return `/api/v1${path}${text === '' ? '' : `?${text}`}`
}

/** One request, with what stands in the head of its answer. Throws an ApiError, or the AbortError of `signal`. */
export async function send<T>(method: string, path: string, options: RequestOptions = {}): Promise<Answer<T>> {
  const headers: Record<string, string> = { Accept: 'application/json, application/problem+json', ...options.headers }
  if (language !== '') headers['Accept-Language'] = language
  let body: string | undefined
  if (options.text !== undefined) {
    headers['Content-Type'] = options.text.type
    body = options.text.value
  } else if (options.body !== undefined) {
    headers['Content-Type'] = 'application/json'
    body = JSON.stringify(options.body)
  }
  const patience = AbortSignal.timeout(PATIENCE)
  const signal = options.signal === undefined ? patience : AbortSignal.any([options.signal, patience])
  let response: Response
  try {
    response = await fetch(address(path, options.query), { method, headers, body, signal, credentials: 'same-origin' })
  } catch (error) {
    throw unreached(error, options.signal)
  }
  reachable.value = true
  if (!response.ok) throw await refused(response)
  let data: unknown
  try {
    data = response.status === 204 || response.headers.get('Content-Length') === '0' ? undefined : await content(response)
  } catch (error) {
    throw unreached(error, options.signal)
  }
  return {
    data: data as T,
    status: response.status,
    etag: response.headers.get('ETag') ?? undefined,
    location: response.headers.get('Location') ?? undefined,
  }
}

/** `send` for those who want the answer's body alone. */
export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  return (await send<T>(method, path, options)).data
}

async function content(response: Response): Promise<unknown> {
  const text = await response.text()
  if (text === '') return undefined
  return /[/+]json/.test(response.headers.get('Content-Type') ?? '') ? JSON.parse(text) : text
}

/** What a request that got no whole answer ends with. An abort that the caller asked for stays one. */
export function unreached(error: unknown, asked?: AbortSignal): unknown {
  if (asked?.aborted === true) return asked.reason
  if (error instanceof SyntaxError) {
    return new ApiError({ type: '/problems/internal', title: 'Unreadable answer', status: 0, detail: error.message })
  }
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new ApiError({ type: '/problems/timeout', title: 'No answer in time', status: 0 })
  }
  reachable.value = false
  return new ApiError({ type: '/problems/offline', title: 'Server not reached', status: 0 })
}

/** The error of an answer that refuses. Something between us and the server may have written it. */
export async function refused(response: Response): Promise<ApiError> {
  let problem: Problem | undefined
  try {
    if (/[/+]json/.test(response.headers.get('Content-Type') ?? '')) {
      const found: unknown = await response.json()
      if (typeof found === 'object' && found !== null && 'title' in found) problem = found as Problem
    }
  } catch {
    // A body that is no JSON tells less than the status does.
  }
  problem = {
    ...problem,
    type: problem?.type?.includes('/problems/') === true ? problem.type : `/problems/${wordOf(response.status)}`,
    title: problem?.title ?? response.statusText,
    status: response.status,
  }
  if (response.status === 502 || response.status === 504) reachable.value = false
  const wait = Number(response.headers.get('Retry-After') ?? Number.NaN)
  const error = new ApiError(problem, Number.isFinite(wait) ? wait : undefined)
  if (error.word === 'unauthenticated') onUnauthenticated()
  return error
}
