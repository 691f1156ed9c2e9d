import { expect, it } from 'vitest'
import { usePaging } from './usePaging'

it('walks forth and back by cursors, and starts over', async () => {
  const asked: string[] = []
  const paging = usePaging((cursor) => {
    asked.push(cursor)
    const n = cursor === '' ? 0 : Number(cursor)
    return Promise.resolve({ items: [n], total: 3, next: n < 2 ? String(n + 1) : '' })
  })
  await paging.first()
  expect(paging.hasPrevious.value).toBe(false)
  await paging.next()
  await paging.next()
  expect(paging.number.value).toBe(3)
  expect(paging.hasNext.value).toBe(false)
  await paging.next()
  await paging.previous()
  await paging.again()
  await paging.first()
  await paging.previous()
  expect(asked).toEqual(['', '1', '2', '1', '1', ''])
})
