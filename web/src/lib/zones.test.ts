import { describe, expect, it } from 'vitest'
import { allZones, isZone, nextClockChange, offsetMinutes, offsetText, searchZones } from './zones'

describe('offsets', () => {
  it.each([
    ['Asia/Seoul', '2026-11-21T00:00:00Z', 540, 'UTC+09:00'],
    ['UTC', '2026-11-21T00:00:00Z', 0, 'UTC'],
    ['America/St_Johns', '2026-01-10T00:00:00Z', -210, 'UTC−03:30'],
    ['Europe/Dublin', '2026-07-01T12:00:00Z', 60, 'UTC+01:00'],
  ])('%s', (zone, at, minutes, text) => {
    expect(offsetMinutes(zone, new Date(at))).toBe(minutes)
    expect(offsetText(minutes)).toBe(text)
  })
})

describe('the next change of a clock', () => {
  it.each([
    ['Europe/Berlin', '2026-11-21T00:00:00Z', '2027-03-28T01:00:00.000Z', 60],
    ['America/New_York', '2026-07-01T00:00:00Z', '2026-11-01T06:00:00.000Z', -60],
    ['Australia/Lord_Howe', '2026-11-21T00:00:00Z', '2027-04-03T15:00:00.000Z', -30],
  ])('%s', (zone, from, at, by) => {
    const change = nextClockChange(zone, new Date(from))
    expect(change?.at.toISOString()).toBe(at)
    expect(change?.by).toBe(by)
  })
  it('none where clocks never change', () => {
    expect(nextClockChange('Asia/Seoul', new Date('2026-11-21T00:00:00Z'))).toBeNull()
    expect(nextClockChange('UTC', new Date('2026-11-21T00:00:00Z'))).toBeNull()
  })
})

describe('looking for a zone', () => {
  it('finds parts of names, common ones first', () => {
    expect(searchZones('new york')[0]).toBe('America/New_York')
    expect(searchZones('seoul')).toContain('Asia/Seoul')
    expect(searchZones('')[0]).toBe('America/Los_Angeles')
    expect(searchZones('nowhere at all')).toEqual([])
  })
  it('knows what is none', () => {
    expect(isZone('Asia/Seoul')).toBe(true)
    expect(isZone('Asia/Soul')).toBe(false)
    expect(allZones()).toContain('UTC')
  })
})
