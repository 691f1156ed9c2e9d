// A workload in the hands of an editor: drawn up, started, watched, broken, undone.
import assert from 'node:assert/strict'

import { journey } from '../harness/journey.mjs'

// It takes the simulated AWS minutes, so it is told once; the walk through all pages sees these in every language.
journey('draw up a workload, see the cycle refused, start it, break a member, undo', { languages: ['ko'] }, async ({ page, t, world, me, watch }) => {
  await me.signedIn(await world.newKey('editor', { label: 'Drawer' }))
  await me.open('/workloads')
  await page.getByText(t('workloads.empty.title')).waitFor()
  await me.sound('no workloads')
  await page.getByRole('button', { name: t('workloads.new') }).first().click()
  await page.getByPlaceholder('shop', { exact: true }).fill('batch')

  const choose = async (label, option) => {
    // Its field lies below what is chosen in it.
    await page.getByRole('combobox', { name: label, exact: true }).click({ force: true })
    await page.getByRole('option', { name: option, exact: true }).click()
    await page.keyboard.press('Escape')
  }

  // Of one account alone: in the other one databases can not be listed, and who is a member would not be known.
  await page.getByText(t('workloads.narrow')).click()
  await choose(t('rules.field.accounts'), '111122223333 · shop')

  // Two tiers: the filters as text, what waits for what by choosing.
  const filter = page.getByPlaceholder('tag:Name=batch-*,vpc-id=vpc-4085e027')
  const tier = async (name, text) => {
    await page.getByPlaceholder('db', { exact: true }).fill(name)
    await page.getByRole('button', { name: t('rules.filter.asText') }).last().click()
    await filter.last().fill(text)
  }
  const after = (name, other) => choose(t('workloads.tier.dependsOf', { name }), other)
  await tier('first', 'tag:Name=to-paint')
  await page.getByRole('button', { name: t('workloads.addTier') }).click()
  await tier('second', 'tag:Name=review-app')
  await after('second', 'first')
  await page.getByRole('button', { name: 'first tag:Name=to-paint', exact: true }).click()
  await after('first', 'second')
  await me.sound('the editor of a workload')

  // Each waits for the other: refused with the path, and what was typed stays.
  watch.expect(422, /^\/api\/v1\/workloads\/batch$/)
  await page.getByRole('button', { name: t('schedules.save') }).click()
  await page.getByRole('alert').filter({ hasText: 'first → second → first' }).waitFor()
  assert.equal(await page.getByPlaceholder('shop', { exact: true }).inputValue(), 'batch')
  await me.sound('a circle of tiers')
  await after('first', 'second')
  await page.getByRole('button', { name: t('schedules.save') }).click()
  await page.getByRole('dialog').getByRole('button', { name: t('schedules.review.action') }).click()
  await page.getByText(t('workloads.saved', { name: 'batch' })).waitFor()

  // The plan is seen before it is done; the second one breaks on the way.
  await page.getByRole('button', { name: t('workloads.start'), exact: true }).click()
  const dialog = page.getByRole('dialog', { name: t('workloads.dialog.start', { name: 'batch' }) })
  await dialog.getByText('review-app').waitFor()
  assert.equal((await world.ask('GET', '/resources?q=to-paint')).body.items[0].state, 'stopped', 'nothing happens before it is confirmed')
  await me.sound('the plan of a start')
  await world.broken('review-app')
  await dialog.getByRole('button', { name: t('workloads.start'), exact: true }).click()
  await page.getByText(t('workloads.run.held')).waitFor({ timeout: 60_000 })
  await page.locator('[data-tier=first]').getByText(t('workloads.phase.done'), { exact: true }).waitFor()
  await page.locator('[data-tier=second]').getByRole('link', { name: 'review-app' }).waitFor()
  await me.sound('a run that waits')

  await page.getByRole('button', { name: t('workloads.can.undo'), exact: true }).click()
  await page.getByText(t('workloads.can.undoMeans')).waitFor()
  await page.getByRole('dialog').getByRole('button', { name: t('workloads.can.undo'), exact: true }).click()
  // A stop takes a minute in the simulated AWS, as it does in the real one.
  await page.getByText(t('workloads.status.undone'), { exact: true }).first().waitFor({ timeout: 120_000 })
  await world.until('/resources?q=to-paint', ({ items }) => items[0].state === 'stopped')
  await page.getByRole('table').getByRole('link', { name: t('workloads.status.undone') }).click()
  await page.getByRole('heading', { name: t('workloads.run.one', { name: 'batch' }) }).waitFor()
  await me.sound('a run of a workload')
})
