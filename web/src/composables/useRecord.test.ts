import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, ref } from 'vue'
import { type Activity, type ActivityList, listActivity } from '@/api/endpoints'
import { noFilter } from '@/lib/activityFilter'
import { useRecord } from './useRecord'

const happened = vi.hoisted(() => ({ tell: (): void => undefined }))

vi.mock('@/api/endpoints', () => ({ listActivity: vi.fn(), getMe: vi.fn(), signIn: vi.fn(), signOut: vi.fn() }))
vi.mock('./useEvents', () => ({
  useRefresh: (_types: string[], refresh: () => void) => {
    happened.tell = refresh
  },
}))

const asked = vi.mocked(listActivity)
const row = (seq: number): Activity => ({ seq, at: '2027-02-05T09:00:00Z', actor: 'dayshift', event: 'started', reason: 'period-began', prev: '', hash: '' })
const page = (seqs: number[], next = '', total?: number): ActivityList => ({ items: seqs.map(row), next, total })
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

function record(live = true) {
  const lives = ref(live)
  const made = effectScope().run(() => useRecord(ref(noFilter()), lives))
  if (made === undefined) throw new Error('no scope')
  return { ...made, lives, seqs: () => made.rows.value.map((one) => one.seq) }
}

beforeEach(() => {
  setActivePinia(createPinia())
  asked.mockReset()
})

describe('the record', () => {
  it('goes back page by page to its begin', async () => {
    const { begin, older, seqs, ended } = record()
    asked.mockResolvedValueOnce(page([9, 8], 'c1', 9)).mockResolvedValueOnce(page([7, 6]))
    await begin()
    expect(ended.value).toBe(false)
    await older()
    expect(seqs()).toEqual([9, 8, 7, 6])
    expect(ended.value).toBe(true)
    expect(asked.mock.lastCall?.[0]).toMatchObject({ cursor: 'c1' })
    await older()
    expect(asked).toHaveBeenCalledTimes(2)
  })

  it('looks through stretches without a match until there is one', async () => {
    const { begin, seqs } = record()
    asked.mockResolvedValueOnce(page([], 'c1')).mockResolvedValueOnce(page([], 'c2')).mockResolvedValueOnce(page([3]))
    await begin()
    expect(seqs()).toEqual([3])
    expect(asked).toHaveBeenCalledTimes(3)
  })

  it('grows at the top as things happen', async () => {
    const { begin, seqs, waiting } = record()
    asked.mockResolvedValueOnce(page([5, 4], 'c')).mockResolvedValueOnce(page([7, 6, 5, 4], 'c'))
    await begin()
    happened.tell()
    await settle()
    expect(seqs()).toEqual([7, 6, 5, 4])
    expect(waiting.value).toBe(0)
  })

  it('keeps still while it is not live, and shows what waited when asked', async () => {
    const { begin, seqs, waiting, show } = record(false)
    asked.mockResolvedValueOnce(page([5], 'c')).mockResolvedValueOnce(page([7, 6, 5], 'c'))
    await begin()
    happened.tell()
    await settle()
    expect([seqs(), waiting.value]).toEqual([[5], 2])
    show()
    expect([seqs(), waiting.value]).toEqual([[7, 6, 5], 0])
  })

  it('never shows a hole: when more happened than a page holds, it begins anew', async () => {
    const { begin, seqs } = record()
    asked.mockResolvedValueOnce(page([5, 4], 'c')).mockResolvedValueOnce(page([90, 89], 'd'))
    await begin()
    happened.tell()
    await settle()
    expect(seqs()).toEqual([90, 89])

    const still = record(false)
    asked.mockResolvedValueOnce(page([5, 4], 'c')).mockResolvedValueOnce(page([90, 89], 'd')).mockResolvedValueOnce(page([91, 90], 'e'))
    await still.begin()
    happened.tell()
    await settle()
    still.show()
    await settle()
    expect(still.seqs()).toEqual([91, 90])
  })

  it('keeps what is shown when a look fails', async () => {
    const { begin, seqs, load } = record()
    asked.mockResolvedValueOnce(page([5])).mockRejectedValueOnce(new Error('away'))
    await begin()
    happened.tell()
    await settle()
    expect(seqs()).toEqual([5])
    expect(load.value.is).toBe('ready')
  })
})
