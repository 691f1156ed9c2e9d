// The demo, as whoever tries the product first sees it.
import assert from 'node:assert/strict'

import { journey } from '../harness/journey.mjs'
import { World } from '../harness/world.mjs'

journey('the demo on a phone', { window: 'phone', world: () => World.demo() }, async ({ page, t, world, me }) => {
  await me.signedIn(world.key)
  await me.open('/')
  // Its tour of three sentences, and a clock that plainly is not the reader's.
  await page.getByText(t('overview.tour.act')).waitFor()
  await page.getByText('×1,440').first().waitFor()
  await me.sound('the overview of the demo')
  await page.getByRole('button', { name: t('overview.tour.close') }).click()
  await page.getByText(t('overview.tour.act')).waitFor({ state: 'hidden' })

  // The record is live: a row comes that was not there, without a reload.
  await me.open('/activity')
  const rows = page.locator('time[datetime]')
  await rows.first().waitFor()
  const before = await rows.first().getAttribute('datetime')
  await page.waitForFunction((at) => document.querySelector('time[datetime]')?.getAttribute('datetime') !== at, before, { timeout: 60_000 })
  await me.sound('activity of the demo')
  for (const path of ['/fleet', '/schedules', '/health']) {
    await me.open(path)
    await me.sound(`${path} of the demo`)
  }
  assert.ok(world.server.child.exitCode === null)
})
