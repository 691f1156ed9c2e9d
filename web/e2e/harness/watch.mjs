// What no journey may meet, whatever it is about: an error in the console, a
// report of the content security policy, a request that fails, a text without
// a translation. A journey names the failures that it provokes on purpose.

import { areas } from './words.mjs'

/**
 * Watches a page from before its first request. `expected` lists what is
 * provoked: {status, path} for an answer (path is a RegExp), or 'offline' while
 * the server is away.
 */
export class Watch {
  constructor(page) {
    this.page = page
    this.faults = []
    this.expected = []
    this.offline = false
    // The demo's clock is so fast that a page may ask without a pause.
    this.restless = false
    this.pending = new Set()
  }

  async begin() {
    const { page } = this
    await page.exposeBinding('journeyReportsPolicy', (_source, text) => this.faults.push(`content security policy: ${text}`))
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        globalThis.journeyReportsPolicy(`${event.violatedDirective} refused ${event.blockedURI} at ${event.sourceFile}:${event.lineNumber} ${event.sample}`)
      })
    })
    page.on('pageerror', (error) => this.faults.push(`uncaught: ${error.stack ?? error.message}`))
    page.on('console', (message) => this.#console(message))
    page.on('request', (request) => {
      if (!isStream(request.url())) {
        this.pending.add(request)
      }
    })
    page.on('requestfinished', (request) => this.pending.delete(request))
    page.on('requestfailed', (request) => {
      this.pending.delete(request)
      const why = request.failure()?.errorText ?? ''
      // A page that is left, or a question that is asked anew, ends the one under way.
      if (!this.offline && why !== 'net::ERR_ABORTED') {
        this.faults.push(`request failed: ${request.method()} ${request.url()} ${why}`)
      }
    })
    page.on('response', (response) => {
      if (response.status() >= 400 && !this.offline && !this.#isExpected(response.status(), response.url())) {
        this.faults.push(`answer ${response.status()}: ${response.request().method()} ${response.url()}`)
      }
      const outside = new URL(response.url())
      if (outside.protocol.startsWith('http') && outside.hostname !== '127.0.0.1') {
        this.faults.push(`something was asked for elsewhere: ${response.url()}`)
      }
    })
  }

  /** From now on the answer is part of the journey. */
  expect(status, path) {
    this.expected.push({ status, path })
  }

  #isExpected(status, url) {
    return this.expected.some((one) => one.status === status && one.path.test(new URL(url).pathname))
  }

  #console(message) {
    const type = message.type()
    const text = message.text()
    const { url } = message.location()
    if (type === 'error') {
      const status = Number(/status of (\d{3})/.exec(text)?.[1] ?? 0)
      const network = text.startsWith('Failed to load resource')
      if (network && (this.offline || (status > 0 && url && this.#isExpected(status, url)))) {
        return
      }
      this.faults.push(`console: ${text} (${url})`)
    } else if (type === 'warning' && /\[Vue warn\]|\[intlify\]|ElementPlusError|Element Plus/i.test(text)) {
      this.faults.push(`console: ${text}`)
    }
  }

  /** Waits until nothing is under way: no request but the event stream, nothing that says it is busy. */
  async settled(limit = this.restless ? 4_000 : 20_000) {
    const deadline = Date.now() + limit
    let quiet = 0
    while (quiet < 3) {
      await this.page.waitForTimeout(100)
      const busy = this.pending.size > 0 || (await this.page.locator('[aria-busy="true"]:visible').count()) > 0
      quiet = busy ? 0 : quiet + 1
      if (Date.now() > deadline && this.restless) {
        return
      }
      if (Date.now() > deadline) {
        const open = [...this.pending].map((request) => request.url()).join(' ')
        throw new Error(`${this.page.url()} did not settle within ${limit / 1000} s: ${open || 'something is still marked busy'}`)
      }
    }
  }

  /** Fails when a text was not translated, or reads as a key of the locales. */
  async translated() {
    const seen = await this.page.evaluate((names) => {
      const key = new RegExp(`(^|\\s)(${names.join('|')})(\\.[A-Za-z0-9_-]+)+($|\\s)`)
      const found = []
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        // Code and what people named themselves may look like anything.
        if (key.test(node.data) && !node.parentElement?.closest('code, pre, [data-verbatim]')) {
          found.push(node.data.trim())
        }
      }
      for (const element of document.querySelectorAll('[aria-label], [title], [placeholder]')) {
        for (const name of ['aria-label', 'title', 'placeholder']) {
          const value = element.getAttribute(name) ?? ''
          if (key.test(value)) {
            found.push(value)
          }
        }
      }
      return found
    }, areas())
    for (const text of seen) {
      this.faults.push(`a key is shown: ${text} on ${this.page.url()}`)
    }
  }

  /** Throws with everything that was met. */
  check() {
    const faults = [...new Set(this.faults)]
    this.faults = []
    if (faults.length > 0) {
      throw new Error(`${faults.length} faults on the way:\n  ${faults.join('\n  ')}`)
    }
  }
}

function isStream(url) {
  return new URL(url).pathname.endsWith('/api/v1/events')
}
