import { onScopeDispose, ref, shallowRef, watch } from 'vue'
import { type RuleCheck, type RuleDraft, checkRule } from '@/api/endpoints'

/** How long typing rests before the server is asked what a rule means, in milliseconds. */
const rest = 450

/** What a rule that is being typed means: its faults, what it matches now, and its next instants. The last answer counts. */
export function useRuleCheck(source: () => RuleDraft | null) {
  const check = shallowRef<RuleCheck | null>(null)
  const error = shallowRef<unknown>(null)
  const checking = ref(false)
  let timer: ReturnType<typeof setTimeout> | undefined
  let asking: AbortController | undefined

  async function ask(): Promise<void> {
    const body = source()
    asking?.abort()
    if (!body) {
      check.value = null
      checking.value = false
      return
    }
    const mine = new AbortController()
    asking = mine
    checking.value = true
    try {
      check.value = await checkRule(body, mine.signal)
      error.value = null
    } catch (failure) {
      if (mine.signal.aborted) return
      error.value = failure
    } finally {
      if (mine === asking) checking.value = false
    }
  }

  watch(
    () => JSON.stringify(source()),
    () => {
      clearTimeout(timer)
      checking.value = true
      timer = setTimeout(() => void ask(), rest)
    },
    { immediate: true },
  )
  onScopeDispose(() => {
    clearTimeout(timer)
    asking?.abort()
  })

  return { check, checking, error, ask }
}
