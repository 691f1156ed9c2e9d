import { flushPromises } from '@vue/test-utils'
import { beforeEach, expect, it, vi } from 'vitest'
import type { OverrideAnswer, OverrideRequest } from '@/api/endpoints'
import { ApiError } from '@/lib/problem'
import { mounted } from '@/testing'
import OverrideSheet from './OverrideSheet.vue'
import { asked as messageAsks } from './sheet'

const asked: { body: OverrideRequest; dryRun: boolean }[] = []
let answer: (body: OverrideRequest, dryRun: boolean) => Promise<unknown>

vi.mock('@/api/endpoints', () => ({
  createOverride: (body: OverrideRequest, dryRun = false) => {
    asked.push({ body, dryRun })
    return answer(body, dryRun)
  },
}))

const effect = (body: OverrideRequest, matches = 1): Partial<OverrideAnswer> => ({
  matches,
  override: { state: body.state, until: '2027-02-03T20:00:00Z', once: false } as OverrideAnswer['override'],
  resources: [{ ref: 'r', name: 'orders', state: 'stopped', counts: true, action: 'start', reason: 'override-start', why: '', then: 'stop' }],
  others: [],
  gaps: [],
})

beforeEach(() => {
  asked.length = 0
  answer = (body) => Promise.resolve(effect(body))
  vi.stubGlobal('matchMedia', () => ({ matches: true, addEventListener: () => undefined, removeEventListener: () => undefined }))
})

async function opened() {
  const sheet = await mounted(OverrideSheet, { props: { request: undefined } })
  await sheet.setProps({ request: { target: 'schedule:office', name: 'office', state: 'running' as const } })
  await flushPromises()
  const confirm = () => sheet.findAll('button').find((b) => b.text() === 'Keep running')
  return { sheet, confirm }
}

it('shows what two hours would do, without a further question, and does that once it is confirmed', async () => {
  const { sheet, confirm } = await opened()
  expect(asked).toEqual([{ body: { target: 'schedule:office', state: 'running', for: '2h' }, dryRun: true }])
  expect(sheet.text()).toContain('1 starts now')
  expect(sheet.text()).toContain('Then 1 stops')
  await confirm()?.trigger('click')
  await flushPromises()
  expect(asked[1]).toEqual({ body: { target: 'schedule:office', state: 'running', for: '2h' }, dryRun: false })
  expect(sheet.emitted('done')).toHaveLength(1)
  expect(sheet.emitted('close')).toHaveLength(1)
})

it('can not be confirmed before the effect of what is chosen is seen', async () => {
  const answers: (() => void)[] = []
  answer = (body) => new Promise((resolve) => answers.push(() => resolve(effect(body))))
  const { sheet, confirm } = await opened()
  expect(confirm()?.attributes('disabled')).toBeDefined()
  answers[0]?.()
  await flushPromises()
  expect(confirm()?.attributes('disabled')).toBeUndefined()
  await sheet.find('input[value="8h"]').setValue(true)
  expect(confirm()?.attributes('disabled')).toBeDefined()
  answers[1]?.()
  await flushPromises()
  expect(confirm()?.attributes('disabled')).toBeUndefined()
  expect(asked[1]?.body.for).toBe('8h')
})

it('does nothing that matches nothing', async () => {
  answer = (body) => Promise.resolve({ ...effect(body, 0), resources: [] })
  const { sheet, confirm } = await opened()
  expect(sheet.text()).toContain('This matches no resource')
  expect(confirm()?.attributes('disabled')).toBeDefined()
})

it('stays open and says why when the server refuses', async () => {
  answer = (body, dryRun) =>
    dryRun
      ? Promise.resolve(effect(body))
      : Promise.reject(new ApiError({ type: '/problems/outside', title: 'Reaches outside', status: 403, detail: 'you may not act on orders' }))
  const { sheet, confirm } = await opened()
  await confirm()?.trigger('click')
  await flushPromises()
  expect(sheet.find('[role="alert"]').text()).toContain('you may not act on orders')
  expect(sheet.emitted('close')).toBeUndefined()
  expect(confirm()?.attributes('disabled')).toBeUndefined()
})

it('asks nothing for a time of day that is none', async () => {
  const { sheet, confirm } = await opened()
  await sheet.find('input[value="until"]').setValue(true)
  await flushPromises()
  const before = asked.length
  await sheet.find('input[maxlength="5"]').setValue('soon')
  await flushPromises()
  expect(asked.length).toBe(before)
  expect(confirm()?.attributes('disabled')).toBeDefined()
})

it('takes the end that the link of a message asks for', async () => {
  const until = '2027-02-05T20:00:00+09:00'
  const sheet = await mounted(OverrideSheet, { props: { request: messageAsks('schedule:office', until) } })
  await flushPromises()
  expect(asked.at(-1)).toEqual({ body: { target: 'schedule:office', state: 'running', until }, dryRun: true })
  await sheet.setProps({ request: undefined })
  await sheet.setProps({ request: messageAsks('workload:shop floor', 'next') })
  await flushPromises()
  expect(asked.at(-1)).toEqual({ body: { target: 'workload:shop floor', state: 'running', boundary: true }, dryRun: true })
})

it('asks for nothing that no message asks for', () => {
  for (const [keep, until] of [[undefined, 'next'], ['office', 'next'], ['filter:tag:a=b', 'next'], ['schedule:', 'next'], ['schedule:a', '+2h'], ['schedule:a', 'javascript:x'], [['schedule:a'], 'next']]) {
    expect(messageAsks(keep, until)).toBeUndefined()
  }
})
