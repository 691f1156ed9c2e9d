import { describe, expect, it } from 'vitest'
import { backOff, eventParser } from './sse'

const stream = ': hello\r\nid: 7\r\nevent: pass\r\ndata: {"a":1}\r\n\r\ndata: one\ndata:two\n\nevent: lost\n\nid: 8\rretry: 1500\rdata: 한글 三\r\r'
const want = [
  { id: '7', type: 'pass', data: '{"a":1}' },
  { id: '7', type: 'message', data: 'one\ntwo' },
  { id: '8', type: 'message', data: '한글 三' },
]

describe('eventParser', () => {
  it('reads messages however the text is cut', () => {
    for (let size = 1; size <= stream.length; size++) {
      const parser = eventParser()
      const got = []
      for (let at = 0; at < stream.length; at += size) got.push(...parser.push(stream.slice(at, at + size)))
      // The last return may be the half of a line's end; whatever follows completes it.
      got.push(...parser.push(':'))
      expect(got, `in pieces of ${size}`).toEqual(want)
      expect(parser.retry()).toBe(1500)
    }
  })

  it('keeps what has no end for later', () => {
    const parser = eventParser()
    expect(parser.push('data: half')).toEqual([])
    expect(parser.push('\n')).toEqual([])
    expect(parser.push('\n')).toEqual([{ id: '', type: 'message', data: 'half' }])
  })
})

describe('backOff', () => {
  it('doubles from a second to thirty, spread by a quarter', () => {
    expect([1, 2, 3, 4, 5, 6, 50].map((n) => backOff(n, 0.5))).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000])
    expect(backOff(1, 0)).toBe(750)
    expect(backOff(9, 0.999)).toBeLessThanOrEqual(37_500)
  })
})
