import { expect, it } from 'vitest'
import { narrowed, readQuery, writeQuery } from './fleetQuery'

it('goes into an address and comes back', () => {
  const query = readQuery({ q: 'orders', state: 'starting,stopping', schedule: ['office', 'night'], sort: '-next', override: 'any', evil: '<script>' })
  expect(query.chosen.state).toEqual(['starting', 'stopping'])
  expect(query.chosen.schedule).toEqual(['office', 'night'])
  expect(writeQuery(query)).toEqual({ q: 'orders', state: 'starting,stopping', schedule: 'office,night', sort: '-next', override: 'any' })
  expect(readQuery(writeQuery(query))).toEqual(query)
})

it('takes nothing that it does not know', () => {
  const query = readQuery({ sort: 'name;drop', override: 'perhaps', state: ',,', q: null })
  expect(writeQuery(query)).toEqual({})
  expect(narrowed(query)).toBe(false)
  expect(narrowed(readQuery({ region: 'eu-west-1' }))).toBe(true)
})
