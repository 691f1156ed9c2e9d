import { describe, expect, it } from 'vitest'
import { addDays, addMonths, dateAfterKey, datesBetween, isDate, monthOf, monthWeeks, weekdayOf } from './month'

describe('a month', () => {
  it.each([
    [2026, 11, 6, '2026-10-26', '2026-12-06'],
    [2027, 2, 4, '2027-02-01', '2027-02-28'],
    [2028, 2, 5, '2028-01-31', '2028-03-05'],
    [2026, 12, 5, '2026-11-30', '2027-01-03'],
  ])('%i-%i', (year, month, weeks, first, last) => {
    const shown = monthWeeks({ year, month })
    expect(shown).toHaveLength(weeks)
    expect(shown[0]?.[0]?.date).toBe(first)
    expect(shown.at(-1)?.at(-1)?.date).toBe(last)
    expect(shown.flat().filter((day) => day.inside).map((day) => day.day)).toEqual(
      Array.from({ length: new Date(Date.UTC(year, month, 0)).getUTCDate() }, (_, i) => i + 1),
    )
    expect(shown.every((week) => week.every((day, i) => day.weekday === i && weekdayOf(day.date) === i))).toBe(true)
  })
  it('counts over years', () => {
    expect(addMonths({ year: 2026, month: 11 }, 3)).toEqual({ year: 2027, month: 2 })
    expect(addMonths({ year: 2026, month: 1 }, -1)).toEqual({ year: 2025, month: 12 })
    expect(addDays('2026-12-31', 1)).toBe('2027-01-01')
    expect(monthOf('2026-02-05')).toEqual({ year: 2026, month: 2 })
  })
})

it('dates', () => {
  expect(isDate('2028-02-29')).toBe(true)
  expect(isDate('2027-02-29')).toBe(false)
  expect(isDate('27-2-9')).toBe(false)
  expect(datesBetween('2026-12-30', '2027-01-01')).toEqual(['2026-12-30', '2026-12-31', '2027-01-01'])
  expect(datesBetween('2026-12-30', '2026-12-01')).toEqual([])
})

it.each([
  ['2026-11-30', 'ArrowRight', '2026-12-01'],
  ['2026-11-30', 'ArrowUp', '2026-11-23'],
  ['2026-11-25', 'Home', '2026-11-23'],
  ['2026-11-25', 'End', '2026-11-29'],
  ['2027-01-31', 'PageDown', '2027-02-28'],
  ['2027-03-31', 'PageUp', '2027-02-28'],
  ['2026-11-25', 'x', null],
])('%s and %s', (date, key, there) => {
  expect(dateAfterKey(date, key)).toBe(there)
})
