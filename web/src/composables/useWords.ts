import { useI18n } from 'vue-i18n'

/** The server's words for states, kinds and actions in the reader's language; one that is not known is shown as it is. */
export function useWords() {
  const { t, te } = useI18n()
  const word = (group: string) => (value: string) => (te(`${group}.${value}`) ? t(`${group}.${value}`) : value)
  return { state: word('words.state'), kind: word('words.kind'), action: word('words.action'), wanted: word('words.wanted'), step: word('words.step') }
}
