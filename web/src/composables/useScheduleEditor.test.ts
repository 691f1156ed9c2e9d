import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type EffectScope, effectScope } from 'vue'
import { emptyWeek, paintBlock } from '@/lib/week'
import { useScheduleEditor } from './useScheduleEditor'

/** A server with two schedules that share a period; what it is sent is kept. */
function server() {
  const objects: Record<string, Record<string, { version: number; spec: object; file?: boolean; author?: string }>> = {
    schedules: {
      lab: { version: 3, spec: { periods: ['office'], timezone: 'Asia/Seoul' } },
      shop: { version: 1, spec: { periods: ['office'] } },
    },
    periods: { office: { version: 2, spec: { begintime: '09:00', endtime: '18:00', weekdays: 'mon-fri' } } },
    holidays: {},
  }
  const sent: { method: string; path: string; headers: Headers; body: string }[] = []
  const effect = { now: [], ahead: [], limits: [], conflicts: [], gaps: [], notes: [], protected_names: [] }
  const json = (body: unknown, status = 200): Response =>
    new Response(JSON.stringify(body), { status, headers: { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json' } })
  const view = (kind: string, name: string) => ({ kind: kind.replace(/s$/, ''), name, file: false, where: {}, ...objects[kind]?.[name] })

  vi.stubGlobal('fetch', (input: string, init: RequestInit) => {
    const url = new URL(input, 'http://page')
    const [kind = '', name] = url.pathname.replace('/api/v1/', '').split('/').map(decodeURIComponent)
    const headers = new Headers(init.headers)
    const body = String(init.body ?? '')
    const method = init.method ?? 'GET'
    if (method === 'GET') return Promise.resolve(json({ items: Object.keys(objects[kind] ?? {}).map((n) => view(kind, n)), total: 0, next: '' }))
    if (name === 'check') return Promise.resolve(json({ valid: true, faults: [], weeks: [], next: [] }))
    sent.push({ method, path: url.pathname + url.search, headers, body })
    if (kind === 'apply') {
      const sections = JSON.parse(body) as Record<string, Record<string, object>>
      const lines = Object.entries(sections).flatMap(([k, named]) => Object.keys(named).map((n) => ({ kind: k.replace(/s$/, ''), name: n, did: 'changed', saved: false, version: objects[k]?.[n]?.version ?? 0, fields: [] })))
      return Promise.resolve(json({ dry_run: url.searchParams.has('dry_run'), objects: lines, effect }))
    }
    const held = objects[kind]?.[name ?? '']
    if (held && headers.get('If-Match') !== `"${held.version}"`) return Promise.resolve(json({ type: '/problems/stale', title: 'Changed by somebody else', status: 409 }, 409))
    return Promise.resolve(json({ object: { ...view(kind, name ?? ''), name }, did: 'changed', dry_run: url.searchParams.has('dry_run'), saved: true, fields: [], notes: [], effect }))
  })
  return { objects, sent }
}

let scope: EffectScope

async function editing(name: string | null) {
  scope = effectScope()
  const editor = scope.run(() => useScheduleEditor())
  if (!editor) throw new Error('no editor')
  await editor.open(name)
  expect(editor.load.value.is).toBe('ready')
  return editor
}

describe('useScheduleEditor', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => {
    scope.stop()
    vi.useRealTimers()
  })

  it('begins as it is on the server, with nothing to save', async () => {
    server()
    const editor = await editing('lab')
    expect(editor.dirty.value).toBe(false)
    expect(editor.entries.value.map((e) => e.known?.sharedWith)).toEqual([['shop']])
  })

  it('saves one object in the version that was read', async () => {
    const { sent } = server()
    const editor = await editing('lab')
    editor.spec.value = { ...editor.spec.value, jitter: '5m' }
    await editor.save(false, true)
    expect(sent).toHaveLength(1)
    expect(sent[0]?.path).toBe('/api/v1/schedules/lab')
    expect(sent[0]?.headers.get('If-Match')).toBe('"3"')
    expect(JSON.parse(sent[0]?.body ?? '')).toEqual({ timezone: 'Asia/Seoul', jitter: '5m', periods: ['office'] })
  })

  it('saves a schedule and its new periods as one change, after a look at their versions', async () => {
    const { sent } = server()
    const editor = await editing('lab')
    const week = editor.picture.value.slice()
    paintBlock(week, [5, 5], [600, 960], true)
    editor.paint(week)
    await editor.save(true, true)
    expect(sent.map((s) => s.path)).toEqual(['/api/v1/apply?dry_run=true', '/api/v1/apply?confirm=true'])
    expect(JSON.parse(sent[1]?.body ?? '')).toEqual({
      periods: { 'sat-1000-1600': { begintime: '10:00', endtime: '16:00', weekdays: 'sat' } },
      schedules: { lab: { timezone: 'Asia/Seoul', periods: ['office', 'sat-1000-1600'] } },
    })
  })

  it('writes nothing where somebody else changed an object of a joint change', async () => {
    const { objects, sent } = server()
    const editor = await editing('lab')
    editor.paint(emptyWeek().fill(1))
    if (objects['schedules']?.['lab']) objects['schedules']['lab'] = { version: 4, spec: { periods: ['office'], timezone: 'Asia/Seoul', jitter: '9m' }, author: 'kim' }
    expect(await editor.save(false, true)).toBeNull()
    expect(sent.map((s) => s.path)).toEqual(['/api/v1/apply?dry_run=true'])
    expect(editor.stale.value?.author).toBe('kim')
  })

  it('a stale edit loses nothing: what only they changed is taken, what was typed stays', async () => {
    const { objects, sent } = server()
    const editor = await editing('lab')
    editor.spec.value = { ...editor.spec.value, description: 'mine' }
    if (objects['schedules']?.['lab']) objects['schedules']['lab'] = { version: 4, spec: { periods: ['office'], timezone: 'UTC', description: 'theirs' } }
    expect(await editor.save(false, true)).toBeNull()
    const met = editor.stale.value
    expect(met?.rows.map((row) => [row.key, row.clash, met.choice[row.key]])).toEqual([
      ['timezone', false, 'theirs'],
      ['description', true, 'yours'],
    ])
    editor.resolve(met?.choice ?? {})
    expect(editor.spec.value).toEqual({ timezone: 'UTC', description: 'mine' })
    await editor.save(false, true)
    expect(sent.at(-1)?.headers.get('If-Match')).toBe('"4"')
    expect(JSON.parse(sent.at(-1)?.body ?? '')).toEqual({ timezone: 'UTC', description: 'mine', periods: ['office'] })
  })

  it('makes a new schedule only where there is none of its name', async () => {
    const { sent } = server()
    const editor = await editing(null)
    editor.name.value = 'new one'
    editor.addKnown('office')
    await editor.save(false, true)
    expect(sent[0]?.path).toBe('/api/v1/schedules/new%20one')
    expect(sent[0]?.headers.get('If-None-Match')).toBe('*')
  })

  it('goes back by a stroke', async () => {
    server()
    const editor = await editing('lab')
    editor.paint(emptyWeek())
    expect(editor.entries.value).toEqual([])
    expect(editor.replaced.value.map((e) => e.period)).toEqual(['office'])
    editor.undo()
    expect(editor.entries.value.map((e) => e.period)).toEqual(['office'])
    expect(editor.replaced.value).toEqual([])
    expect(editor.dirty.value).toBe(false)
  })
})
