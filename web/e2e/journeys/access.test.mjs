// Who is let in, and how: first sight, signing in, and what a viewer is refused.
import assert from 'node:assert/strict'

import { journey } from '../harness/journey.mjs'
import { World } from '../harness/world.mjs'

journey('first sight without a key', {}, async ({ page, t, watch, me, world }) => {
  watch.expect(401, /^\/api\/v1\//)
  await me.open('/fleet')
  // Nothing of the fleet is shown, and it is said what to do.
  assert.equal(new URL(page.url()).pathname, '/signin')
  await page.getByRole('heading', { name: t('signin.title'), level: 1 }).waitFor()
  assert.ok(!(await page.locator('body').innerText()).includes('web-1'))
  await me.sound('sign in')

  await page.getByText(t('signin.none.title')).click()
  await page.getByText(t('signin.none.first')).waitFor()
  assert.ok(world.server.said.includes('dsk_'), 'the key that it speaks of was printed')

  // What the program is may be known without a key; which build of it, not.
  await me.open('/about')
  await page.getByText(t('about.what')).waitFor()
  await page.getByText(t('about.versionHidden')).waitFor()
  await me.sound('about, signed out')
})

journey('first sight where everybody may look', { world: () => World.start({ extra: 'auth: {anonymous: read}\n' }) }, async ({ page, t, me }) => {
  await me.open('/')
  assert.equal(new URL(page.url()).pathname, '/')
  await me.open('/fleet')
  await page.getByText('web-1', { exact: true }).first().waitFor()
  // Looking is all: nothing to act with is offered.
  assert.equal(await page.getByRole('button', { name: t('fleet.wakeShort') }).count(), 0)
  await me.sound('the fleet, anonymous')
  await me.open('/keys')
  await page.getByText(t('keys.refused.title')).waitFor()
})

journey('sign in with a key', {}, async ({ page, t, watch, world, me }) => {
  watch.expect(401, /^\/api\/v1\//)
  await me.open('/activity?event=started')
  const field = page.getByLabel(t('signin.key'), { exact: true })
  const submit = page.getByRole('button', { name: t('signin.submit'), exact: true })

  // A slip is found at once; a key that does not exist is refused with what to do.
  await field.fill(world.key.slice(0, -1))
  await submit.click()
  await page.getByText(t('signin.faults.shape')).waitFor()
  const { body: gone } = await world.ask('POST', '/keys', { label: 'gone', role: 'viewer' })
  await world.ask('DELETE', `/keys/${gone.id}`)
  await field.fill(gone.secret)
  await submit.click()
  await page.getByText(t('signin.faults.revoked')).or(page.getByText(t('signin.faults.refused'))).waitFor()

  // With the keyboard alone: the field has the focus again.
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.type(world.key)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: t('activity.title'), level: 1 }).waitFor()
  const at = new URL(page.url())
  assert.equal(at.pathname + at.search, '/activity?event=started', 'one is where one wanted to go')

  // The key is nowhere in the browser: a cookie that no script can read does it.
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, document.documentElement.outerHTML]))
  assert.ok(!kept.includes(world.key) && !kept.includes('dsk_'), 'the key is not kept')
  const cookie = (await me.context.cookies()).find((one) => one.name.includes('dayshift'))
  assert.ok(cookie?.httpOnly && cookie.sameSite === 'Lax')
  await page.reload()
  await page.getByRole('heading', { name: t('activity.title'), level: 1 }).waitFor()
  await me.sound('activity')
})

journey('a viewer who is refused', {}, async ({ page, t, watch, world, me }) => {
  await me.signedIn(await world.newKey('viewer', { label: 'Looker' }))
  await me.open('/fleet')
  await page.getByText('review-app', { exact: true }).first().waitFor()
  assert.equal(await page.getByRole('button', { name: t('fleet.wakeShort') }).count(), 0, 'no way to wake is offered')
  await me.sound('the fleet of a viewer')

  await me.open('/keys')
  await page.getByText(t('keys.refused.title')).waitFor()
  await me.sound('keys, refused')
  await me.open('/schedules')
  assert.equal(await page.getByRole('link', { name: t('schedules.new') }).count(), 0, 'no way to make a schedule is offered')
  await me.open('/health')
  assert.equal(await page.getByRole('button', { name: t('health.runs.now') }).count(), 0)

  // Who asks all the same, past the page, is refused by the server, with a problem that says so, and it is on record.
  watch.expect(403, /^\/api\/v1\//)
  const refused = await page.evaluate(async () => {
    const answer = await fetch('/api/v1/overrides', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ target: 'resource:review-app', state: 'running', for: '2h' }),
    })
    return { status: answer.status, problem: await answer.json() }
  })
  assert.equal(refused.status, 403)
  assert.match(refused.problem.type, /forbidden/)
  assert.equal((await world.ask('GET', '/overrides')).body.items?.length ?? 0, 0)
})

journey('a key is made, shown once, and revoked', {}, async ({ page, t, world, me }) => {
  await me.signedIn(world.key)
  await me.open('/keys')
  await page.getByRole('button', { name: t('keys.create') }).click()
  await page.getByLabel(t('keys.form.label'), { exact: true }).fill('<b>night</b> shift')
  await page.getByRole('radiogroup').getByText(t('keys.roles.operator'), { exact: true }).click()
  await page.getByLabel(t('keys.form.within'), { exact: true }).fill('tag:Env=dev')
  await me.sound('the form of a key')
  await page.getByRole('button', { name: t('keys.form.submitCreate') }).click()

  const secret = await page.getByLabel(t('keys.secret.field', { label: '<b>night</b> shift' })).inputValue()
  assert.match(secret, /^dsk_/)
  await page.keyboard.press('Escape')
  assert.ok(await page.getByText(t('keys.secret.once')).isVisible(), 'a slip of the hand does not lose it')
  await me.sound('the secret')
  const { body: seen } = await world.ask('GET', '/resources', undefined, { key: secret })
  assert.ok(seen.total > 0 && seen.items.every((one) => one.tags?.Env === 'dev'), 'it sees what its filter lets it')
  await page.getByRole('button', { name: t('keys.secret.kept') }).click()
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  assert.ok(!(await page.content()).includes(secret), 'it is not shown again')

  const row = page.getByRole('row').filter({ hasText: 'night' })
  await row.getByRole('button', { name: t('keys.revoke.action') }).click()
  await page.getByText(t('keys.revoke.effect')).waitFor()
  await page.getByRole('button', { name: t('keys.revoke.submit') }).click()
  await row.getByText(t('keys.states.revoked')).waitFor()
  await assert.rejects(world.ask('GET', '/resources', undefined, { key: secret }), /401/)
})
