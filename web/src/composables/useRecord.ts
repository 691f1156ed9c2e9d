import { type Ref, computed, ref, shallowRef } from 'vue'
import { type Activity, type ActivityList, type ActivityQuery, listActivity } from '@/api/endpoints'
import { useAsync } from '@/composables/useAsync'
import { useRefresh } from '@/composables/useEvents'
import { type ActivityFilter, toQuery } from '@/lib/activityFilter'
import { merged } from '@/lib/record'
import { useSession } from '@/stores/session'

/** Rows asked for at once. */
const PAGE = 50
/** More rows than this are not kept on a page: who wants them all exports them. */
const MOST = 2_000

/** Stretches of the record that are looked through for one page before the reader is asked whether to go on. */
const STRETCHES = 12

/** A page of rows that match, from as many stretches as it takes. */
async function search(query: ActivityQuery, cursor: string, signal: AbortSignal): Promise<ActivityList> {
  const page = await listActivity({ ...query, cursor, limit: PAGE }, signal)
  const items = page.items ?? []
  for (let n = 1; n < STRETCHES && items.length === 0 && page.next !== ''; n++) {
    const further = await listActivity({ ...query, cursor: page.next, limit: PAGE }, signal)
    items.push(...(further.items ?? []))
    page.next = further.next
  }
  return { ...page, items }
}

/**
 * The rows of the record that match a filter, the newest first: pages back to its begin, and grows at the
 * top as things happen. While `live` is false new rows are counted and wait.
 */
export function useRecord(filter: Readonly<Ref<ActivityFilter>>, live: Readonly<Ref<boolean>>) {
  const session = useSession()
  const rows = shallowRef<Activity[]>([])
  const waiting = shallowRef<Activity[]>([])
  const total = ref<number>()
  const next = ref('')
  // The bounds of "the last hour" stay where they were while one pages back.
  let asked: ActivityQuery = {}
  // Between the rows that are shown and those that wait there are others.
  let torn = false

  const { load, run: begin } = useAsync(async (signal) => {
    asked = toQuery(filter.value, session.now())
    const page = await search(asked, '', signal)
    rows.value = page.items ?? []
    waiting.value = []
    torn = false
    total.value = page.total
    next.value = page.next
    return page
  })

  const { load: more, run: runMore } = useAsync(async (signal) => {
    const page = await search(asked, next.value, signal)
    rows.value = merged(rows.value, page.items ?? [], MOST)
    next.value = rows.value.length >= MOST ? '' : page.next
    return page
  })

  async function older(): Promise<void> {
    if (next.value !== '' && more.value.is !== 'loading') await runMore()
  }

  function show(): void {
    if (torn) {
      void begin()
      return
    }
    rows.value = merged(rows.value, waiting.value, MOST)
    waiting.value = []
  }

  // What came since: asked for with the filter, so that the server decides what matches.
  const { run: look } = useAsync(async (signal) => {
    const page = await listActivity({ ...toQuery(filter.value, session.now()), limit: PAGE }, signal)
    const items = page.items ?? []
    const newest = rows.value[0]?.seq ?? 0
    const oldest = items.at(-1)?.seq ?? 0
    if (newest > 0 && oldest > newest && page.next !== '') {
      // More happened than one page holds: a record with a hole in it is not shown.
      if (live.value) {
        rows.value = items
        next.value = page.next
        waiting.value = []
      } else {
        torn = true
        waiting.value = items
      }
    } else {
      waiting.value = items.filter((row) => row.seq > newest)
      if (live.value) show()
    }
    total.value = page.total
  })

  useRefresh(['activity'], () => {
    if (load.value.is === 'ready') void look()
  })

  return { load, more, rows, total, waiting: computed(() => waiting.value.length), ended: computed(() => next.value === ''), begin, older, show }
}
