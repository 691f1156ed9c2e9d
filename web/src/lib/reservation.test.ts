import { describe, expect, it } from 'vitest'
import { type Standing, burns, drawn, isLocalTime, problemsOf, saidWhen, tagLines, tagsOf, whenOf, whyKind, wholeSpec } from './reservation'

const status = (of: Partial<Standing>): Standing => ({ why: 'reached', held: 0, used: 0, cost: { held: 0 }, ...of })

describe('a reservation', () => {
  it('is a problem when something is missing, at fault or unused', () => {
    expect(problemsOf(status({ why: 'reached' }))).toEqual([])
    expect(problemsOf(status({ why: 'short', held: 4, used: 1, unused: '2026-11-26T10:00:00Z' }))).toEqual(['short', 'idle'])
    expect(problemsOf(status({ why: 'before' }))).toEqual([])
    expect(whyKind('short')).toBe('bad')
    expect(whyKind('a-word-of-tomorrow')).toBe('unknown')
  })

  it('burns the share of its cost that nobody uses', () => {
    expect(burns(status({ held: 4, used: 1, cost: { held: 8 } }))).toBe(6)
    expect(burns(status({}))).toBe(0)
  })

  it('is drawn by place, each point until the next, the last until the end', () => {
    const zone = (name: string, held: number, type = 'm5.large') => ({ zone: name, type, held })
    const points = [
      { at: '2026-11-26T10:00:00Z', wanted: 4, used: 1, zones: [zone('b', 1), zone('a', 2)] },
      { at: '2026-11-26T11:00:00Z', wanted: 4, used: 2, zones: [zone('a', 4)] },
    ]
    const end = Date.parse('2026-11-26T12:00:00Z')
    expect(drawn(points, end)).toEqual({
      at: [end - 7_200_000, end - 3_600_000, end],
      wanted: [4, 4, 4],
      used: [1, 2, 2],
      held: [{ place: 'a', values: [2, 4, 4] }, { place: 'b', values: [1, 0, 0] }],
    })
    points[1]?.zones.push(zone('a', 1, 'r5.large'))
    expect(drawn(points, end).held.map((h) => h.place)).toEqual(['a · m5.large', 'a · r5.large', 'b · m5.large'])
    expect(drawn([], end)).toEqual({ at: [], wanted: [], used: [], held: [] })
  })

  it('says its time in one way at a time', () => {
    const spec = { from: '2026-11-26T18:00', to: '2026-11-30T12:00', timezone: 'Asia/Tokyo', lead: '30m', future: true, deadline: '6h', count: 4 }
    expect(whenOf(spec)).toBe('window')
    expect(saidWhen(spec, 'always')).toEqual({ count: 4 })
    const scheduled = { ...saidWhen(spec, 'schedule'), schedule: 'shop' }
    expect(scheduled).toEqual({ count: 4, lead: '30m', deadline: '6h', schedule: 'shop' })
    expect(whenOf(scheduled)).toBe('schedule')
    expect(whenOf(saidWhen(scheduled, 'always'))).toBe('always')
    expect(isLocalTime('2026-11-26T18:00')).toBe(true)
    expect(isLocalTime('2026-11-26T18:00:00+09:00')).toBe(false)
  })

  it('keeps what says something', () => {
    expect(wholeSpec({ count: 0, zones: [], description: '', enabled: false, alternatives: [{ zone: '', instance_type: 'r5.large' }, { zone: '' }], tags: {} })).toEqual({ count: 0, enabled: false, alternatives: [{ instance_type: 'r5.large' }] })
    expect(tagsOf('Team=shop\n\n a = b=c ')).toEqual({ Team: 'shop', a: 'b=c' })
    expect(tagsOf('')).toBeUndefined()
    expect(tagsOf(tagLines({ Team: 'shop', a: 'b=c' }))).toEqual({ Team: 'shop', a: 'b=c' })
  })
})
