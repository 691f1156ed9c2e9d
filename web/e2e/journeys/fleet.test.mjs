// The fleet in the hands of a developer: waking something at night with a
// phone, asking why something is off, and a server that goes away.
import assert from 'node:assert/strict'

import { journey } from '../harness/journey.mjs'

journey('wake a stopped environment for two hours with a phone', { window: 'phone', theme: 'dark' }, async ({ page, t, world, me }) => {
  await me.signedIn(await world.newKey('operator', { label: 'Night owl' }))
  await me.open('/')
  let touches = 0
  const touch = async (what) => {
    await what.scrollIntoViewIfNeeded()
    await what.tap()
    touches++
  }

  await touch(page.getByRole('button', { name: t('fleet.wakeOne', { name: 'evenings' }) }).first())
  const sheet = page.getByRole('dialog', { name: t('fleet.wakeTitle', { name: 'evenings' }) })
  // Two hours are chosen already, and what that does stands there before the second touch.
  await sheet.getByText(t('fleet.effects.starts', { count: 3, n: 3 })).waitFor()
  await me.sound('what waking does')
  await touch(sheet.getByRole('button', { name: t('fleet.wakeAct') }))
  await sheet.waitFor({ state: 'hidden' })
  assert.ok(touches <= 3, `${touches} touches`)

  const { body } = await world.ask('GET', '/overrides')
  const [made] = body.items ?? body.overrides
  assert.match(made.author, /^Night owl \(key:\w{8}\)$/)
  const hours = (Date.parse(made.until) - Date.now()) / 3_600_000
  assert.ok(hours > 1.9 && hours <= 2, `it lasts ${hours} hours`)
  await world.until('/resources?schedule=evenings', (fleet) => fleet.items.every((one) => one.state === 'running'), 100_000)
  await me.open('/fleet?schedule=evenings')
  await page.getByText(t('words.state.running'), { exact: true }).first().waitFor()
  await me.sound('the fleet on a phone')
})

journey('find out why an instance is off', {}, async ({ page, t, world, me }) => {
  await me.signedIn(await world.newKey('viewer'))
  await me.open('/')
  // With the keyboard: to the fleet, a search, and the page of the one that is found.
  await page.getByRole('link', { name: t('nav.fleet'), exact: true }).first().press('Enter')
  const search = page.getByRole('searchbox').or(page.getByPlaceholder(t('fleet.search'))).first()
  await search.fill('review')
  const found = page.getByRole('link', { name: 'review-app' }).first()
  await found.waitFor()
  await page.getByText('web-1', { exact: true }).first().waitFor({ state: 'hidden' })
  await found.press('Enter')
  await page.getByRole('heading', { name: 'review-app', level: 1 }).waitFor()

  // The reason in the reader's language, how it came about, and when it changes.
  const { body } = await world.ask('GET', '/resources?q=review-app')
  const [row] = body.items
  assert.equal(row.state, 'stopped')
  await page.getByText(t(`reason.${row.reason}`)).first().waitFor()
  await page.getByText('governed-by').or(page.getByText('"evenings"')).first().waitFor()
  await page.getByText(t('resource.willRun')).first().waitFor()
  await me.sound('why it is off')
})

journey('the server goes away and comes back', {}, async ({ page, t, watch, world, me }) => {
  await me.signedIn(world.key)
  await me.open('/activity')
  await page.getByRole('link', { name: t('nav.fleet'), exact: true }).first().click()
  await page.getByText('web-1', { exact: true }).first().waitFor()

  watch.offline = true
  await world.away()
  await page.getByText(t('layout.away')).waitFor()
  // What was there stays readable. A page that was never loaded can not come; one that was says what is wrong.
  assert.ok(await page.getByText('web-1', { exact: true }).first().isVisible())
  await page.getByRole('link', { name: t('nav.about'), exact: true }).first().click()
  await page.waitForTimeout(500)
  assert.ok(await page.getByText('web-1', { exact: true }).first().isVisible(), 'one stays where one is')
  await page.getByRole('link', { name: t('nav.activity'), exact: true }).first().click()
  await page.getByText(t('problem.offline')).first().waitFor()
  await me.sound('a page without its server')

  await world.serve()
  await page.getByText(t('layout.away')).waitFor({ state: 'hidden', timeout: 60_000 })
  await page.getByRole('button', { name: t('ui.retry') }).first().click({ timeout: 5_000 }).catch(() => undefined) // it may have come by itself
  await page.getByText(t('activity.events.daemon'), { exact: true }).first().waitFor()
  watch.offline = false
  // Nobody had to sign in again, and what happens now is shown by itself.
  await page.getByText(t('problem.offline')).first().waitFor({ state: 'hidden' })
  await world.ask('PUT', '/schedules/afterwards', { periods: ['around-now'] }, { headers: { 'If-None-Match': '*' } })
  await page.getByText('schedule/afterwards').first().waitFor()
  await me.sound('after the server came back')
})
