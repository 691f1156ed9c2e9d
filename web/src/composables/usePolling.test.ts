import { mount } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { defineComponent, h } from 'vue'
import { usePolling } from './usePolling'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function polled(wanted: () => boolean, ask: () => Promise<unknown>) {
  return mount(defineComponent({ setup: () => (usePolling(wanted, ask), () => h('div')) }))
}

it('asks every two seconds, while it is wanted, until one leaves', async () => {
  let wanted = true
  const ask = vi.fn(() => Promise.resolve())
  const page = polled(() => wanted, ask)
  await vi.advanceTimersByTimeAsync(6_100)
  expect(ask).toHaveBeenCalledTimes(3)
  wanted = false
  await vi.advanceTimersByTimeAsync(6_000)
  expect(ask).toHaveBeenCalledTimes(3)
  wanted = true
  await vi.advanceTimersByTimeAsync(2_000)
  expect(ask).toHaveBeenCalledTimes(4)
  page.unmount()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(ask).toHaveBeenCalledTimes(4)
})

it('does not ask again before there is an answer', async () => {
  let answer: () => void = () => undefined
  const ask = vi.fn(() => new Promise<void>((resolve) => (answer = resolve)))
  const page = polled(() => true, ask)
  await vi.advanceTimersByTimeAsync(20_000)
  expect(ask).toHaveBeenCalledTimes(1)
  answer()
  await vi.advanceTimersByTimeAsync(2_000)
  expect(ask).toHaveBeenCalledTimes(2)
  page.unmount()
})
