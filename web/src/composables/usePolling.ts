import { onMounted, onUnmounted } from 'vue'

/** How often what moves is asked for again, in milliseconds: a person who watches takes it as at once. */
const EVERY = 2_000

/** Calls `ask` every two seconds while `wanted` says so and the window is seen; never a second time before the first has answered. */
export function usePolling(wanted: () => boolean, ask: () => Promise<unknown>): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let left = false

  async function tick(): Promise<void> {
    if (!document.hidden && wanted()) await ask()
    if (!left) timer = setTimeout(() => void tick(), EVERY)
  }

  onMounted(() => {
    timer = setTimeout(() => void tick(), EVERY)
  })
  onUnmounted(() => {
    left = true
    clearTimeout(timer)
  })
}
