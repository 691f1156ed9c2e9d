import { describe, expect, it } from 'vitest'
import { escapeFilter, refPath, stateBadge, targetOf } from './fleet'

it('makes a path of an address, whose ID may hold slashes', () => {
  expect(refPath('111122223333/ap-northeast-2/ecs_service/cluster/web app')).toBe('/fleet/111122223333/ap-northeast-2/ecs_service/cluster/web%20app')
})

describe('targetOf', () => {
  const a = { ref: '1/r/ec2_instance/i-1', arn: 'arn:aws:ec2:r:1:instance/i-1', id: 'i-1' }
  it('names one', () => expect(targetOf([a])).toBe('1/r/ec2_instance/i-1'))
  it('selects several by ARN, without leaving a meaning to their characters', () => {
    expect(targetOf([a, { ref: 'x', arn: 'arn:b,*=?', id: 'b' }])).toBe('filter:arn=arn:aws:ec2:r:1:instance/i-1,arn=arn:b\\,\\*\\=\\?')
  })
  it('selects by ID where one has no ARN', () => {
    expect(targetOf([a, { ref: 'x', id: 'b c' }])).toBe('filter:instance-id=i-1,instance-id=b\\ c')
  })
})

it('escapes what has a meaning in filters', () => expect(escapeFilter('a\\b*')).toBe('a\\\\b\\*'))

it('draws a state it does not know as not known', () => {
  expect(['running', 'stopped', 'starting', 'stopping', 'other', 'dreaming'].map(stateBadge)).toEqual([
    'running', 'stopped', 'moving', 'moving', 'unknown', 'unknown',
  ])
})
