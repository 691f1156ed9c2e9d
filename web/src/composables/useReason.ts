import { useI18n } from 'vue-i18n'

/**
 * Says the reason of a decision, one of the server's words, as a sentence in the reader's language. A word
 * that this page does not know, of a newer server or of an event, is shown as what is given instead, or as it is.
 */
export function useReason(): (word: string, instead?: string) => string {
  const { t, te } = useI18n()
  return (word, instead) => (te(`reason.${word}`) ? t(`reason.${word}`) : (instead ?? word))
}
