import { mount } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { defineComponent } from 'vue'
import type { LiveEvent } from '@/api/events'
import { useEvents, useRefresh } from './useEvents'

const listeners = new Set<(event: LiveEvent) => void>()
vi.mock('@/api/events', () => ({
  listen: (listener: (event: LiveEvent) => void) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  },
}))
const tell = (type: string): void => listeners.forEach((listener) => listener({ id: '1', type, data: {} }))
const host = (setup: () => void) => mount(defineComponent({ setup: () => (setup(), () => null) }))

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

it('hears its types and resync, while it is shown', () => {
  const got: string[] = []
  const view = host(() => useEvents(['pass'], (event) => got.push(event.type)))
  for (const type of ['pass', 'activity', 'resync']) tell(type)
  view.unmount()
  tell('pass')
  expect(got).toEqual(['pass', 'resync'])
})

it('asks again at most once a second, and makes up for what came while hidden', () => {
  const refresh = vi.fn()
  const view = host(() => useRefresh(['pass'], refresh))
  for (let i = 0; i < 20; i++) tell('pass')
  vi.advanceTimersByTime(1)
  expect(refresh).toHaveBeenCalledTimes(1)
  tell('pass')
  vi.advanceTimersByTime(900)
  expect(refresh).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(200)
  expect(refresh).toHaveBeenCalledTimes(2)

  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true)
  tell('pass')
  vi.advanceTimersByTime(5_000)
  expect(refresh).toHaveBeenCalledTimes(2)
  hidden.mockReturnValue(false)
  document.dispatchEvent(new Event('visibilitychange'))
  vi.advanceTimersByTime(1_000)
  expect(refresh).toHaveBeenCalledTimes(3)
  view.unmount()
})
