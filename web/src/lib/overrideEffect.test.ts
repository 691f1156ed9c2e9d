import { expect, it } from 'vitest'
import { summary } from './overrideEffect'

const line = (name: string, more: object) => ({ name, ref: `1/r/ec2_instance/${name}`, counts: true, action: 'none', reason: 'override-start', why: '', ...more })

it('tells what starts, what stays, what is not reached and why, and what follows', () => {
  const sum = summary({
    override: { state: 'running' },
    resources: [
      line('orders', { action: 'start', then: 'stop' }),
      line('', { ref: '1/r/ec2_instance/i-9', action: 'start', then: 'hibernate' }),
      line('web', { then: 'none' }),
      line('vault', { counts: false, reason: 'protected-by-tag', why: 'It is protected.' }),
      line('vault2', { counts: false, reason: 'protected-by-tag', why: 'It is protected.' }),
    ],
  })
  expect(sum).toEqual({
    starts: ['orders', '1/r/ec2_instance/i-9'],
    stops: [],
    stays: 1,
    not: [['protected-by-tag', { names: ['vault', 'vault2'], why: 'It is protected.' }]],
    thenStops: 2,
    thenStarts: 0,
    thenStays: false,
  })
})

it('says that nothing follows only where it reaches something', () => {
  expect(summary({ override: { state: 'running' }, resources: [line('web', { then: 'none' })] }).thenStays).toBe(true)
  expect(summary({ override: { state: 'running' }, resources: [line('web', { counts: false })] }).thenStays).toBe(false)
})
