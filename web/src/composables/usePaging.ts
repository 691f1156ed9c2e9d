import { computed, ref } from 'vue'
import { useAsync } from './useAsync'

/** One page of a list as the API gives it. */
export interface Page<T> {
  items: T[] | null
  total: number
  next: string
}

/**
 * Pages through a list by cursors. `fetch` gets the cursor of the page that is wanted, empty for the first.
 * `first` starts over (after a filter changed), `again` asks for the page that is shown once more, unnoticed:
 * `turning` is true while another page is on its way, and not while the same one is renewed.
 */
export function usePaging<P extends Page<unknown>>(fetch: (cursor: string, signal: AbortSignal) => Promise<P>) {
  // The cursors of the pages before this one and of this one; going back needs no other.
  const trail = ref<string[]>([''])
  const { load, run } = useAsync((signal: AbortSignal, cursor: string) => fetch(cursor, signal))
  const page = computed(() => load.value.data)
  const hasNext = computed(() => (page.value?.next ?? '') !== '')
  const hasPrevious = computed(() => trail.value.length > 1)
  const number = computed(() => trail.value.length)

  const turning = ref(false)

  async function turn(cursor: string): Promise<void> {
    turning.value = true
    try {
      await run(cursor)
    } finally {
      // A later turn may be under way; it ends this itself.
      if (load.value.is !== 'loading') turning.value = false
    }
  }

  const at = (): string => trail.value[trail.value.length - 1] ?? ''

  async function first(): Promise<void> {
    trail.value = ['']
    await turn('')
  }

  async function next(): Promise<void> {
    const cursor = page.value?.next ?? ''
    if (cursor === '' || turning.value) return
    trail.value = [...trail.value, cursor]
    await turn(cursor)
  }

  async function previous(): Promise<void> {
    if (!hasPrevious.value || turning.value) return
    trail.value = trail.value.slice(0, -1)
    await turn(at())
  }

  async function again(): Promise<void> {
    await run(at())
  }

  return { load, page, number, turning, hasNext, hasPrevious, first, next, previous, again }
}
