// Capacity for a sale: an editor asks for it, somebody else approves what it costs, and it is given back.
import assert from 'node:assert/strict'

import { journey } from '../harness/journey.mjs'
import { World } from '../harness/world.mjs'

const extra = `
capacity: {approve_above: 0.5}
reservations:
  standing: {account: "111122223333", region: eu-central-1, instance_type: t3.small, zones: [eu-central-1a], count: 2, description: always there}
`

const start = () => World.start({ extra })

journey('reserve capacity, have it approved, give it back', { world: start }, async ({ page, t, world, me, watch, another }) => {
  await world.until('/reservations/standing/status', ({ held }) => held === 2)
  await me.signedIn(await world.newKey('editor', { label: 'Buyer' }))
  await me.open('/reservations')
  const heldOf = (held, wanted) => page.getByText(t('reservations.heldOf', { held, wanted }), { exact: true }).first()
  await page.getByRole('row').filter({ hasText: 'standing' }).getByText(t('reservations.heldOf', { held: '2', wanted: '2' })).waitFor()
  await me.sound('the list of reservations')
  await page.getByRole('link', { name: 'standing' }).click()
  await page.getByText(t('schedules.locked.text')).waitFor()
  await page.getByRole('heading', { name: t('reservations.chart.title') }).waitFor()
  await me.sound('a reservation of the file')

  // A zone of another region is refused at its field, and what was typed stays.
  await me.open('/new/reservation')
  const choose = async (label, option) => {
    // Its field lies below what is chosen in it.
    await page.getByRole('combobox', { name: label, exact: true }).click({ force: true })
    await page.getByRole('option', { name: option, exact: true }).click()
    await page.keyboard.press('Escape')
  }
  await page.getByPlaceholder('black-friday').fill('sale')
  await choose(t('reservations.field.account'), '111122223333 · shop')
  await choose(t('reservations.field.region'), 'eu-central-1')
  await page.getByPlaceholder('r5b.2xlarge').fill('m5.large')
  await page.getByRole('spinbutton', { name: t('reservations.field.count'), exact: true }).fill('8')
  const zones = page.getByRole('combobox', { name: t('reservations.field.zones') })
  await zones.click({ force: true })
  await zones.pressSequentially('us-east-1a')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Escape')
  watch.expect(422, /^\/api\/v1\/reservations\/sale$/)
  await page.getByRole('button', { name: t('schedules.save') }).click()
  await page.locator('.field.faulty').filter({ hasText: t('reservations.field.zones') }).getByRole('alert').waitFor()
  assert.equal(await page.getByPlaceholder('r5b.2xlarge').inputValue(), 'm5.large')
  await me.sound('a zone of another region')
  await zones.click({ force: true })
  await page.keyboard.press('Backspace')
  await page.getByRole('option', { name: 'eu-central-1b', exact: true }).click()
  await page.keyboard.press('Escape')

  // What it costs, and that somebody has to approve it, is said before it is saved.
  await page.getByRole('button', { name: t('schedules.save') }).click()
  const review = page.getByRole('dialog')
  await review.getByText('USD 0.77').waitFor()
  await review.getByText('dayshift reservation approve sale').waitFor()
  await me.sound('what a reservation costs')
  await review.getByRole('button', { name: t('schedules.review.action') }).click()
  await page.getByText(t('reservations.saved', { name: 'sale' })).waitFor()
  await page.getByText(t('reservations.problem.approval')).waitFor()
  await heldOf('0', '8').waitFor()
  assert.equal(await page.getByRole('button', { name: t('reservations.approve'), exact: true }).count(), 0, 'an editor approves nothing')
  await me.sound('a reservation that waits')

  // A second person sees who wants it and what it costs; then it is bought, and the first one sees it grow.
  const boss = await another()
  await boss.signedIn(world.key)
  await boss.open('/reservations/sale')
  await boss.page.getByRole('button', { name: t('reservations.approve'), exact: true }).click()
  const consent = boss.page.getByRole('dialog', { name: t('reservations.approveTitle', { name: 'sale' }) })
  await consent.getByText('Buyer').waitFor()
  await boss.sound('an approval')
  await consent.getByRole('button', { name: t('reservations.approve'), exact: true }).click()
  await boss.page.getByText(t('reservations.approved', { name: 'sale' })).waitFor()
  await boss.context.close()
  await heldOf('8', '8').waitFor()
  await page.getByText(t('activity.events.approved'), { exact: true }).waitFor()
  await me.sound('a reservation that is held')

  // Less is given back at once.
  await page.getByRole('button', { name: t('workloads.edit'), exact: true }).click()
  await page.getByRole('spinbutton', { name: t('reservations.field.count'), exact: true }).fill('3')
  await page.getByRole('button', { name: t('schedules.save') }).click()
  await page.getByRole('dialog').getByRole('button', { name: t('schedules.review.action') }).click()
  await heldOf('3', '3').waitFor()
  await page.getByText(t('activity.events.released'), { exact: true }).first().waitFor()
  await world.until('/reservations/sale/history', ({ points }) => points.some((p) => p.held === 8) && points.at(-1).held === 3)
})
