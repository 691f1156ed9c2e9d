import { defineAsyncComponent } from 'vue'

/** What a person is about to decide: a target as the API takes it, and what to call it. */
export interface SheetRequest {
  target: string
  name: string
  state: 'running' | 'stopped'
  /** The end that was asked for: an instant, or `next` for the next change of the schedule. */
  until?: string
}

/** What the link of a message asks for (`/?keep=schedule:NAME&until=INSTANT`), as far as it is something that messages ask for. */
export function asked(keep: unknown, until: unknown): SheetRequest | undefined {
  if (typeof keep !== 'string' || typeof until !== 'string') return undefined
  const name = /^(?:schedule|workload):(.+)$/s.exec(keep)?.[1]
  if (name === undefined || (until !== 'next' && !(/^\d{4}-\d{2}-\d{2}T/.test(until) && Number.isFinite(Date.parse(until))))) return undefined
  return { target: keep, name, state: 'running', until }
}

const load = () => import('./OverrideSheet.vue')

/** The sheet, in a file of its own, so that no page waits for it to be seen. */
export const OverrideSheet = defineAsyncComponent(load)

// It is there when it is asked for: fetched once the page has nothing else to do.
if (typeof requestIdleCallback === 'function') requestIdleCallback(() => void load().catch(() => undefined))
else setTimeout(() => void load().catch(() => undefined), 2_000)
