import { describe, expect, it } from 'vitest'

import { filtered, fromAddress, noFilter, toAddress, toQuery } from './activityFilter'

const now = Date.parse('2027-02-05T12:00:00Z')

describe('a filter of the record', () => {
  it('asks for nothing when nothing is chosen', () => {
    expect(toQuery(noFilter(), now)).toEqual({})
    expect(toAddress(noFilter())).toEqual({})
    expect(filtered(noFilter())).toBe(false)
  })

  it('goes through the address and back', () => {
    const filter = { ...noFilter(), q: '매장 1', actor: 'key:abc', event: 'failed', ref: '1/eu/ec2/i-1', schedule: 'office', run: '01J', span: 'week' as const }
    expect(fromAddress(toAddress(filter))).toEqual(filter)
    const range = { ...noFilter(), span: 'range' as const, from: '2027-02-01T00:00:00.000Z', to: '2027-02-02T00:00:00.000Z' }
    expect(fromAddress(toAddress(range))).toEqual(range)
    expect(filtered(filter)).toBe(true)
  })

  it('counts a span from the clock of the server', () => {
    expect(toQuery({ ...noFilter(), span: 'day' }, now)).toEqual({ from: '2027-02-04T12:00:00.000Z' })
    expect(toQuery({ ...noFilter(), span: 'hour', event: 'failed' }, now)).toEqual({ event: 'failed', from: '2027-02-05T11:00:00.000Z' })
  })

  it('keeps the bounds of a range out of every other span', () => {
    expect(toQuery({ ...noFilter(), span: 'all', from: '2027-02-01T00:00:00Z' }, now)).toEqual({})
  })

  it('leaves out what an address says that makes no sense', () => {
    expect(fromAddress({ span: 'century', from: 'yesterday', q: ['first', 'second'], actor: null, else: 'x' })).toEqual({ ...noFilter(), q: 'first' })
  })
})
