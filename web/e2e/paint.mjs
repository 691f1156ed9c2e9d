// Measures when Chromium first paints something of the overview:
//   node e2e/paint.mjs http://127.0.0.1:8080
// Five times, each in a browser of its own that has nothing in its cache.
import { chromium } from 'playwright-core'

const [address] = process.argv.slice(2)
if (!address) throw new Error('which address?')
const took = []
for (let n = 0; n < 5; n++) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox'] })
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
    await page.goto(address, { waitUntil: 'load', timeout: 30_000 })
    const paint = await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime, undefined, { timeout: 30_000 })
    took.push(await paint.jsonValue())
  } finally {
    await browser.close()
  }
}
took.sort((a, b) => a - b)
const ms = (n) => `${Math.round(n)} ms`
console.log(`${ms(took[2])} (${ms(took[0])}–${ms(took[4])} in ${took.length} browsers)`)
