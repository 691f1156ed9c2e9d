import { expect, it } from 'vitest'
import { datesOf, exceptionName, exceptionSpan, isOn } from './exceptions'

it('names', () => {
  expect(exceptionName({ schedule: 'office', type: 'stop', date: '2027-02-05' })).toBe('office:2027-02-05:stop')
  expect(exceptionName({ schedule: 'office', type: 'start', from: '2027-12-27', to: '2027-12-31' })).toBe('office:2027-12-27..2027-12-31:start')
})

it('one date, or each of a range', () => {
  expect(exceptionSpan({ date: '2027-02-05' })).toEqual({ from: '2027-02-05', to: '2027-02-05' })
  const range = { from: '2027-12-27', to: '2028-01-02' }
  expect(['2027-12-26', '2027-12-27', '2028-01-02', '2028-01-03'].map((date) => isOn(range, date))).toEqual([false, true, true, false])
  expect(datesOf('2027-02-05', '2027-02-05')).toEqual({ date: '2027-02-05' })
  expect(datesOf('2027-02-05', '')).toEqual({ date: '2027-02-05' })
  expect(datesOf('2027-02-05', '2027-02-07')).toEqual({ from: '2027-02-05', to: '2027-02-07' })
})
