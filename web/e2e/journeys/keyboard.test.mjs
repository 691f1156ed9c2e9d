// Without a mouse, and with a finger: where the keyboard is after each step, and
// whether what acts can be hit.
import assert from 'node:assert/strict'

import { journey } from '../harness/journey.mjs'

/** What has the focus: its name, and whether it is within what a selector finds. */
function focused(page, within = 'body') {
  return page.evaluate((selector) => {
    const element = document.activeElement
    return { id: element?.id ?? '', text: (element?.getAttribute('aria-label') ?? element?.textContent ?? '').trim(), inside: element?.closest(selector) !== null, body: element === document.body }
  }, within)
}

journey('by keyboard alone', {}, async ({ page, t, me, world }) => {
  await me.signedIn(world.key)
  await me.open('/exceptions')

  // Past everything that is the same on each page, to the content.
  await page.keyboard.press('Tab')
  assert.equal((await focused(page)).text, t('layout.skip'))
  await page.keyboard.press('Enter')
  assert.equal((await focused(page)).id, 'main')

  // A dialog takes the focus, keeps it, and gives it back.
  const open = page.getByRole('button', { name: t('calendar.add') })
  await open.focus()
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog')
  await dialog.waitFor()
  await page.waitForFunction(() => document.activeElement?.closest('[role="dialog"]') !== null)
  for (let n = 0; n < 12; n++) {
    await page.keyboard.press('Tab')
    assert.ok((await focused(page, '[role="dialog"]')).inside, `the keyboard left the dialog after ${n + 1} steps`)
  }
  await me.sound('a dialog')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
  await page.waitForFunction((name) => document.activeElement?.textContent?.trim() === name, t('calendar.add'))

  // A new page begins at its content, under its own name.
  await page.getByRole('link', { name: t('nav.rules') }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: t('nav.rules') }).waitFor()
  await page.waitForFunction(() => document.activeElement?.id === 'main')
  assert.equal(await page.title(), `${t('rules.title')} · Dayshift`)
  await me.open('/schedules/office')
  assert.equal(await page.title(), 'office · Dayshift')
})

journey('with a finger', { window: 'phone' }, async ({ page, t, me, world }) => {
  await me.signedIn(world.key)
  await me.open('/')

  // The rest of the pages lie over this one: the keyboard of the phone and what reads it are in there, and come back.
  const more = page.getByRole('button', { name: t('nav.more') })
  await more.click()
  await page.waitForFunction(() => document.activeElement?.closest('.drawer') !== null)
  await me.sound('the drawer')
  await page.keyboard.press('Escape')
  await page.locator('.drawer').waitFor({ state: 'detached' })
  assert.equal((await focused(page)).text, t('nav.more'))
  await more.click()
  await page.locator('.drawer').getByRole('link', { name: t('nav.rules') }).click()
  await page.waitForFunction(() => document.activeElement?.id === 'main')

  const small = []
  for (const path of ['/', '/fleet', '/schedules', '/schedules/office', '/new/schedule', '/holidays', '/exceptions', '/rules', '/new/rule', '/workloads', '/new/workload', '/activity', '/health', '/keys', '/signin']) {
    await me.open(path)
    for (const found of await page.locator('main .el-button, main .button, header.head button, body > #app > nav a, body > #app > nav button').all()) {
      const box = await found.boundingBox()
      if (box !== null && (box.height < 43.5 || box.width < 43.5)) small.push(`${path}: ${(await found.getAttribute('aria-label')) ?? (await found.textContent())} ${Math.round(box.width)}×${Math.round(box.height)}`)
    }
  }
  assert.equal(small.length, 0, `too small for a finger:\n${small.join('\n')}`)
})
