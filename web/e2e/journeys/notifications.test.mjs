// Where people are told: a test of a channel, one that takes nothing, what it did not take, and what messages look like.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'

import { journey } from '../harness/journey.mjs'
import { World } from '../harness/world.mjs'

/** A chat system: what it was posted at each path, and the status that it answers there. */
async function rooms() {
  const got = { ops: [], team: [] }
  const status = { ops: 200, team: 410 }
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => (body += part))
    request.on('end', () => {
      const room = request.url.split('/')[1]
      if (status[room] === 200) got[room].push(JSON.parse(body))
      response.writeHead(status[room] ?? 404).end('ok')
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { got, status, port: server.address().port, close: () => new Promise((resolve) => server.close(resolve)) }
}

let chat
const start = async () => {
  chat = await rooms()
  const address = (room) => `"http://127.0.0.1:${chat.port}/${room}/canary-of-the-path"`
  return World.start({
    extra: `
page_url: http://127.0.0.1:8080
channels:
  ops: {type: slack, url: ${address('ops')}, allow_private: true, language: ko}
  office-team: {type: jandi, url: ${address('team')}, allow_private: true, kinds: [stopping, failed, stop-warning], schedules: [office]}
  a-room-of-the-night-shift: {type: slack, url: ${address('ops')}, allow_private: true, kinds: [silent]}
  a-room-of-the-data-team: {type: slack, url: ${address('ops')}, allow_private: true, kinds: [silent]}
`,
  })
}

journey('see whom is told, and have sent again what was not taken', { world: start }, async ({ page, t, world, me, another }) => {
  try {
    await me.signedIn(await world.newKey('operator', { label: 'Kim' }))
    await me.open('/notifications')
    const card = (name) => page.getByRole('article', { name, exact: true })
    await card('ops').getByText(`127.0.0.1:${chat.port}`).waitFor()
    assert.ok(!(await page.content()).includes('canary-of-the-path'), 'the path of an address is a secret')
    await page.getByRole('table').getByText(t('notifications.routes.some')).first().waitFor({ state: 'attached' })
    await me.sound('the channels')
    const phone = await another({ window: 'phone', theme: 'dark' })
    try {
      await phone.signedIn(world.key)
      await phone.open('/notifications')
      await phone.page.getByRole('table').getByText(t('notifications.routes.some')).first().waitFor({ state: 'attached' })
      await phone.sound('the channels on a phone')
    } finally {
      await phone.context.close()
    }

    // A test goes out at once, in the channel's language and with the name of who asked; a channel that is broken says why.
    await card('ops').getByRole('button', { name: t('notifications.test.action') }).click()
    await card('ops').getByText(t('notifications.test.delivered', { name: 'ops' })).waitFor()
    assert.match(JSON.stringify(chat.got.ops), /Kim/)
    assert.match(JSON.stringify(chat.got.ops), /테스트/)
    await card('office-team').getByRole('button', { name: t('notifications.test.action') }).click()
    await card('office-team').getByText(t('notifications.test.final')).waitFor()
    await me.sound('tests of channels')

    // What a channel refuses is given up, and seen.
    await world.ask('POST', '/overrides', { target: 'web-1', state: 'stopped', for: '1h', reason: 'journey' })
    await world.until('/deliveries?state=dead', ({ items }) => items.length > 0)
    const resend = card('office-team').getByRole('button', { name: t('notifications.again.all', { n: '1' }) })
    await resend.waitFor()
    const dead = page.getByRole('listitem').filter({ hasText: 'office-team' }).filter({ hasText: '410' }).first()
    await dead.waitFor()
    await dead.getByRole('button', { name: t('notifications.deliveries.lines') }).click()
    await dead.getByText('web-1').first().waitFor()
    await me.sound('a message that was given up')

    // Of one channel alone.
    const messages = page.getByRole('region', { name: t('notifications.deliveries.title') })
    await messages.getByRole('combobox').click({ force: true })
    await page.getByRole('option', { name: 'ops', exact: true }).click()
    await dead.waitFor({ state: 'detached' })
    await messages.getByRole('combobox').click({ force: true })
    await page.getByRole('option', { name: t('notifications.deliveries.everyChannel') }).click()
    await dead.waitFor()

    // The room is mended, and the message comes.
    chat.status.team = 200
    await dead.getByRole('button', { name: t('notifications.again.action'), exact: true }).click()
    await world.until('/deliveries?channel=office-team&state=sent', ({ items }) => items.length > 0)
    assert.match(JSON.stringify(chat.got.team), /web-1/)
    await resend.waitFor({ state: 'detached' })
    await page.getByRole('listitem').filter({ hasText: 'office-team' }).getByText(t('notifications.deliveries.states.sent'), { exact: true }).first().waitFor()

    // What a warning looks like there, in the channel's language, whatever the reader's.
    await card('ops').getByRole('button', { name: t('notifications.preview.action') }).click()
    const dialog = page.getByRole('dialog', { name: t('notifications.preview.title', { name: 'ops' }) })
    await dialog.getByText('리소스 2개가 곧 중지됩니다').first().waitFor()
    await dialog.locator('summary').click()
    await dialog.getByText('"attachments"').waitFor()
    await me.sound('a preview')
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
  } finally {
    await chat.close()
  }
})
