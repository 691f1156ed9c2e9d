import { expect, it } from 'vitest'
import { collectFaults, fieldOf } from './faults'

it('a path is taken below its object', () => {
  expect(fieldOf('schedules.office.periods[0]', ['schedules.office', 'schedule'])).toBe('periods[0]')
  expect(fieldOf('schedule.timezone', ['schedules.office', 'schedule'])).toBe('timezone')
  expect(fieldOf('timezone', ['schedules.office'])).toBe('timezone')
  expect(fieldOf('schedules.office', ['schedules.office'])).toBe('')
})

it('a field has its own faults and those within it', () => {
  const faults = collectFaults(
    [
      { path: 'rules.r.filters', message: 'no such key.' },
      { path: 'rules.r.accounts[1]', message: 'no such account.' },
      { path: 'other', message: 'odd.' },
    ],
    ['rules.r'],
  )
  expect(faults.of('filters')).toBe('no such key.')
  expect(faults.of('accounts')).toBe('no such account.')
  expect(faults.of('action')).toBe('')
  expect(faults.besides(['filters', 'accounts'])).toEqual(['odd.'])
})
