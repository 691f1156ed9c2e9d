// A world for one journey: a simulated AWS, a server over it, and keys for it,
// in a folder of its own, on ports that were free. Nothing is built here: the
// program is bin/dayshift, or what DAYSHIFT_BINARY names.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Program, freePort } from './process.mjs'

const binary = process.env.DAYSHIFT_BINARY ?? fileURLToPath(new URL('../../../bin/dayshift', import.meta.url))

// The day of the journeys is always the same seen from now: one period is under
// way, the other one is far off on both sides, whatever the clock says.
function clock(hours) {
  return new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16)
}

// Names that people may give to machines, and that no page may take for markup.
export const hostile = `<img src=x onerror="document.title='owned'">`

const fleet = `
accounts:
  - {id: "111122223333", name: shop, roles: [{name: dayshift, external_id: journey}]}
  - {id: "444455556666", name: data, roles: [{name: dayshift, external_id: journey, deny: ["rds:*"]}]}
resources:
  - {account: "111122223333", region: eu-central-1, kind: ec2, count: 4, name: "web-#", type: t3.small, tags: {Schedule: office, Env: staging}}
  - {account: "111122223333", region: eu-central-1, kind: rds, name: orders, tags: {Schedule: office, Env: staging}}
  - {account: "111122223333", region: eu-central-1, kind: ec2, name: review-app, type: t3.large, state: stopped, tags: {Schedule: evenings, Env: dev}}
  - {account: "111122223333", region: eu-central-1, kind: ec2, name: bastion, type: t3.micro, tags: {Schedule: office, "dayshift:protect": "true"}}
  - {account: "111122223333", region: ap-northeast-2, kind: ec2, count: 3, name: "매장-#", type: t3.medium, tags: {Schedule: office, Env: dev}}
  - {account: "111122223333", region: ap-northeast-2, kind: ec2, name: ${JSON.stringify(hostile)}, type: t3.medium, tags: {Schedule: office, Env: dev}}
  - {account: "111122223333", region: ap-northeast-2, kind: ec2, name: to-paint, type: t3.medium, state: stopped, tags: {Schedule: painted, Env: dev}}
  - {account: "444455556666", region: eu-central-1, kind: ec2, count: 2, name: "etl-##", type: m5.large, state: stopped, tags: {Schedule: evenings, Env: batch}}
`

function configuration(extra) {
  return `
timezone: UTC
store: sqlite:dayshift.db
accounts:
  - {id: "111122223333", name: shop, role: "arn:aws:iam::111122223333:role/dayshift", external_id: journey, regions: [eu-central-1, ap-northeast-2]}
  - {id: "444455556666", name: data, role: "arn:aws:iam::444455556666:role/dayshift", external_id: journey, regions: [eu-central-1]}
periods:
  around-now: {begintime: "${clock(-3)}", endtime: "${clock(9)}"}
  far-off: {begintime: "${clock(11)}", endtime: "${clock(14)}"}
schedules:
  office: {periods: [around-now], description: the working day}
  evenings: {periods: [far-off], description: who works late}
${extra}`
}

const keyPattern = /dsk_[0-9A-Za-z]{8}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}/

export class World {
  /** Starts a server over a simulated AWS. `extra` is YAML added to the configuration. */
  static async start({ extra = '' } = {}) {
    const world = new World()
    world.folder = mkdtempSync(join(tmpdir(), 'dayshift-journey-'))
    try {
      await world.#begin(extra)
    } catch (error) {
      await world.stop()
      throw error
    }
    return world
  }

  /** Starts the demo: a simulated cloud and a server on one fast clock. */
  static async demo({ speed = 1440 } = {}) {
    const world = new World()
    world.folder = mkdtempSync(join(tmpdir(), 'dayshift-journey-'))
    try {
      const port = await freePort()
      world.url = `http://127.0.0.1:${port}`
      world.server = world.#run(['demo', '--addr', `127.0.0.1:${port}`, '--speed', String(speed)], {})
      world.key = (await world.server.says(keyPattern))[0]
      world.restless = true
      await world.ready()
    } catch (error) {
      await world.stop()
      throw error
    }
    return world
  }

  #run(args, env) {
    if (!existsSync(binary)) {
      throw new Error(`${binary} is not there: run "make build" first, or name the program with DAYSHIFT_BINARY`)
    }
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_') && !name.startsWith('DAYSHIFT_')))
    return new Program(binary, args, { cwd: this.folder, env: { ...inherited, AWS_EC2_METADATA_DISABLED: 'true', ...env } })
  }

  async #begin(extra) {
    writeFileSync(join(this.folder, 'fleet.yaml'), fleet)
    writeFileSync(join(this.folder, 'dayshift.yaml'), configuration(extra))
    this.sim = this.#run(['sim', '--addr', '127.0.0.1:0', '--fleet', 'fleet.yaml', '--limits', 'off'], {})
    this.simURL = (await this.sim.says(/^http:\/\/\S+$/m))[0]
    this.port = await freePort()
    this.url = `http://127.0.0.1:${this.port}`
    await this.serve()
    this.key = (await this.server.says(keyPattern))[0]
    await this.until('/resources?limit=1', (fleet) => !fleet.looking && fleet.total > 0)
  }

  /** Starts the server, at the beginning and again after `away`. */
  async serve() {
    this.server = this.#run(['serve', '--config', 'dayshift.yaml', '--addr', `127.0.0.1:${this.port}`], {
      AWS_ENDPOINT_URL: this.simURL,
      AWS_ACCESS_KEY_ID: '111122223333',
      AWS_SECRET_ACCESS_KEY: 'any',
    })
    await this.ready()
  }

  /** Ends the server alone: the browser is left without it. */
  async away() {
    await this.server.stop()
  }

  async ready() {
    const deadline = Date.now() + 60_000
    for (;;) {
      const answer = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined)
      if (answer?.ok) {
        return
      }
      if (Date.now() > deadline || this.server.child.exitCode !== null) {
        throw new Error(`the server did not get ready: ${answer ? await answer.text() : 'no answer'}\n${this.server.said}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  /** Asks the API as a program does; gives the decoded answer, or throws with what was said. */
  async ask(method, path, body, { key = this.key, headers = {} } = {}) {
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    })
    const text = await answer.text()
    if (!answer.ok) {
      throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    }
    return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) }
  }

  /** Has the simulated AWS refuse to start an instance, by its name, from now on. */
  async broken(name) {
    const answer = await fetch(`${this.simURL}/_sim/faults`, { method: 'PUT', body: JSON.stringify([{ kind: 'cannot-start', resource: name, code: 'Unsupported', message: 'broken for the journey' }]), signal: AbortSignal.timeout(30_000) })
    if (!answer.ok) {
      throw new Error(`break ${name}: ${answer.status} ${await answer.text()}`)
    }
  }

  /** Makes a key of a role and gives its secret. */
  async newKey(role, more = {}) {
    const { body } = await this.ask('POST', '/keys', { label: `${role} of a journey`, role, ...more })
    return body.secret
  }

  /** Waits until the answer of the API is as wanted, and gives it. */
  async until(path, wanted, limit = 60_000) {
    const deadline = Date.now() + limit
    for (;;) {
      const { body } = await this.ask('GET', path)
      if (wanted(body)) {
        return body
      }
      if (Date.now() > deadline) {
        throw new Error(`GET ${path} did not become what was awaited within ${limit / 1000} s: ${JSON.stringify(body).slice(0, 2000)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }

  async stop() {
    await this.server?.stop()
    await this.sim?.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
