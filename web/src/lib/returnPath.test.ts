import { expect, it } from 'vitest'

import { returnPath } from './returnPath'

it.each(['/', '/fleet', '/fleet?q=web&state=stopped', '/fleet/111122223333/eu-central-1/ec2/i-1', '/activity#row-4', '/%2F%2Fevil.example'])('leads back to %s', (to) => {
  expect(returnPath(to)).toBe(to)
})

it.each([
  undefined,
  null,
  ['/fleet'],
  '',
  'fleet',
  'https://evil.example/',
  '//evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  '/\t/evil.example',
  '/\n//evil.example',
  'javascript:alert(1)',
  ' /fleet',
  '/signin',
  '/signin?to=/signin',
])('never leads to %j', (to) => {
  expect(returnPath(to)).toBe('/')
})
