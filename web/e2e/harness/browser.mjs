// Debian's Chromium, driven by playwright-core. CHROMIUM names another one.
import { existsSync } from 'node:fs'

import { chromium } from 'playwright-core'

import { accessible } from './axe.mjs'
import { Watch } from './watch.mjs'
import { words } from './words.mjs'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

export const windows = {
  wide: { width: 1440, height: 900 },
  phone: { width: 390, height: 844 },
}

// How long a step may wait for what it needs. Generous: the machine may build something meanwhile.
const stepLimit = 20_000

export async function launch() {
  if (!existsSync(executablePath)) {
    throw new Error(`${executablePath} is not there: install chromium (Debian: apt-get install chromium), or name one with CHROMIUM`)
  }
  // Without a sandbox of its own: as root Chromium refuses to start otherwise, and it only sees the loopback.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--font-render-hinting=none'] })
}

/** A person at a window: their language, theme and size, and what they meet. */
export async function visit(browser, world, { locale, window = 'wide', theme = 'light', timezone = 'Asia/Seoul' }) {
  const phone = window === 'phone'
  const context = await browser.newContext({
    baseURL: world.url,
    locale,
    timezoneId: timezone,
    colorScheme: theme,
    viewport: windows[window],
    deviceScaleFactor: phone ? 2 : 1,
    hasTouch: phone,
    isMobile: phone,
    reducedMotion: 'reduce',
  })
  context.setDefaultTimeout(stepLimit)
  const page = await context.newPage()
  const watch = new Watch(page)
  watch.restless = world.restless === true
  await watch.begin()
  const t = words(locale)
  return {
    page,
    context,
    watch,
    t,
    locale,
    window,

    /** Opens a page of the application and waits until it stands. */
    async open(path) {
      await page.goto(path)
      await watch.settled()
    },

    /** Signs in as the key, without the form: that one has a journey of its own. */
    async signedIn(key) {
      const answer = await context.request.post('/api/v1/session', { data: { key }, headers: { 'Sec-Fetch-Site': 'same-origin', Origin: world.url } })
      if (!answer.ok()) {
        throw new Error(`sign in: ${answer.status()} ${await answer.text()}`)
      }
    },

    /** What every page has to hold, as it stands now. */
    async sound(what) {
      await watch.settled()
      await watch.translated()
      await accessible(page, `${what} (${locale}, ${window}, ${theme})`)
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      if (wider > 1) {
        throw new Error(`${what} (${locale}, ${window}) is ${wider} px wider than its window`)
      }
      watch.check()
    },
  }
}
