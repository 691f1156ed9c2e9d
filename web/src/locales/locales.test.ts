import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createI18n } from 'vue-i18n'

const here = import.meta.dirname
const languages = ['en', 'zh-CN', 'ko']

type Texts = Map<string, string>

function flatten(value: unknown, path: string, out: Texts): Texts {
  if (typeof value === 'string') out.set(path, value)
  else for (const [name, inner] of Object.entries(value as Record<string, unknown>)) flatten(inner, `${path}.${name}`, out)
  return out
}

function texts(language: string): Texts {
  const out: Texts = new Map()
  for (const file of readdirSync(join(here, language))) {
    flatten(JSON.parse(readFileSync(join(here, language, file), 'utf8')), file.replace('.json', ''), out)
  }
  return out
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'locales' ? [] : sources(path)
    return /\.(vue|ts)$/.test(entry.name) && !/\.(test|gen)\.ts$/.test(entry.name) ? [readFileSync(path, 'utf8')] : []
  })
}

const all = new Map(languages.map((language) => [language, texts(language)]))
const english = all.get('en') ?? new Map<string, string>()
const code = sources(join(here, '..')).join('\n')
const placeholders = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()

describe('texts', () => {
  it('are there in every language, under the same keys', () => {
    for (const language of languages) {
      expect([...(all.get(language)?.keys() ?? [])].sort(), language).toEqual([...english.keys()].sort())
    }
  })

  it('are not empty, and hold the same placeholders in every language', () => {
    const wrong: string[] = []
    for (const [key, text] of english) {
      for (const language of languages) {
        const other = all.get(language)?.get(key) ?? ''
        if (other.trim() === '') wrong.push(`${language} ${key} is empty`)
        if (placeholders(other).join() !== placeholders(text).join()) wrong.push(`${language} ${key} has ${placeholders(other).join()}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('are ones that the reader of messages takes', { timeout: 60_000 }, () => {
    const wrong: string[] = []
    for (const language of languages) {
      const { global } = createI18n({ legacy: false, locale: language, messages: { [language]: {} } })
      for (const [key, text] of all.get(language) ?? []) {
        const named = Object.fromEntries(placeholders(text).map((p) => [p.slice(1, -1), 'X']))
        try {
          global.rt(text, { named, plural: 2 } as never)
        } catch (error) {
          wrong.push(`${language} ${key}: ${String(error)}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  it('are all used', () => {
    // Keys that are put together name their begin: t(`reason.${word}`).
    const begins = [...code.matchAll(/[`'"]([\w-]+(?:\.[\w-]+)*\.)\$\{/g)].map((m) => m[1] ?? '')
    const literal = new Set([...code.matchAll(/[`'"]([\w-]+(?:\.[\w-]+)+)[`'"]/g)].map((m) => m[1]))
    const unused = [...english.keys()].filter((key) => !literal.has(key) && !begins.some((begin) => key.startsWith(begin)))
    expect(unused).toEqual([])
  })

  it('are all there that the code asks for', () => {
    const asked = [...code.matchAll(/\b(?:t|te|rt)\(\s*'([^']+)'/g)].map((m) => m[1] ?? '')
    const keypaths = [...code.matchAll(/keypath="([^"]+)"/g)].map((m) => m[1] ?? '')
    expect([...new Set([...asked, ...keypaths])].filter((key) => !english.has(key))).toEqual([])
  })
})
