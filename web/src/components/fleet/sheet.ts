import { defineAsyncComponent } from 'vue'

/** What a person is about to decide: a target as the API takes it, and what to call it. */
export interface SheetRequest {
  target: string
  name: string
  state: 'running' | 'stopped'
}

const load = () => import('./OverrideSheet.vue')

/** The sheet, in a file of its own, so that no page waits for it to be seen. */
export const OverrideSheet = defineAsyncComponent(load)

// It is there when it is asked for: fetched once the page has nothing else to do.
if (typeof requestIdleCallback === 'function') requestIdleCallback(() => void load().catch(() => undefined))
else setTimeout(() => void load().catch(() => undefined), 2_000)
