import { readonly, ref } from 'vue'

/** A short message about what was just done, read out by screen readers. */
export interface Notice {
  id: number
  kind: 'done' | 'failed'
  text: string
}

/** How long a notice of something done stays, in milliseconds. One of a failure stays until it is closed. */
const STAYS = 6_000

const notices = ref<Notice[]>([])
let count = 0

function close(id: number): void {
  notices.value = notices.value.filter((n) => n.id !== id)
}

function add(kind: Notice['kind'], text: string): void {
  const id = ++count
  notices.value = [...notices.value.slice(-3), { id, kind, text }]
  if (kind === 'done') setTimeout(() => close(id), STAYS)
}

/** The notices of the page, and how to add one. */
export function useNotices() {
  return { notices: readonly(notices), close, done: (text: string) => add('done', text), failed: (text: string) => add('failed', text) }
}
