import type { Language } from 'element-plus/es/locale/index.mjs'
import { shallowRef } from 'vue'
import { createI18n } from 'vue-i18n'

/** The languages of the page, each by its own name. */
export const locales = { en: 'English', 'zh-CN': '简体中文', ko: '한국어' } as const

export type Locale = keyof typeof locales

// One file for each language, which gathers that language's folder: a reader loads one of them.
const loaders: Record<Locale, () => Promise<{ default: Record<string, unknown>; element: Language }>> = {
  en: () => import('@/locales/en'),
  'zh-CN': () => import('@/locales/zh-CN'),
  ko: () => import('@/locales/ko'),
}

export const i18n = createI18n({
  legacy: false,
  locale: '',
  // Every language has every text (a test sees to that), so none falls back to another.
  fallbackLocale: false as const,
  messages: {},
  missing: (locale, key) => {
    // Before the first language is there, nothing is shown.
    if (locale !== '') reportError(new Error(`no text for ${key} in ${locale}`))
    return key
  },
})

/** The texts that Element Plus has of its own: months, "clear", "no data". */
export const elementLocale = shallowRef<Language>()

/** Loads a language, once, and shows the page in it. */
export async function show(locale: Locale): Promise<void> {
  const { global } = i18n
  const loaded = await loaders[locale]()
  if (!global.availableLocales.includes(locale as never)) global.setLocaleMessage(locale, loaded.default as never)
  elementLocale.value = loaded.element
  global.locale.value = locale as never
  document.documentElement.lang = locale
}

/** The language of the page that fits best what the browser asks for: `zh-Hans-SG` is 简体中文, `ko-KR` 한국어. */
export function bestLocale(wanted: readonly string[]): Locale {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split('-')[0]
    if (language === 'zh') return 'zh-CN'
    if (language === 'ko') return 'ko'
    if (language === 'en') return 'en'
  }
  return 'en'
}
