import { describe, expect, it } from 'vitest'

import { cleanKey, crc32, expiryAt, isWholeKey } from './apiKey'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

function whole(front: string): string {
  let sum = crc32(front)
  let tail = ''
  for (let i = 0; i < 6; i++) {
    tail = alphabet[sum % 62] + tail
    sum = Math.floor(sum / 62)
  }
  return `${front}_${tail}`
}

const key = whole('dsk_0aZ9bY8c_abcdefghijklmnopqrstuvwxyz012345')

describe('a key', () => {
  it('has the checksum of CRC-32 as everybody computes it', () => {
    expect(crc32('123456789')).toBe(0xcbf43926)
  })

  it('is whole as it was given', () => {
    expect(isWholeKey(key)).toBe(true)
  })

  it.each([
    ['nothing', ''],
    ['cut off', key.slice(0, -1)],
    ['longer', `${key}x`],
    ['one character mistyped', key.replace('abcdef', 'abcdeg')],
    ['two characters swapped', key.replace('abcdef', 'bacdef')],
    ['another prefix', key.replace('dsk_', 'sk__')],
  ])('is not whole: %s', (_, text) => {
    expect(isWholeKey(text)).toBe(false)
  })

  it.each([
    ['blanks around it', ` ${key}\n`],
    ['quotes', `"${key}"`],
    ['a header', `Authorization: Bearer ${key}`],
    ['a word before it', `Bearer ${key}`],
    ['the other header', `X-API-Key: ${key}`],
  ])('is found in %s', (_, text) => {
    expect(cleanKey(text)).toBe(key)
  })
})

describe('an expiry', () => {
  const now = Date.parse('2027-02-05T12:00:00Z')

  it('is never, or days from now, or a date to come', () => {
    expect(expiryAt('never', '', now)).toBeUndefined()
    expect(expiryAt('month', '', now)).toBe(Date.parse('2027-03-07T12:00:00Z'))
    expect(expiryAt('date', '2027-02-06', now)).toBe(Date.parse('2027-02-06T00:00:00Z'))
  })

  it('is refused in the past, today and where it is no date', () => {
    expect(expiryAt('date', '2027-02-05', now)).toBeNull()
    expect(expiryAt('date', '', now)).toBeNull()
  })
})
