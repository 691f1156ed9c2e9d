import { expect, it } from 'vitest'
import { formatCount, formatHours, formatMoney } from './money'

it('writes dollars, cents below a hundred only', () => {
  expect(formatMoney(3.456, 'en')).toBe('$3.46')
  expect(formatMoney(12_345.6, 'ko')).toBe('$12,346')
  expect(formatMoney(99.999, 'zh-CN')).toBe('$100.00')
})

it('writes counts and hours', () => {
  expect(formatCount(100_000, 'ko')).toBe('100,000')
  expect(formatHours(7.25, 'en')).toBe('7.3')
  expect(formatHours(1234.5, 'en')).toBe('1,235')
})
