// The words of the page, read from the same files as the page reads, so that a
// journey finds a button by what a person reads on it in their language.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const locales = ['en', 'zh-CN', 'ko']

const folder = fileURLToPath(new URL('../../src/locales/', import.meta.url))
const read = new Map()

/** Every message of a locale as one object, by area. */
export function messages(locale) {
  if (!read.has(locale)) {
    const areas = readdirSync(join(folder, locale)).filter((name) => name.endsWith('.json'))
    read.set(locale, Object.fromEntries(areas.map((name) => [name.slice(0, -'.json'.length), JSON.parse(readFileSync(join(folder, locale, name), 'utf8'))])))
  }
  return read.get(locale)
}

/**
 * The message of a key ("signin.title") with its placeholders filled, or the
 * forms of a plural as they are chosen for `n`. A key that is not there is an
 * error here: a journey never looks for a word that the page can not show.
 */
export function words(locale) {
  return function t(key, values = {}) {
    let message = messages(locale)
    for (const part of key.split('.')) {
      message = message?.[part]
    }
    if (typeof message !== 'string') {
      throw new Error(`no message ${key} in ${locale}`)
    }
    const forms = message.split(' | ')
    if (forms.length > 1) {
      const n = values.n ?? values.count ?? 2
      message = forms.length === 3 ? forms[Math.min(n, 2)] : forms[n === 1 ? 0 : 1]
    }
    return message.replace(/\{'([^']*)'\}/g, '$1').replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole))
  }
}

/** Every key of every area, with dots: what must never be read on a page. */
export function areas() {
  return Object.keys(messages('en'))
}
