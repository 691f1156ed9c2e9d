import { describe, expect, it } from 'vitest'
import { formatDuration, formatRelative, parseDuration, parts } from './duration'

describe('parseDuration', () => {
  it.each([
    ['90s', 90],
    ['10m', 600],
    ['2h', 7200],
    ['1h30m', 5400],
    [' 7D ', 604_800],
  ])('takes %s', (text, seconds) => expect(parseDuration(text)).toBe(seconds))

  it.each(['', '0m', '2', 'h', '2 h', '-1h', '1.5h', '2w', '1h x'])('refuses %j', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  )
})

describe('parts', () => {
  it.each([
    [0, [[0, 's']]],
    [59, [[59, 's']]],
    [60, [[1, 'm']]],
    [3_599, [[1, 'h']]],
    [5_400, [[1, 'h'], [30, 'm']]],
    [86_400, [[1, 'd']]],
    [90_061, [[1, 'd'], [1, 'h']]],
    [86_700, [[1, 'd']]],
  ])('%d s', (seconds, want) => expect(parts(seconds)).toEqual(want))
})

describe('words of a locale', () => {
  it('says durations', () => {
    expect(formatDuration(5_400, 'en')).toBe('1 hr 30 min')
    expect(formatDuration(5_400, 'zh-CN')).toBe('1小时30分钟')
    expect(formatDuration(5_400, 'ko')).toBe('1시간 30분')
  })

  it('says offsets from now', () => {
    expect(formatRelative(7_200, 'en')).toBe('in 2 hr.')
    expect(formatRelative(-180, 'ko')).toBe('3분 전')
    expect(formatRelative(7_200, 'zh-CN')).toBe('2小时后')
    expect(formatRelative(0, 'en')).toBe('now')
  })
})
