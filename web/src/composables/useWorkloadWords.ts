import { useI18n } from 'vue-i18n'

/** The server's words for runs of workloads in the reader's language; one that is not known is shown as it is. */
export function useWorkloadWords() {
  const { t, te } = useI18n()
  return {
    status: (word: string): string => (te(`workloads.status.${word}`) ? t(`workloads.status.${word}`) : word),
    phase: (word: string): string => (te(`workloads.phase.${word}`) ? t(`workloads.phase.${word}`) : word),
    step: (word: string): string => (te(`workloads.step.${word}`) ? t(`workloads.step.${word}`) : word),
    end: (word: string): string => (te(`workloads.end.${word}`) ? t(`workloads.end.${word}`) : word),
    /** Why a tier or member is as it is, with what is said beside it. */
    why(word: string | undefined, detail?: string): string {
      const said = word ? (te(`workloads.why.${word}`) ? t(`workloads.why.${word}`) : word) : ''
      return [said, detail].filter(Boolean).join(': ')
    },
    trigger(text: string): string {
      const [first = '', ...rest] = text.split(' ')
      return te(`workloads.trigger.${first}`) ? t(`workloads.trigger.${first}`, { name: rest.join(' ') }) : text
    },
  }
}
