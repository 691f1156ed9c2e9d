import { describe, expect, it } from 'vitest'
import { clockOf, dateOf, daysBetween, formatDate, formatWhen, inputOf, instant, instantOf, knownZone, withInstants } from './time'

const at = (text: string): number => Date.parse(text)

describe('instant', () => {
  it('knows times and what is none', () => {
    expect(instant('2027-02-05T10:00:00Z')).toBe(at('2027-02-05T10:00:00Z'))
    for (const none of [undefined, null, '', '0001-01-01T00:00:00Z', 'tomorrow']) expect(instant(none)).toBeUndefined()
  })
})

describe('in a zone', () => {
  it('has the date and the clock of the zone, midnight as 00', () => {
    expect(dateOf(at('2026-12-31T15:00:00Z'), 'Asia/Seoul')).toBe('2027-01-01')
    expect(clockOf(at('2026-12-31T15:00:00Z'), 'Asia/Seoul')).toBe('00:00')
    expect(clockOf(at('2026-07-01T16:05:00Z'), 'Asia/Kathmandu')).toBe('21:50')
  })

  it('counts dates, not hours, over a change of the clock', () => {
    expect(daysBetween(at('2027-03-27T22:59:00Z'), at('2027-03-28T22:30:00Z'), 'Europe/Berlin')).toBe(2)
    expect(daysBetween(at('2027-03-27T23:00:00Z'), at('2027-03-28T21:59:00Z'), 'Europe/Berlin')).toBe(0)
  })

  it('falls back to UTC for a zone that the browser does not know', () => {
    expect(knownZone('Mars/Olympus')).toBe('UTC')
    expect(knownZone(undefined)).toBe('UTC')
    expect(knownZone('Asia/Seoul')).toBe('Asia/Seoul')
  })
})

describe('formatWhen', () => {
  const now = at('2027-02-03T09:00:00Z') // a Wednesday, 18:00 in Seoul
  it.each([
    ['2027-02-03T14:30:00Z', 'en', '23:30'],
    ['2027-02-03T15:30:00Z', 'en', 'tomorrow 00:30'],
    ['2027-02-03T15:30:00Z', 'ko', '내일 00:30'],
    ['2027-02-02T01:00:00Z', 'zh-CN', '昨天 10:00'],
    ['2027-02-06T00:00:00Z', 'en', 'Sat 09:00'],
    ['2027-02-11T00:00:00Z', 'en', 'Feb 11 09:00'],
    ['2026-12-24T00:00:00Z', 'zh-CN', '2026年12月24日 09:00'],
  ])('%s in %s', (text, locale, want) => expect(formatWhen(at(text), now, 'Asia/Seoul', locale)).toBe(want))
})

describe('formatDate', () => {
  it('shows a date as it is, in any zone', () => {
    expect(formatDate('2027-02-05', 'ko')).toBe('2월 5일')
    expect(formatDate('soon', 'en')).toBe('soon')
  })
})

describe('instantOf', () => {
  it.each([
    ['2027-02-05T09:30', 'Asia/Seoul', '2027-02-05T00:30:00Z'],
    ['2027-07-01T00:00', 'America/New_York', '2027-07-01T04:00:00Z'],
    ['2027-10-31T02:30', 'Europe/Berlin', '2027-10-31T00:30:00Z'], // occurs twice: the first
    ['2027-03-28T02:30', 'Europe/Berlin', '2027-03-28T01:30:00Z'], // jumped over
    ['2027-01-01T12:00', 'Pacific/Kiritimati', '2026-12-31T22:00:00Z'],
  ])('%s in %s', (text, zone, want) => expect(instantOf(text, zone)).toBe(at(want)))

  it('is the inverse of inputOf', () => {
    for (const zone of ['Asia/Seoul', 'America/St_Johns', 'Asia/Kathmandu', 'UTC']) {
      expect(instantOf(inputOf(at('2027-06-15T10:20:00Z'), zone), zone)).toBe(at('2027-06-15T10:20:00Z'))
    }
  })

  it.each(['', 'soon', '2027-02-05', '2027-13-05T00:00'])('refuses %j', (text) => expect(instantOf(text, 'UTC')).toBeUndefined())
})

describe('a sentence of the server', () => {
  it('has its instants written as the page writes them', () => {
    const say = (ms: number): string => `<${clockOf(ms, 'Asia/Seoul')}>`
    expect(withInstants('stopped is wanted until 2026-11-24T03:00:00Z, then running', say)).toBe('stopped is wanted until <12:00>, then running')
    expect(withInstants('2026-11-24T03:00:00.5+09:00까지, 2026-11-24T03:00:00Z부터', say)).toBe('<03:00>까지, <12:00>부터')
  })

  it('keeps what is none', () => {
    const say = (): string => 'never'
    for (const text of ['i-0413519e79203d401', 'on 2026-11-24', '2026-13-41T99:00:00Z', '']) expect(withInstants(text, say)).toBe(text)
  })
})
