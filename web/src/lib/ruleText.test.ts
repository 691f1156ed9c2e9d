import { describe, expect, it } from 'vitest'
import { expressionText, filterText, parseExpression, parseFilter } from './ruleText'
import type { ExpressionForm } from './ruleText'

describe('filters', () => {
  it('are taken apart and put together again', () => {
    const text = 'tag:Name=batch-*,vpc-id=vpc-4085e027,tag:Env=a\\,b'
    const terms = parseFilter(text)
    expect(terms).toEqual([
      { key: 'tag', tag: 'Name', value: 'batch-*' },
      { key: 'vpc-id', tag: '', value: 'vpc-4085e027' },
      { key: 'tag', tag: 'Env', value: 'a\\,b' },
    ])
    expect(terms && filterText(terms)).toBe(text)
  })
  it('keep an escaped blank at the end of a value', () => {
    expect(parseFilter('tag:Name=a\\ ,name=b ')?.map((term) => term.value)).toEqual(['a\\ ', 'b'])
  })
  it.each(['vpcid=vpc-1', 'tag:Name', 'nonsense', 'a=1,,b=2', 'tag=x'])('%s stays text', (text) => {
    expect(parseFilter(text)).toBeNull()
  })
  it('none is no rows, and rows without anything in them are none', () => {
    expect(parseFilter(' ')).toEqual([])
    expect(filterText([{ key: 'tag', tag: '', value: '' }])).toBe('')
    expect(filterText([{ key: 'tag', tag: 'Env', value: '' }])).toBe('tag:Env=')
  })
})

describe('expressions', () => {
  it.each<[string, ExpressionForm]>([
    ['cron(55 14 * * ? *)', { form: 'days', time: '14:55', days: [0, 1, 2, 3, 4, 5, 6] }],
    ['cron(30 9 ? * MON-FRI *)', { form: 'days', time: '09:30', days: [0, 1, 2, 3, 4] }],
    ['cron(0 20 ? * SAT,SUN *)', { form: 'days', time: '20:00', days: [5, 6] }],
    ['cron(0 6 L * ? *)', { form: 'monthly', time: '06:00', day: 'L' }],
    ['cron(0 6 15 * ? *)', { form: 'monthly', time: '06:00', day: '15' }],
    ['rate(1 hour)', { form: 'rate', every: 1, unit: 'hours' }],
    ['rate(15 minutes)', { form: 'rate', every: 15, unit: 'minutes' }],
    ['at(2027-02-05T21:00:00)', { form: 'once', date: '2027-02-05', time: '21:00' }],
  ])('%s', (text, form) => {
    expect(parseExpression(text)).toEqual(form)
    expect(expressionText(form)).toBe(text)
  })
  it.each(['cron(0/5 * * * ? *)', '0 9 * * 1-5', 'cron(0 9 ? * MON#1 *)', 'cron(0 9 ? * 2-6 *)', 'cron(70 9 * * ? *)', 'cron(0 9 40 * ? *)', 'cron(0 9 ? * SUN-TUE *)', ''])(
    '%s stays text',
    (text) => {
      expect(parseExpression(text)).toEqual({ form: 'text', text })
    },
  )
})
