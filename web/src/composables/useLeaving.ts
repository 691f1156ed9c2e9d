import { computed, onMounted, onUnmounted, ref, shallowRef } from 'vue'
import { type RouteLocationNormalized, onBeforeRouteLeave, useRouter } from 'vue-router'

/**
 * Keeps somebody from leaving a page with something unsaved: `open` asks, `leave` goes where they wanted to, and `free`
 * lets the page itself go on. `same` tells places that are this page still. The browser asks on its own when it is closed.
 */
export function useLeaving(unsaved: () => boolean, same: (to: RouteLocationNormalized) => boolean = () => false) {
  const router = useRouter()
  const free = ref(false)
  const wanted = shallowRef<RouteLocationNormalized | null>(null)
  const open = computed({
    get: () => wanted.value !== null,
    set: (is) => {
      if (!is) wanted.value = null
    },
  })

  onBeforeRouteLeave((to) => {
    if (free.value || !unsaved() || same(to)) return true
    wanted.value = to
    return false
  })

  async function leave(): Promise<void> {
    const to = wanted.value
    free.value = true
    wanted.value = null
    if (to) await router.push(to.fullPath)
  }

  function beforeUnload(event: BeforeUnloadEvent): void {
    if (unsaved()) event.preventDefault()
  }
  onMounted(() => window.addEventListener('beforeunload', beforeUnload))
  onUnmounted(() => window.removeEventListener('beforeunload', beforeUnload))

  return { free, open, leave }
}
