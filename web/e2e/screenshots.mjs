// Pictures of every page of the demo: wide and phone, light and dark, in each
// language, into the folder that is named. With DOCS=FOLDER the few that the
// README shows are written there too; ONLY, a pattern, names those that are wanted
// (ONLY=keys-ko).
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { launch, visit } from './harness/browser.mjs'
import { locales } from './harness/words.mjs'
import { World } from './harness/world.mjs'

const folder = process.argv[2] ?? 'bin/screenshots'
const docs = process.env.DOCS
const only = new RegExp(process.env.ONLY ?? '')

// How much of its day the demo has lived before it is pictured, in milliseconds: enough for something to have happened.
const warmUp = 20_000

const pages = {
  overview: '/',
  fleet: '/fleet',
  resource: null, // the first of the fleet
  schedules: '/schedules',
  schedule: '/schedules/seoul-office',
  'schedule-new': '/new/schedule',
  holidays: '/holidays',
  exceptions: '/exceptions',
  rules: '/rules',
  rule: '/rules/notebooks-off',
  'rule-new': '/new/rule',
  workloads: '/workloads',
  workload: '/workloads/payments',
  'workload-edit': '/workloads/payments/definition',
  'workload-new': '/new/workload',
  reservations: '/reservations',
  reservation: '/reservations/week-of-the-sale',
  'reservation-edit': '/reservations/week-of-the-sale/definition',
  'reservation-new': '/new/reservation',
  notifications: '/notifications',
  activity: '/activity',
  health: '/health',
  keys: '/keys',
  about: '/about',
  signin: '/signin',
}

// What stands in the README, small enough for it.
const shown = new Set(['overview-en-wide-light', 'overview-ko-phone-dark', 'schedule-zh-CN-wide-light', 'fleet-en-phone-dark'])

const world = await World.demo()
const browser = await launch()
let failed = 0
let taken = 0
try {
  await new Promise((resolve) => setTimeout(resolve, warmUp))
  const { body: fleet } = await world.ask('GET', '/resources?limit=1&state=running')
  pages.resource = `/fleet/${fleet.items[0].ref}`
  mkdirSync(folder, { recursive: true })
  if (docs) mkdirSync(docs, { recursive: true })
  for (const locale of locales) {
    for (const window of ['wide', 'phone']) {
      for (const theme of ['light', 'dark']) {
        const me = await visit(browser, world, { locale, window, theme })
        let signedIn = false
        for (const [name, path] of Object.entries(pages)) {
          const picture = `${name}-${locale}-${window}-${theme}`
          if (!only.test(picture)) continue
          try {
            if (name === 'signin') await me.context.clearCookies()
            else if (!signedIn) {
              await me.signedIn(world.key)
              signedIn = true
            }
            await me.page.goto(path)
            await me.watch.settled()
            await me.page.screenshot({ path: join(folder, `${picture}.png`) })
            if (docs && shown.has(picture)) await me.page.screenshot({ path: join(docs, `${picture}.jpg`), type: 'jpeg', quality: 82, scale: 'css' })
            taken++
          } catch (error) {
            failed++
            process.stderr.write(`${picture}: ${error.message}\n`)
          }
        }
        await me.context.close()
      }
    }
  }
} finally {
  await browser.close()
  await world.stop()
}
process.stdout.write(`${folder}: ${taken} pictures\n`)
process.exitCode = failed > 0 ? 1 : 0
