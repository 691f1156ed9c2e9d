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

it('tells another page on its way from the same one renewed', async () => {
  const answers: (() => void)[] = []
  const paging = usePaging(() => new Promise<{ items: number[]; total: number; next: string }>((resolve) => answers.push(() => resolve({ items: [1], total: 2, next: 'b' }))))
  const first = paging.first()
  expect(paging.turning.value).toBe(true)
  answers[0]?.()
  await first
  expect(paging.turning.value).toBe(false)
  const again = paging.again()
  expect(paging.turning.value).toBe(false)
  // Somebody turns the page while it is renewed: that wins.
  const next = paging.next()
  expect(paging.turning.value).toBe(true)
  answers[1]?.()
  await again
  expect(paging.turning.value).toBe(true)
  answers[2]?.()
  await next
  expect(paging.turning.value).toBe(false)
  expect(paging.number.value).toBe(2)
})
