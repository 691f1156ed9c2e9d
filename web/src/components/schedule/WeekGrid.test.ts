import { mount } from '@vue/test-utils'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createI18n } from 'vue-i18n'
import schedules from '@/locales/en/schedules.json'
import { type Week, emptyWeek, paint, periodWeek, sameWeek, weekTotal } from '@/lib/week'
import WeekGrid from './WeekGrid.vue'

const i18n = createI18n({ legacy: false, locale: 'en', messages: { en: { schedules } } })

function grid(week: Week, props: Record<string, unknown> = {}) {
  const wrapper = mount(WeekGrid, { props: { week, step: 60, ...props }, global: { plugins: [i18n] } })
  const surface = wrapper.get<HTMLElement>('.surface')
  // A day is 100 high, an hour 10 wide; upright it is the other way round.
  const [width, height] = props['upright'] ? [700, 240] : [240, 700]
  surface.element.getBoundingClientRect = () => ({ left: 0, top: 0, width, height, right: width, bottom: height, x: 0, y: 0, toJSON: () => '' })
  surface.element.setPointerCapture = vi.fn()
  const last = (): Week | undefined => wrapper.emitted<[Week]>('paint')?.at(-1)?.[0]
  return { wrapper, surface, last }
}

const pointer = (x: number, y: number) => ({ clientX: x, clientY: y, pointerId: 1, button: 0 })

describe('WeekGrid', () => {
  beforeEach(() => vi.restoreAllMocks())

  it('paints the same hours of every day that a stroke goes over', async () => {
    const { surface, last } = grid(emptyWeek())
    await surface.trigger('pointerdown', pointer(95, 50))
    await surface.trigger('pointermove', pointer(175, 450))
    await surface.trigger('pointerup', pointer(175, 450))
    const want = periodWeek({ begintime: '09:00', endtime: '18:00', weekdays: 'mon-fri' })
    expect(last() && sameWeek(last() as Week, want)).toBe(true)
  })

  it('erases where a stroke begins on a painted place', async () => {
    const week = periodWeek({ begintime: '09:00', endtime: '18:00', weekdays: 'mon' })
    const { surface, last } = grid(week)
    await surface.trigger('pointerdown', pointer(125, 50))
    await surface.trigger('pointerup', pointer(125, 50))
    expect(weekTotal(last() as Week)).toBe(8 * 60)
    expect(weekTotal(week)).toBe(9 * 60) // what it was given stays as it was
  })

  it('paints upright as well', async () => {
    const { surface, last } = grid(emptyWeek(), { upright: true })
    await surface.trigger('pointerdown', pointer(50, 5))
    await surface.trigger('pointermove', pointer(150, 15))
    await surface.trigger('pointerup', pointer(150, 15))
    const want = emptyWeek()
    paint(want, 0, 0, 120, true)
    paint(want, 1, 0, 120, true)
    expect(sameWeek(last() as Week, want)).toBe(true)
  })

  it('gives a stroke up at Escape', async () => {
    const { surface, last } = grid(emptyWeek())
    await surface.trigger('pointerdown', pointer(95, 50))
    await surface.trigger('keydown', { key: 'Escape' })
    await surface.trigger('pointerup', pointer(95, 50))
    expect(last()).toBeUndefined()
  })

  it('is painted with the keyboard, and says where it is', async () => {
    const { wrapper, surface, last } = grid(emptyWeek())
    await surface.trigger('focus')
    expect(wrapper.get('[role=status]').text()).toBe('Monday 09:00, does not run')
    await surface.trigger('keydown', { key: 'ArrowDown' })
    await surface.trigger('keydown', { key: 'ArrowRight', shiftKey: true })
    await surface.trigger('keydown', { key: 'ArrowRight', shiftKey: true })
    await surface.trigger('keydown', { key: ' ' })
    const want = periodWeek({ begintime: '09:00', endtime: '12:00', weekdays: 'tue' })
    expect(sameWeek(last() as Week, want)).toBe(true)
    expect(wrapper.get('[role=status]').text()).toBe('Painted: Tuesday 09:00–12:00')
  })

  it('goes no further than the edges', async () => {
    const { wrapper, surface } = grid(emptyWeek())
    await surface.trigger('keydown', { key: 'End' })
    await surface.trigger('keydown', { key: 'ArrowRight' })
    await surface.trigger('keydown', { key: 'ArrowUp' })
    expect(wrapper.get('[role=status]').text()).toBe('Monday 23:00, does not run')
  })

  it('takes nothing while it is disabled', async () => {
    const { surface, last } = grid(emptyWeek(), { disabled: true })
    await surface.trigger('pointerdown', pointer(95, 50))
    await surface.trigger('pointerup', pointer(95, 50))
    await surface.trigger('keydown', { key: ' ' })
    await surface.trigger('keydown', { key: 'Delete' })
    expect(last()).toBeUndefined()
  })
})
