// Every page, as it stands: nothing in the console, nothing untranslated, no
// grave fault of accessibility, nothing wider than the window, and names that
// people gave are text.
import assert from 'node:assert/strict'

import { journey } from '../harness/journey.mjs'
import { hostile } from '../harness/world.mjs'

async function every({ page, me, world, watch }) {
  const faults = [] // of all pages, so that one run tells of all
  await me.signedIn(world.key)
  const { body: fleet } = await world.ask('GET', '/resources?limit=500')
  const odd = fleet.items.find((one) => one.name === hostile)
  assert.ok(odd, 'the simulated cloud has an instance with a hostile name')
  // Something for the record, the overview and the lists.
  await world.ask('POST', '/overrides', { target: `resource:${odd.id}`, state: 'running', for: '2h', reason: hostile })
  await world.ask('PUT', '/schedules/from-the-page', { periods: ['around-now'], description: hostile }, { headers: { 'If-None-Match': '*' } })

  await world.ask('PUT', '/reservations/of-the-page', { account: '111122223333', region: 'eu-central-1', instance_type: 't3.small', zones: ['eu-central-1a', 'eu-central-1b'], count: 6, alternatives: [{ zone: 'eu-central-1c' }], description: hostile }, { headers: { 'If-None-Match': '*' } })
  await world.until('/reservations/of-the-page/status', ({ held }) => held === 6)

  for (const path of ['/', '/fleet', `/fleet/${odd.ref}`, '/schedules', '/schedules/office', '/schedules/from-the-page', '/new/schedule', '/holidays', '/exceptions', '/rules', '/new/rule', '/workloads', '/new/workload', '/reservations', '/reservations/of-the-page', '/reservations/of-the-page/definition', '/new/reservation', '/activity', '/health', '/keys', '/about', '/signin', '/no-such-page']) {
    try {
      await me.open(path)
      await page.getByRole('heading', { level: 1 }).first().waitFor()
      await me.sound(path)
      assert.notEqual(await page.title(), 'owned', `${path} took a name for markup`)
      assert.equal(await page.locator('img[src="x"]').count(), 0, `${path} took a name for markup`)
    } catch (error) {
      faults.push(`${path}: ${error.message}`)
      watch.faults = []
    }
  }
  assert.equal(faults.length, 0, faults.join('\n'))
}

journey('every page, wide and light', {}, every)
journey('every page, on a phone in the dark', { window: 'phone', theme: 'dark' }, every)
