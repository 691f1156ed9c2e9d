import { useI18n } from 'vue-i18n'
import { ApiError } from '@/lib/problem'

/** Says an error to a person: what happened in their language, and what the server adds to it. */
export function useProblem(): (error: unknown) => { title: string; detail: string } {
  const { t, te } = useI18n()
  return (error) => {
    const word = error instanceof ApiError ? error.word : 'internal'
    const title = te(`problem.${word}`) ? t(`problem.${word}`) : t('problem.internal')
    const detail = error instanceof ApiError ? (error.problem.detail ?? '') : error instanceof Error ? error.message : ''
    return { title, detail }
  }
}
