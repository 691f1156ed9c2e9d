import { describe, expect, it } from 'vitest'
import { placeOf, stateAt, stretches } from './timeline'

const lane = {
  from: '2027-02-03T00:00:00Z',
  to: '2027-02-04T00:00:00Z',
  spans: [
    { from: '2027-02-02T20:00:00Z', to: '2027-02-03T06:00:00Z', state: 'stopped' },
    { from: '2027-02-03T06:00:00Z', to: '2027-02-03T12:00:00Z', state: 'running' },
    { from: '2027-02-03T12:00:00Z', to: '2027-02-03T18:00:00Z', state: 'running' },
    { from: '2027-02-03T18:00:00Z', to: '2027-02-05T00:00:00Z', state: 'any' },
    { from: '2027-02-05T00:00:00Z', to: '2027-02-06T00:00:00Z', state: 'running' },
  ],
}

describe('stretches', () => {
  it('cuts to the lane and joins what is the same', () => {
    expect(stretches(lane).map(({ left, width, state }) => [left, width, state])).toEqual([
      [0, 0.25, 'stopped'],
      [0.25, 0.5, 'running'],
      [0.75, 0.25, 'any'],
    ])
  })

  it('makes nothing of a lane without length, as of a day that a zone left out', () => {
    expect(stretches({ ...lane, to: lane.from })).toEqual([])
  })
})

describe('now', () => {
  it('has a place within the lane only', () => {
    expect(placeOf(lane, Date.parse('2027-02-03T12:00:00Z'))).toBe(0.5)
    expect(placeOf(lane, Date.parse('2027-02-04T00:00:00Z'))).toBeUndefined()
    expect(placeOf(lane, Date.parse('2027-02-02T23:59:59Z'))).toBeUndefined()
  })

  it('is inside from the begin of a span, and no more at its end', () => {
    expect(stateAt(lane, Date.parse('2027-02-03T06:00:00Z'))).toBe('running')
    expect(stateAt(lane, Date.parse('2027-02-03T05:59:59Z'))).toBe('stopped')
    expect(stateAt(lane, Date.parse('2027-02-07T00:00:00Z'))).toBeUndefined()
  })
})
