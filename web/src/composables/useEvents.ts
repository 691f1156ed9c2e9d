import { onMounted, onUnmounted } from 'vue'
import { type LiveEvent, listen } from '@/api/events'

/** Hears the events of these types, and `resync`, while the component is shown. */
export function useEvents(types: readonly string[], handler: (event: LiveEvent) => void): void {
  let stop: (() => void) | undefined
  onMounted(() => {
    stop = listen((event) => {
      if (event.type === 'resync' || types.includes(event.type)) handler(event)
    })
  })
  onUnmounted(() => stop?.())
}

/** At most how often a view that is not told what changed asks again, in milliseconds. */
const CALM = 1_000

/**
 * Calls `refresh` when something of these types happened: at once, then at most once a second, and not
 * while the window is hidden; coming back to it makes up for that.
 */
export function useRefresh(types: readonly string[], refresh: () => unknown): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let due = false
  let before = 0

  function ask(): void {
    due = true
    if (document.hidden || timer !== undefined) return
    timer = setTimeout(
      () => {
        timer = undefined
        if (document.hidden) return
        due = false
        before = Date.now()
        void refresh()
      },
      Math.max(0, before + CALM - Date.now()),
    )
  }

  function shown(): void {
    if (!document.hidden && due) ask()
  }

  useEvents(types, ask)
  onMounted(() => document.addEventListener('visibilitychange', shown))
  onUnmounted(() => {
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', shown)
  })
}
