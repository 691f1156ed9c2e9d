import { describe, expect, it } from 'vitest'

import { linkOf, merged, subjectOf, toneOf } from './record'

const scope = { account: '111122223333', region: 'eu-central-1' }

describe('the link of a row', () => {
  it.each([
    ['a resource', { event: 'failed', name: 'web', ref: { scope, kind: 'ec2', id: 'i-1' } }, '/fleet/111122223333/eu-central-1/ec2/i-1'],
    ['an identifier with slashes', { event: 'started', ref: { scope, kind: 'ecs', id: 'default/api' } }, '/fleet/111122223333/eu-central-1/ecs/default%2Fapi'],
    ['a region that could not be seen', { event: 'gap', ref: { scope, kind: '', id: '' } }, '/health'],
    ['a rule', { event: 'rule-fired', name: 'nightly' }, '/rules/nightly'],
    ['a rule in a scope', { event: 'rule-missed', name: 'a/b', ref: {} }, '/rules/a%2Fb'],
    ['a schedule that was changed', { event: 'object', name: 'schedule/office hours', schedule: 'office hours' }, '/schedules/office%20hours'],
    ['an exception', { event: 'object', name: 'exception/2027-02-05', schedule: 'office' }, '/exceptions'],
    ['the override of a schedule', { event: 'override', name: 'ov-1', schedule: 'office' }, '/schedules/office'],
    ['a reservation, whatever AWS calls it', { event: 'reserved', name: 'black-friday', ref: { scope, id: 'cr-1' } }, '/reservations/black-friday'],
    ['a row of the table of reservations', { event: 'reservation-short', name: 'table/eu-central-1a/m5.large', ref: { scope } }, '/reservations/table%2Feu-central-1a%2Fm5.large'],
    ['a reservation that was changed', { event: 'object', name: 'reservation/black-friday' }, '/reservations/black-friday'],
    ['hostile names', { event: 'object', name: 'schedule/../../signin?to=//evil' }, '/schedules/..%2F..%2Fsignin%3Fto%3D%2F%2Fevil'],
  ])('leads to %s', (_, row, link) => {
    expect(linkOf(row)).toBe(link)
  })

  it('is none for what has no page', () => {
    expect(linkOf({ event: 'daemon' })).toBeUndefined()
    expect(linkOf({ event: 'object', name: 'x' })).toBeUndefined()
  })
})

it('names what a row is about', () => {
  expect(subjectOf({ event: 'failed', name: 'web', ref: { scope, kind: 'ec2', id: 'i-1' } })).toBe('web')
  expect(subjectOf({ event: 'failed', ref: { scope, kind: 'ec2', id: 'i-1' } })).toBe('i-1')
  expect(subjectOf({ event: 'gap', ref: { scope } })).toBe('111122223333/eu-central-1')
  expect(subjectOf({ event: 'daemon' })).toBe('')
})

it('gives words that it does not know no colour', () => {
  expect(toneOf('failed')).toBe('bad')
  expect(toneOf('something-new')).toBe('plain')
})

it('merges rows by their number, newest first, within its bound', () => {
  const rows = merged([{ seq: 3, v: 'a' }, { seq: 1, v: 'a' }], [{ seq: 4, v: 'b' }, { seq: 3, v: 'b' }], 3)
  expect(rows).toEqual([{ seq: 4, v: 'b' }, { seq: 3, v: 'b' }, { seq: 1, v: 'a' }])
  expect(merged(rows, [{ seq: 5, v: 'c' }], 2).map((row) => row.seq)).toEqual([5, 4])
})
