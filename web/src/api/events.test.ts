import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type LiveEvent, listen, resync, stream } from './events'

interface Connection {
  headers: Record<string, string>
  say: (text: string) => void
  end: () => void
}

let connections: Connection[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  connections = []
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    const encoder = new TextEncoder()
    let control: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>({ start: (c) => void (control = c) })
    init.signal?.addEventListener('abort', () => {
      try {
        control.error(new DOMException('aborted', 'AbortError'))
      } catch {
        // It is closed already.
      }
    })
    connections.push({
      headers: init.headers as Record<string, string>,
      say: (text) => control.enqueue(encoder.encode(text)),
      end: () => control.close(),
    })
    return Promise.resolve(new Response(body, { headers: { 'Content-Type': 'text/event-stream' } }))
  })
})

afterEach(() => vi.useRealTimers())

const settle = async (): Promise<void> => {
  for (let i = 0; i < 50; i++) await Promise.resolve()
  await new Promise((resolve) => setImmediate(resolve))
}
const connection = (n: number): Connection => {
  const found = connections[n]
  if (found === undefined) throw new Error(`connection ${n} was not made`)
  return found
}

it('tells listeners, resumes after a break with the last id, and stops with the last of them', async () => {
  const got: LiveEvent[] = []
  const stop = listen((event) => got.push(event))
  await settle()
  expect(stream.value).toBe('live')
  expect(connection(0).headers['Last-Event-ID']).toBeUndefined()

  connection(0).say('id: 41\nevent: pass\ndata: {"n":1}\n\n')
  await settle()
  expect(got).toEqual([{ id: '41', type: 'pass', data: { n: 1 } }])

  connection(0).end()
  await settle()
  expect(stream.value).toBe('waiting')
  await vi.advanceTimersByTimeAsync(1_300)
  await settle()
  expect(connection(1).headers['Last-Event-ID']).toBe('41')
  expect(got[1]?.type).toBe('resync')

  // Silence is a dead connection, however open it looks.
  await vi.advanceTimersByTimeAsync(45_000)
  await settle()
  await vi.advanceTimersByTimeAsync(1_300)
  await settle()
  expect(connections.length).toBe(3)

  stop()
  expect(stream.value).toBe('off')
  await vi.advanceTimersByTimeAsync(120_000)
  expect(connections.length).toBe(3)
})

it('does not let one listener take the events of another', async () => {
  const reported = vi.fn()
  vi.stubGlobal('reportError', reported)
  const got: string[] = []
  const stops = [
    listen(() => {
      throw new Error('broken view')
    }),
    listen((event) => got.push(event.type)),
  ]
  await settle()
  connection(0).say('event: activity\ndata: 1\n\n')
  await settle()
  expect(got).toEqual(['activity'])
  expect(reported).toHaveBeenCalledOnce()
  for (const stop of stops) stop()
})

it('has the views ask anew when the language of the answers is another', async () => {
  const got: string[] = []
  const stop = listen((event) => got.push(event.type))
  await settle()
  resync()
  expect(got).toEqual(['resync'])
  expect(connections.length).toBe(1)
  stop()
})
