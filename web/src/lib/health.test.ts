import { describe, expect, it } from 'vitest'

import { type Place, byAccount, faultsOf, stateOf, tookSeconds } from './health'

function place(account: string, region: string, more: Partial<Place> = {}): Place {
  return { scope: { account, region }, ok: true, findings: [], ...more }
}

const quarantine = { reason: 'no-answer', why: 'timeout', since: '', next: '', looks: 6 }

describe('the health of accounts', () => {
  it('puts first what needs a person, among accounts and among regions', () => {
    const found = byAccount([
      place('2', 'eu'),
      place('1', 'us'),
      place('3', 'a'),
      place('3', 'b', { ok: false }),
      place('3', 'c', { quarantine }),
      place('1', 'eu'),
    ])
    expect(found.map((health) => [health.account, health.ok, health.places.map((one) => one.scope.region)])).toEqual([
      ['3', 1, ['c', 'b', 'a']],
      ['1', 2, ['eu', 'us']],
      ['2', 1, ['eu']],
    ])
  })

  it('takes a quarantine for worse than findings, whatever ok says', () => {
    expect(stateOf(place('1', 'eu', { quarantine }))).toBe('quarantine')
    expect(stateOf(place('1', 'eu', { ok: false }))).toBe('findings')
    expect(stateOf(place('1', 'eu'))).toBe('ok')
  })

  it('does not count as a fault what could not be tried', () => {
    const findings = [
      { ability: 'list', ok: false, detail: '' },
      { ability: 'start', ok: false, untested: true, detail: '' },
      { ability: 'stop', ok: true, detail: '' },
    ]
    expect(faultsOf(place('1', 'eu', { findings })).map((finding) => finding.ability)).toEqual(['list'])
    expect(faultsOf(place('1', 'eu', { findings: null }))).toEqual([])
  })

  it('knows no duration of a pass without an end', () => {
    expect(tookSeconds({ started: '2027-02-05T09:00:00Z', finished: '2027-02-05T09:00:03Z' })).toBe(3)
    expect(tookSeconds({ started: '2027-02-05T09:00:00Z' })).toBeUndefined()
    expect(tookSeconds({ started: '2027-02-05T09:00:00Z', finished: '0001-01-01T00:00:00Z' })).toBeUndefined()
  })
})
