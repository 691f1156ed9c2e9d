import { beforeEach, describe, expect, it, vi } from 'vitest'
import { ApiError, address, askIn, reachable, request, send, whenUnauthenticated } from './client'

const respond = (body: string | null, init: ResponseInit): void => {
  vi.stubGlobal('fetch', vi.fn(() => Promise.resolve(new Response(body, init))))
}
const json = { 'Content-Type': 'application/json' }
const failure = async (promise: Promise<unknown>): Promise<ApiError> => {
  const error: unknown = await promise.catch((e: unknown) => e)
  expect(error).toBeInstanceOf(ApiError)
  return error as ApiError
}

beforeEach(() => {
  reachable.value = true
})

describe('address', () => {
  it('leaves out what is empty and escapes the rest', () => {
    expect(address('/resources', { q: 'a&b=c d', state: '', sort: undefined, limit: 0, dry_run: true })).toBe(
      '/api/v1/resources?q=a%26b%3Dc+d&limit=0&dry_run=true',
    )
    expect(address('/me')).toBe('/api/v1/me')
  })
})

describe('send', () => {
  it('gives the body and what stands in the head', async () => {
    respond('{"a":1}', { status: 202, headers: { ...json, ETag: '"3"', Location: '/api/v1/runs/7' } })
    expect(await send('GET', '/x')).toEqual({ data: { a: 1 }, status: 202, etag: '"3"', location: '/api/v1/runs/7' })
  })

  it('asks in the language of the page, and in none before that is known', async () => {
    const asked = async (): Promise<string | null> => {
      respond('{}', { status: 200, headers: json })
      await send('GET', '/x')
      return new Headers(vi.mocked(fetch).mock.calls[0]?.[1]?.headers).get('Accept-Language')
    }
    expect(await asked()).toBeNull()
    askIn('zh-CN')
    expect(await asked()).toBe('zh-CN')
    askIn('')
  })

  it('takes an answer without a body', async () => {
    respond(null, { status: 204 })
    expect(await request('DELETE', '/session')).toBeUndefined()
  })

  it('throws the problem document, with its word and fields', async () => {
    const problem = {
      type: '/problems/invalid',
      title: 'Not understood',
      status: 422,
      detail: 'the period is wrong',
      errors: [
        { location: 'body.periods.office', message: 'ends before it begins' },
        { location: 'body.periods.office', message: 'and more' },
      ],
    }
    respond(JSON.stringify(problem), { status: 422, headers: { 'Content-Type': 'application/problem+json', 'Retry-After': '7' } })
    const error = await failure(request('PUT', '/schedules/x'))
    expect(error.word).toBe('invalid')
    expect(error.retryAfter).toBe(7)
    expect(error.fields.get('periods.office')).toBe('ends before it begins and more')
    expect(reachable.value).toBe(true)
  })

  it('makes a problem of what a proxy answers', async () => {
    respond('<html>Bad gateway</html>', { status: 502, headers: { 'Content-Type': 'text/html' } })
    const error = await failure(request('GET', '/overview'))
    expect(error.word).toBe('unavailable')
    expect(error.status).toBe(502)
    expect(reachable.value).toBe(false)
  })

  it('says that the server is away, and back', async () => {
    vi.stubGlobal('fetch', vi.fn(() => Promise.reject(new TypeError('Failed to fetch'))))
    expect((await failure(request('GET', '/me'))).word).toBe('offline')
    expect(reachable.value).toBe(false)
    respond('{}', { status: 200, headers: json })
    await request('GET', '/me')
    expect(reachable.value).toBe(true)
  })

  it('leaves an abort of the caller an abort', async () => {
    const mine = new AbortController()
    vi.stubGlobal('fetch', (_: string, init: RequestInit) => new Promise((_resolve, reject) => {
      init.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error))
    }))
    const promise = request('GET', '/me', { signal: mine.signal })
    mine.abort()
    await expect(promise).rejects.toMatchObject({ name: 'AbortError' })
    expect(reachable.value).toBe(true)
  })

  it('reports JSON that is none, as of a page in the place of the API', async () => {
    respond('{"half":', { status: 200, headers: json })
    expect((await failure(request('GET', '/me'))).word).toBe('internal')
  })

  it('tells whoever asked when nobody is signed in', async () => {
    const told = vi.fn()
    whenUnauthenticated(told)
    respond('', { status: 401 })
    expect((await failure(request('GET', '/fleet'))).word).toBe('unauthenticated')
    expect(told).toHaveBeenCalledOnce()
  })
})
