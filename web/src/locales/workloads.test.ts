import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

// Every word that a run can say is there in the page's languages: the words are read from where Go has them.
const source = join(import.meta.dirname, '../../../internal/workload')
const groups = { Reason: 'why', Status: 'status', Phase: 'phase', Step: 'step', End: 'end' }

function constants(type: string): string[] {
  const code = readdirSync(source)
    .filter((file) => file.endsWith('.go') && !file.endsWith('_test.go'))
    .map((file) => readFileSync(join(source, file), 'utf8'))
    .join('\n')
  return [...code.matchAll(new RegExp(`^\\t\\w+\\s+${type}\\s+=\\s+"([^"]+)"`, 'gm'))].map((m) => m[1] ?? '')
}

it.runIf(existsSync(source)).each(Object.entries(groups))('every %s of a run has its words', (type, group) => {
  const wanted = constants(type)
  expect(wanted.length).toBeGreaterThan(4)
  for (const language of ['en', 'zh-CN', 'ko']) {
    const texts = JSON.parse(readFileSync(join(import.meta.dirname, language, 'workloads.json'), 'utf8')) as Record<string, Record<string, string>>
    expect(Object.keys(texts[group] ?? {}).sort(), language).toEqual([...wanted].sort())
  }
})
