// A journey is one story of a person, told once in each language. It gets a
// world of its own and a window; what goes wrong on the way fails it, even when
// the person in the story would not have noticed.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { after, before, test } from 'node:test'

import { launch, visit } from './browser.mjs'
import { locales } from './words.mjs'
import { World } from './world.mjs'

let browser
before(async () => {
  browser = await launch()
})
after(async () => {
  await browser?.close()
})

const chosen = (process.env.JOURNEY_LOCALES ?? '').split(',').filter(Boolean)
const failures = process.env.JOURNEY_FAILURES ?? fileURLToPath(new URL('../../../bin/journeys/', import.meta.url))

// A journey that hangs is cut off; the slowest takes a third of this on two processors.
const limit = 360_000

/** Tells the story in each of its languages, all of them where it names none: `tell({world, me, t, page, ...})`. */
export function journey(name, { window = 'wide', theme = 'light', languages = locales, world: start = () => World.start() }, tell) {
  for (const locale of chosen.length > 0 ? chosen : languages) {
    test(`${name} (${locale})`, { timeout: limit }, async () => {
      const world = await start()
      try {
        const me = await visit(browser, world, { locale, window, theme })
        try {
          await tell({ world, me, page: me.page, t: me.t, watch: me.watch, locale, another: (options) => visit(browser, world, { locale, ...options }) })
          await me.watch.translated()
          me.watch.check()
        } catch (error) {
          mkdirSync(failures, { recursive: true })
          const file = join(failures, `${name} ${locale}.png`.replaceAll(/[^\w.-]+/g, '-'))
          await me.page.screenshot({ path: file }).catch(() => undefined)
          error.message += `\n  at ${me.page.url()}, seen in ${file}${me.watch.faults.length > 0 ? `\n  on the way:\n    ${[...new Set(me.watch.faults)].join('\n    ')}` : ''}`
          throw error
        } finally {
          await me.context.close()
        }
      } finally {
        await world.stop()
      }
    })
  }
}
