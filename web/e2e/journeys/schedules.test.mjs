// Schedules and rules in the hands of an editor.
import assert from 'node:assert/strict'

import { journey } from '../harness/journey.mjs'

journey('make a schedule by painting, preview, save, see it act', {}, async ({ page, t, world, me }) => {
  await me.signedIn(await world.newKey('editor', { label: 'Painter' }))
  await me.open('/schedules')
  await page.getByRole('button', { name: t('schedules.new') }).first().click()
  await page.getByPlaceholder('seoul-office').fill('painted')

  // Monday to Sunday, from the first hour to the last, in one stroke; then the last evening is taken back and painted anew by keyboard.
  const grid = page.getByRole('application')
  const box = await grid.boundingBox()
  await page.mouse.move(box.x + 3, box.y + 3)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 4 })
  await page.mouse.move(box.x + box.width - 3, box.y + box.height - 3, { steps: 4 })
  await page.mouse.up()
  await grid.focus()
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Space')
  await page.keyboard.press('Space')

  // What it would do is said before anything is saved.
  const effect = page.getByRole('heading', { name: t('schedules.effect.title') }).locator('..')
  await effect.getByText('to-paint').or(effect.getByText('1', { exact: false })).first().waitFor()
  await me.sound('the editor of a schedule')
  assert.equal((await world.ask('GET', '/resources?q=to-paint')).body.items[0].state, 'stopped', 'nothing happens before it is saved')
  await page.getByRole('button', { name: t('schedules.save') }).click()
  const confirm = page.getByRole('dialog').getByRole('button', { name: t('schedules.review.action') })
  await confirm.waitFor()
  await me.sound('the review of a schedule')
  await confirm.click()
  await page.getByText(t('schedules.saved', { name: 'painted' })).waitFor()
  const { body: saved } = await world.ask('GET', '/schedules/painted')
  assert.match(saved.author, /^Painter \(key:\w{8}\)$/)

  // It acts: the instance that carries its name comes up, and the page says so by itself.
  await me.open('/fleet?q=to-paint')
  await page.getByText('to-paint', { exact: true }).first().waitFor()
  await page.getByText(t('words.state.running'), { exact: true }).first().waitFor({ timeout: 100_000 })
  await me.open('/activity?q=to-paint')
  await page.getByText(t('activity.events.started'), { exact: true }).first().waitFor()
  await me.sound('activity')
})

journey('make a rule whose filter is mistyped', {}, async ({ page, t, world, me }) => {
  await me.signedIn(await world.newKey('editor'))
  await me.open('/new/rule')
  await page.getByPlaceholder('nightly-batch').fill('night')

  // A key that does not exist is a fault, told at the field.
  await page.getByRole('button', { name: t('rules.filter.asText') }).click()
  const filter = page.getByPlaceholder('tag:Name=batch-*,vpc-id=vpc-4085e027')
  await filter.fill('tga:Name=review-*')
  await page.getByText(t('rules.matches.faulty')).waitFor()
  assert.equal(await filter.getAttribute('aria-invalid'), 'true')
  await me.sound('a rule with a faulty filter')

  // A value that matches nothing is allowed, and asked about.
  await filter.fill('tag:Name=revew-*')
  await page.getByText(t('rules.matches.none')).waitFor()
  await filter.fill('tag:Name=review-*')
  await page.getByRole('link', { name: 'review-app' }).waitFor()
  await page.getByLabel(t('rules.expression.time'), { exact: true }).fill('22:30')
  await page.keyboard.press('Tab')
  await me.sound('a rule')

  await page.getByRole('button', { name: t('schedules.save') }).click()
  await page.getByRole('dialog').getByRole('button', { name: t('schedules.review.action') }).click()
  await page.getByText(t('rules.saved', { name: 'night' })).waitFor()
  const { body: rule } = await world.ask('GET', '/rules/night')
  assert.match(JSON.stringify(rule.spec), /tag:Name=review-\*/)
  assert.equal(rule.spec.action, 'stop')
})

journey('a stale edit that conflicts', {}, async ({ page, t, world, me, watch }) => {
  const put = (spec, headers) => world.ask('PUT', '/schedules/shared', spec, { headers })
  await put({ periods: ['around-now'], description: 'at first' }, { 'If-None-Match': '*' })
  await me.signedIn(await world.newKey('editor', { label: 'Second' }))
  await me.open('/schedules/shared')
  const note = page.getByLabel(t('schedules.field.description'), { exact: true }).first()
  await note.fill('mine')

  // Meanwhile somebody else was faster.
  const { headers } = await world.ask('GET', '/schedules/shared')
  await put({ periods: ['around-now'], description: 'theirs', timezone: 'Asia/Seoul' }, { 'If-Match': headers.get('ETag') })

  watch.expect(409, /^\/api\/v1\/schedules\/shared$/)
  watch.expect(412, /^\/api\/v1\/schedules\/shared$/)
  await page.getByRole('button', { name: t('schedules.save') }).click()
  const dialog = page.getByRole('dialog', { name: t('schedules.conflict.title') })
  const review = page.getByRole('dialog').getByRole('button', { name: t('schedules.review.action') })
  // Trying it out finds the conflict already, or else saving does.
  const ready = review.and(page.locator(':enabled'))
  await dialog.or(ready).first().waitFor()
  if (!(await dialog.isVisible())) await ready.click()
  await dialog.waitFor()
  await dialog.getByText('theirs', { exact: true }).waitFor()
  await dialog.getByText('mine', { exact: true }).waitFor()
  assert.equal((await world.ask('GET', '/schedules/shared')).body.spec.description, 'theirs', 'nothing was overwritten')
  await me.sound('the conflict')

  // One's own note, and the zone of the other: nothing of either is lost.
  await dialog.getByText('mine', { exact: true }).click()
  await dialog.getByRole('button', { name: t('schedules.conflict.goOn') }).click()
  await dialog.waitFor({ state: 'hidden' })
  if (!(await review.isVisible())) await page.getByRole('button', { name: t('schedules.save') }).click()
  await review.click()
  await page.getByText(t('schedules.saved', { name: 'shared' })).waitFor()
  const { body: after } = await world.ask('GET', '/schedules/shared')
  assert.deepEqual([after.spec.description, after.spec.timezone], ['mine', 'Asia/Seoul'])
})
