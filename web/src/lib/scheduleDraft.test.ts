import { describe, expect, it } from 'vitest'
import { asideReason, changedPeriods, entryOf, painted, paintedWeek, parseRef, refList, refText, sameSpec, threeWay } from './scheduleDraft'
import type { Entry, KnownPeriod } from './scheduleDraft'
import { copyWeek, paint, paintBlock, sameWeek } from './week'
import type { PeriodSpec } from './week'

function known(name: string, spec: PeriodSpec, more: Partial<KnownPeriod> = {}): [string, KnownPeriod] {
  return [name, { name, spec, locked: false, version: 1, sharedWith: [], ...more }]
}

const office: PeriodSpec = { begintime: '09:00', endtime: '18:00', weekdays: 'mon-fri' }
const free = (): boolean => false

function refs(entries: Entry[]): string[] {
  return entries.map(refText)
}

describe('painting', () => {
  it('changes a period of its own in place', () => {
    const periods = new Map([known('office', { ...office, description: 'desks' })])
    const entries = [entryOf('office', periods)]
    const picture = paintedWeek(entries)
    paintBlock(picture, [0, 4], [1080, 1200], true)
    const after = painted(entries, picture, free)
    expect(refs(after.entries)).toEqual(['office'])
    expect(after.entries[0]?.spec).toEqual({ ...office, endtime: '20:00', description: 'desks' })
    expect(after.replaced).toEqual([])
    expect(changedPeriods(after.entries).map((entry) => entry.period)).toEqual(['office'])
  })

  it('leaves a shared period alone and adds what is new', () => {
    const periods = new Map([known('office', office, { sharedWith: ['other'] })])
    const entries = [entryOf('office', periods)]
    const picture = paintedWeek(entries)
    paint(picture, 5, 600, 960, true)
    const after = painted(entries, picture, free)
    expect(refs(after.entries)).toEqual(['office', 'sat-1000-1600'])
    expect(changedPeriods(after.entries).map((entry) => entry.period)).toEqual(['sat-1000-1600'])
  })

  it('takes another period in the place of a shared one that no longer fits', () => {
    const periods = new Map([known('office', office, { sharedWith: ['other'] })])
    const entries = [entryOf('office', periods)]
    const picture = paintedWeek(entries)
    paint(picture, 4, 900, 1080, false)
    const after = painted(entries, picture, free)
    expect(after.replaced.map((entry) => entry.period)).toEqual(['office'])
    expect(refs(after.entries)).toEqual(['mon-thu-0900-1800', 'fri-0900-1500'])
    expect(sameWeek(paintedWeek(after.entries), picture)).toBe(true)
  })

  it('changes a shared period for all where that is meant', () => {
    const periods = new Map([known('office', office, { sharedWith: ['other'] })])
    const entries = [{ ...entryOf('office', periods), forAll: true }]
    const picture = paintedWeek(entries)
    paintBlock(picture, [0, 4], [1020, 1080], false)
    const after = painted(entries, picture, free)
    expect(refs(after.entries)).toEqual(['office'])
    expect(after.entries[0]?.spec.endtime).toBe('17:00')
  })

  it('never changes a period of the file', () => {
    const periods = new Map([known('office', office, { locked: true })])
    const entries = [entryOf('office', periods)]
    const picture = paintedWeek(entries)
    paintBlock(picture, [0, 4], [1020, 1080], false)
    expect(refs(painted(entries, picture, free).entries)).toEqual(['mon-fri-0900-1700'])
  })

  it('keeps what the grid can not show, in its place', () => {
    const periods = new Map([
      known('first', { monthdays: '1' }),
      known('office', office),
      known('load', { begintime: '10:00', endtime: '16:00', weekdays: 'sat' }),
      known('evening', { begintime: '20:00' }),
    ])
    const entries = ['first', 'office', 'load@c5.4xlarge', 'evening'].map((ref) => entryOf(ref, periods))
    expect(entries.map(asideReason)).toEqual(['monthdays', null, 'type', 'open'])
    const picture = paintedWeek(entries)
    paint(picture, 6, 0, 1440, true)
    const after = painted(entries, picture, free)
    expect(refs(after.entries)).toEqual(['first', 'office', 'sun', 'load@c5.4xlarge', 'evening'])
  })

  it('does not change a period that the schedule names with a type as well', () => {
    const periods = new Map([known('office', office)])
    const entries = ['office', 'office@c5.large'].map((ref) => entryOf(ref, periods))
    const picture = paintedWeek(entries)
    paintBlock(picture, [0, 4], [1020, 1080], false)
    const after = painted(entries, picture, free)
    expect(after.entries.find((entry) => entry.type)?.spec).toEqual(office)
    expect(refs(after.entries)).toEqual(['mon-fri-0900-1700', 'office@c5.large'])
  })

  it('names what is new after its times, until it is saved or named by a person', () => {
    const picture = paintedWeek([])
    paintBlock(picture, [0, 4], [540, 1080], true)
    const first = painted([], picture, free)
    expect(refs(first.entries)).toEqual(['mon-fri-0900-1800'])
    paintBlock(picture, [0, 4], [1080, 1140], true)
    expect(refs(painted(first.entries, picture, free).entries)).toEqual(['mon-fri-0900-1900'])
    const named = first.entries.map((entry) => ({ ...entry, period: 'desks' }))
    expect(refs(painted(named, picture, free).entries)).toEqual(['desks'])
  })

  it('takes no name that is in use', () => {
    const picture = paintedWeek([])
    paint(picture, 5, 0, 1440, true)
    expect(refs(painted([], picture, (name) => name === 'sat').entries)).toEqual(['sat-2'])
  })

  it('an unchanged picture changes nothing, and painting twice is painting once', () => {
    const periods = new Map([known('all', { begintime: '00:00', endtime: '23:59' })])
    const entries = [entryOf('all', periods)]
    expect(painted(entries, paintedWeek(entries), free).entries).toBe(entries)
    const picture = copyWeek(paintedWeek(entries))
    paintBlock(picture, [2, 3], [300, 400], false)
    const once = painted(entries, picture, free)
    const twice = painted(once.entries, picture, free)
    expect(twice.entries).toEqual(once.entries)
    expect(sameWeek(paintedWeek(once.entries), picture)).toBe(true)
  })
})

