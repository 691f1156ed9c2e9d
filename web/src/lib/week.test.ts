import { describe, expect, it } from 'vitest'
import {
  bridged,
  dayMinutes,
  emptyWeek,
  freeName,
  gridReason,
  paint,
  paintBlock,
  parseClock,
  parseWeekdays,
  periodWeek,
  periodWindows,
  sameWeek,
  shapeName,
  shapeSpec,
  tidyClock,
  weekMinutes,
  weekRuns,
  weekShapes,
  weekTotal,
  weekUnion,
  weekdaysText,
} from './week'
import type { PeriodSpec, Week } from './week'

function specs(week: Week): PeriodSpec[] {
  return weekShapes(week).map(shapeSpec)
}

function weekOf(...periods: PeriodSpec[]): Week {
  return weekUnion(...periods.map(periodWeek))
}

/** Repeatable numbers from 0 to 1 (mulberry32). */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

describe('weekdays', () => {
  it.each([
    [undefined, [0, 1, 2, 3, 4, 5, 6]],
    ['', [0, 1, 2, 3, 4, 5, 6]],
    ['mon-fri', [0, 1, 2, 3, 4]],
    ['fri-mon', [0, 4, 5, 6]],
    ['Tuesday, sat', [1, 5]],
    [['mon', 2, 'thurs'], [0, 2, 3]],
    ['sat-tue/2', [0, 5]],
    ['*/2', [0, 2, 4, 6]],
    ['wed-L', [2, 3, 4, 5, 6]],
    ['tue/3', [1, 4]],
    ['?', [0, 1, 2, 3, 4, 5, 6]],
    ['^', [0]],
    ['L', [6]],
    [6, [6]],
    ['04', [4]],
  ])('%j', (field, days) => {
    expect(parseWeekdays(field)).toEqual(days)
  })

  it.each(['mon#1', 'friL', '4L', 'mon,fri#2'])('%s counts within a month', (field) => {
    expect(parseWeekdays(field)).toBe('monthly')
  })

  it.each(['7', 'mo', 'mon/0', 'mon-', 'sunny', 'mon,,tue', '$', 'mon#6'])('%s can not be read', (field) => {
    expect(parseWeekdays(field)).toBeNull()
  })

  it('are written as they are read', () => {
    for (let mask = 1; mask < 128; mask++) {
      const days = [0, 1, 2, 3, 4, 5, 6].filter((day) => mask & (1 << day))
      expect(parseWeekdays(weekdaysText(days))).toEqual(days)
    }
  })
})

describe('times of day', () => {
  it.each([
    ['9:00', 540],
    ['09:05', 545],
    ['24:00', null],
    ['23:60', null],
    ['9', null],
    ['', null],
  ])('%s', (text, minutes) => {
    expect(parseClock(text)).toBe(minutes)
  })
  it('24:00 is an end', () => {
    expect(parseClock('24:00', true)).toBe(dayMinutes)
    expect(parseClock('24:01', true)).toBeNull()
  })
})

it.each([
  ['9', '09:00'],
  ['930', '09:30'],
  ['9.30', '09:30'],
  ['18:00', '18:00'],
  ['24', '24:00'],
  ['25', '25'],
  ['nine', 'nine'],
  ['', ''],
])('%s is typed for %s', (typed, clock) => {
  expect(tidyClock(typed)).toBe(clock)
})

describe('what a period is in the grid', () => {
  it('office hours', () => {
    const week = periodWeek({ begintime: '09:00', endtime: '18:00', weekdays: 'mon-fri' })
    expect(weekTotal(week)).toBe(5 * 9 * 60)
    expect(week[9 * 60]).toBe(1)
    expect(week[18 * 60]).toBe(0)
  })
  it('a night belongs to the day it begins on, Sunday night to the Monday after it as well', () => {
    const week = periodWeek({ begintime: '22:00', endtime: '06:00', weekdays: 'sun' })
    expect(weekTotal(week)).toBe(8 * 60)
    expect(week[0]).toBe(1)
    expect(week[weekMinutes - 1]).toBe(1)
  })
  it('days without times are whole days', () => {
    expect(weekTotal(periodWeek({ weekdays: 'sat-sun' }))).toBe(2 * dayMinutes)
  })
  it('only a begin runs to the end of the day, only an end never runs', () => {
    expect(periodWindows({ begintime: '20:00', weekdays: 'fri' })).toEqual([{ day: 4, begin: 1200, end: 1440 }])
    expect(periodWindows({ endtime: '20:00', weekdays: 'fri' })).toEqual([])
  })
  it.each<[PeriodSpec, string | null]>([
    [{ begintime: '09:00', endtime: '18:00' }, null],
    [{ weekdays: '*' }, null],
    [{ weekdays: 'mon', monthdays: '*', months: '?' }, null],
    [{ weekdays: 'mon', monthdays: '1-7' }, 'monthdays'],
    [{ weekdays: 'mon', months: 'nov-feb' }, 'months'],
    [{ weekdays: 'mon#1' }, 'nth-weekday'],
    [{ begintime: '09:00' }, 'open'],
    [{ endtime: '09:00' }, 'open'],
    [{ weekdays: 'mon', on_holidays: true }, 'holidays'],
    [{ begintime: '9 am', endtime: '18:00' }, 'fault'],
    [{ begintime: '09:00', endtime: '09:00' }, 'fault'],
    [{ weekdays: 'moonday' }, 'fault'],
  ])('%j', (period, reason) => {
    expect(gridReason(period)).toBe(reason)
  })
})

