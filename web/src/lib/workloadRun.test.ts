import { describe, expect, it } from 'vitest'
import { bar, progress, runOver, span } from './workloadRun'

const run = { began: '2027-02-05T09:00:00Z', expected: '2027-02-05T09:10:00Z' }
const at = (minutes: number): number => Date.parse(run.began) + minutes * 60_000

describe('the timeline of a run', () => {
  it('spans to when the end is expected', () => {
    expect(span(run, at(2))).toEqual({ from: at(0), to: at(10) })
  })

  it('grows with a run that takes longer than expected', () => {
    expect(span(run, at(15)).to).toBe(at(15))
  })

  it('ends with the run', () => {
    expect(span({ ...run, ended: '2027-02-05T09:04:00Z' }, at(60)).to).toBe(at(4))
  })

  it('has a bar from the begin of a tier to now, and none before', () => {
    expect(bar({ began: '2027-02-05T09:03:00Z' }, run, at(8))).toEqual({ left: 0.3, width: 0.5 })
    expect(bar({}, run, at(7))).toBeUndefined()
  })

  it('ends the bar of a tier that never ended with its run', () => {
    expect(bar({ began: run.began }, { ...run, ended: '2027-02-05T09:05:00Z' }, at(60))).toEqual({ left: 0, width: 1 })
  })

  it('counts members that are done, and tiers that have ended whole', () => {
    const tier = (phase: string, ready: number, of: number) => ({ phase, ready, failed: 0, members: Array.from({ length: of }) })
    expect(progress([tier('done', 0, 0), tier('members', 1, 2), tier('waiting', 0, 0), tier('waiting', 0, 3)])).toBe(0.375)
    expect(progress([])).toBe(0)
  })

  it('knows what is over', () => {
    expect(['running', 'held', 'cancelling', 'undoing', 'done', 'undone'].map(runOver)).toEqual([false, false, false, false, true, true])
  })
})
