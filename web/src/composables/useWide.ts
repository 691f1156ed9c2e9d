import { type Ref, onScopeDispose, ref } from 'vue'

/** Where tables become cards and dialogs come from below; the style sheets use the same width. */
export const PHONE = 640

/** Whether the window is wider than a phone's. */
export function useWide(): Readonly<Ref<boolean>> {
  const query = window.matchMedia(`(min-width: ${PHONE + 1}px)`)
  const wide = ref(query.matches)
  const change = (): void => {
    wide.value = query.matches
  }
  query.addEventListener('change', change)
  onScopeDispose(() => query.removeEventListener('change', change))
  return wide
}