describe('the fewest periods for a picture', () => {
  it('nothing painted needs none', () => {
    expect(specs(emptyWeek())).toEqual([])
  })
  it('the whole week is every day', () => {
    expect(specs(emptyWeek().fill(1))).toEqual([{ weekdays: '*' }])
  })
  it('office hours and a shorter Saturday', () => {
    const week = emptyWeek()
    paintBlock(week, [0, 4], [540, 1080], true)
    paint(week, 5, 600, 960, true)
    expect(specs(week)).toEqual([
      { begintime: '09:00', endtime: '18:00', weekdays: 'mon-fri' },
      { begintime: '10:00', endtime: '16:00', weekdays: 'sat' },
    ])
  })
  it('nights stay whole', () => {
    const week = emptyWeek()
    for (let day = 0; day < 5; day++) paint(week, day, 1320, 1800, true)
    expect(specs(week)).toEqual([{ begintime: '22:00', endtime: '06:00', weekdays: 'mon-fri' }])
  })
  it('every night, over the end of the week too', () => {
    const week = emptyWeek()
    for (let day = 0; day < 7; day++) paint(week, day, 1320, 1800, true)
    expect(specs(week)).toEqual([{ begintime: '22:00', endtime: '06:00' }])
  })
  it('from Monday morning to Friday evening is two: days and the nights between', () => {
    const week = emptyWeek()
    paint(week, 0, 540, 4 * dayMinutes + 1080, true)
    expect(specs(week)).toEqual([
      { begintime: '09:00', endtime: '18:00', weekdays: 'mon-fri' },
      { begintime: '18:00', endtime: '09:00', weekdays: 'mon-thu' },
    ])
  })
  it('a whole weekend is its days', () => {
    const week = emptyWeek()
    paint(week, 5, 0, 2 * dayMinutes, true)
    expect(specs(week)).toEqual([{ weekdays: 'sat-sun' }])
  })
  it('until midnight ends at 24:00', () => {
    const week = emptyWeek()
    paint(week, 2, 1200, 1440, true)
    expect(specs(week)).toEqual([{ begintime: '20:00', endtime: '24:00', weekdays: 'wed' }])
  })
  it('a day from nine to nine', () => {
    const week = emptyWeek()
    paint(week, 2, 540, 540 + dayMinutes, true)
    expect(sameWeek(weekOf(...specs(week)), week)).toBe(true)
  })
  it('names say what they are, and none is taken twice', () => {
    const week = emptyWeek()
    paintBlock(week, [0, 4], [540, 1080], true)
    const [shape] = weekShapes(week)
    expect(shape && shapeName(shape)).toBe('mon-fri-0900-1800')
    expect(freeName('a', (name) => name === 'a' || name === 'a-2')).toBe('a-3')
  })

  it('any picture comes back the same, from no more periods than it has stretches cut at midnights', () => {
    const next = random(20)
    for (let round = 0; round < 150; round++) {
      const step = [1, 5, 15, 30, 60, 720][Math.floor(next() * 6)] ?? 60
      const week = emptyWeek()
      for (let strokes = Math.floor(next() * 8); strokes >= 0; strokes--) {
        const begin = Math.floor((next() * dayMinutes) / step) * step
        const end = begin + Math.max(step, Math.floor((next() * 2.5 * dayMinutes) / step) * step)
        const day = Math.floor(next() * 7)
        for (let d = day; d < Math.min(7, day + 1 + Math.floor(next() * 5)); d++) paint(week, d, begin, end, next() < 0.75)
      }
      const made = specs(week)
      expect(made.every((spec) => gridReason(spec) === null)).toBe(true)
      expect(sameWeek(weekOf(...made), week)).toBe(true)
      expect(total(made)).toBe(weekTotal(week)) // no window twice
      const cuts = weekRuns(week).reduce((sum, run) => sum + Math.ceil(((run.start % dayMinutes) + run.length) / dayMinutes), 0)
      expect(made.length).toBeLessThanOrEqual(cuts)
    }
  })

  function total(made: PeriodSpec[]): number {
    return made.flatMap(periodWindows).reduce((sum, window) => sum + window.end - window.begin, 0)
  }
})

it('gaps of a minute are none', () => {
  const week = weekOf({ begintime: '00:00', endtime: '23:59', weekdays: 'mon-tue' })
  const filled = bridged(week)
  expect(filled[dayMinutes - 1]).toBe(1)
  expect(filled[2 * dayMinutes - 1]).toBe(0)
})