it('refs', () => {
  expect(parseRef(' weekend @ t3.small ')).toEqual({ period: 'weekend', type: 't3.small' })
  expect(refList('office, weekend@t3.small')).toEqual(['office', 'weekend@t3.small'])
  expect(refList(undefined)).toEqual([])
})

it('specs are the same whatever the order of their keys, and absent is empty', () => {
  expect(sameSpec({ a: 1, b: { c: 2, d: '' } }, { b: { c: 2 }, a: 1, e: [] })).toBe(true)
  expect(sameSpec({ a: [1, 2] }, { a: [2, 1] })).toBe(false)
})

describe('two people change one object', () => {
  const base = { timezone: 'UTC', enabled: true, jitter: '5m' }
  it('in different places: both stay', () => {
    const { merged, rows } = threeWay(base, { ...base, jitter: '10m' }, { ...base, timezone: 'Asia/Seoul' })
    expect(merged).toEqual({ timezone: 'Asia/Seoul', enabled: true, jitter: '10m' })
    expect(rows.map((row) => [row.key, row.clash])).toEqual([
      ['timezone', false],
      ['jitter', false],
    ])
  })
  it('in one place: it is asked', () => {
    const { merged, rows } = threeWay(base, { ...base, jitter: '10m' }, { ...base, jitter: '1m' })
    expect(merged['jitter']).toBe('1m')
    expect(rows).toEqual([{ key: 'jitter', base: '5m', theirs: '10m', yours: '1m', clash: true }])
  })
  it('one takes a key out', () => {
    const { merged } = threeWay(base, { timezone: 'UTC', enabled: true }, base)
    expect(merged).toEqual({ timezone: 'UTC', enabled: true })
  })
})
