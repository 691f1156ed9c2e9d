// The accessibility rules that a program can check: WCAG 2.2 A and AA, and what is good practice besides.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

// What fails a journey. Minor findings are advice.
const grave = new Set(['moderate', 'serious', 'critical'])

/** Throws when a rule is broken anywhere on the page as it stands. */
export async function accessible(page, what) {
  // Over the browser's own protocol: the policy of the page holds for the page.
  await page.evaluate(`${source}; undefined`)
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }, resultTypes: ['violations'], preload: false }),
  )
  const found = violations
    .filter((violation) => grave.has(violation.impact))
    .map((violation) => `${violation.id} (${violation.impact}): ${violation.help}\n      ${violation.nodes.slice(0, 5).map((node) => `${node.target.join(' ')}  ${node.html.slice(0, 160)}  ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ''}`).join('\n      ')}`)
  if (found.length > 0) {
    throw new Error(`${what}: ${found.length} rules of accessibility are broken:\n    ${found.join('\n    ')}`)
  }
}
