import { describe, expect, it } from 'vitest'
import { drawn, stateOf, takes } from './notification'

const standing = { waiting: 0, dead: 0, sent: 0 }

describe('a channel', () => {
  it('that fails says so before everything else', () => {
    expect(stateOf({ ...standing, failing: '2026-08-03T08:00:00Z', quiet: '2026-08-03T22:00:00Z', waiting: 3, last: '2026-08-03T07:00:00Z' })).toBe('failing')
  })

  it('is quiet, busy, fine or new', () => {
    expect(stateOf({ ...standing, quiet: '2026-08-03T22:00:00Z', waiting: 3 })).toBe('quiet')
    expect(stateOf({ ...standing, waiting: 3 })).toBe('busy')
    expect(stateOf({ ...standing, last: '2026-08-03T07:00:00Z' })).toBe('fine')
    expect(stateOf(standing)).toBe('new')
  })
})

describe('a route', () => {
  const all = { kinds: [], schedules: [], workloads: [] }

  it('without kinds takes all, narrowed by schedules, workloads or a filter only some of each', () => {
    expect(takes(all, 'failed')).toBe('all')
    expect(takes({ ...all, schedules: ['seoul-office'] }, 'failed')).toBe('some')
    expect(takes({ ...all, workloads: ['shop'] }, 'failed')).toBe('some')
    expect(takes({ ...all, filter: 'tag:Team=shop' }, 'failed')).toBe('some')
  })

  it('with kinds takes no other, however it is narrowed', () => {
    expect(takes({ ...all, kinds: ['held'], schedules: ['seoul-office'] }, 'failed')).toBe('none')
    expect(takes({ ...all, kinds: ['held'] }, 'held')).toBe('all')
  })
})

describe('a room', () => {
  it('draws messages in its own way, and one that is not known as a text', () => {
    expect(['slack', 'lark', 'teams', 'sns', 'something'].map(drawn)).toEqual(['bar', 'head', 'card', 'text', 'text'])
  })
})
