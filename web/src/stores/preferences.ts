import { defineStore } from 'pinia'
import { ref } from 'vue'
import { askIn } from '@/api/client'
import { resync } from '@/api/events'
import { type Locale, bestLocale, locales, show } from '@/i18n'

export const themes = ['auto', 'light', 'dark'] as const

export type Theme = (typeof themes)[number]

function kept(name: string): string | null {
  try {
    return localStorage.getItem(`dayshift.${name}`)
  } catch {
    return null // storage is switched off; the choice holds for this visit
  }
}

function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`dayshift.${name}`, value)
  } catch {
    // as above
  }
}

/** What this browser's user chose for the page itself: language and colours. Kept in the browser only. */
export const usePreferences = defineStore('preferences', () => {
  const system = window.matchMedia('(prefers-color-scheme: dark)')
  const savedTheme = kept('theme')
  const savedLocale = kept('locale')
  const theme = ref<Theme>(themes.find((t) => t === savedTheme) ?? 'auto')
  const locale = ref<Locale>(
    savedLocale !== null && savedLocale in locales ? (savedLocale as Locale) : bestLocale(navigator.languages),
  )
  const dark = ref(false)
  askIn(locale.value)

  function paint(): void {
    dark.value = theme.value === 'dark' || (theme.value === 'auto' && system.matches)
    document.documentElement.classList.toggle('dark', dark.value)
  }
  system.addEventListener('change', paint)
  paint()

  function setTheme(value: Theme): void {
    theme.value = value
    keep('theme', value)
    paint()
  }

  async function setLocale(value: Locale): Promise<void> {
    await show(value)
    locale.value = value
    keep('locale', value)
    askIn(value)
    resync() // what the server said is on the page in the old language
  }

  return { theme, locale, dark, setTheme, setLocale }
})
