import { useI18n } from 'vue-i18n'

/** The server's words for states, kinds and actions in the reader's language; one that is not known is shown as it is. */
export function useWords() {
  const { t, te } = useI18n()
  const word = (group: string) => (value: string) => (te(`words.${group}.${value}`) ? t(`words.${group}.${value}`) : value)
  return { state: word('state'), kind: word('kind'), action: word('action'), wanted: word('wanted'), step: word('step') }
}
