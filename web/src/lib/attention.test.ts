import { describe, expect, it } from 'vitest'
import { besideName } from './attention'

describe('what is said beside a name', () => {
  it('does not say the name once more', () => {
    expect(besideName('web-01: it did not come up', 'web-01')).toBe('it did not come up')
    expect(besideName('web-01：未能启动', 'web-01')).toBe('未能启动')
  })

  it('stays whole where the name is part of the sentence, or none is there', () => {
    expect(besideName('web-01 did not come up', 'web-01')).toBe('web-01 did not come up')
    expect(besideName('web-01: down', 'web-0')).toBe('web-01: down')
    expect(besideName('the listing failed', undefined)).toBe('the listing failed')
    expect(besideName('the listing failed', '')).toBe('the listing failed')
  })
})
