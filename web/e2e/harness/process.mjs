// Programs that a journey starts and ends: by their process ID, whatever
// becomes of the journey.
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'

// How long a program may take to say that it is there. A machine that builds
// something else meanwhile is slow.
const startLimit = 60_000
// How long it may take to end after SIGTERM before it is killed.
const endLimit = 10_000

const alive = new Set()
process.on('exit', () => {
  for (const child of alive) {
    child.kill('SIGKILL')
  }
})
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => process.exit(1))
}

/** A port of the loopback that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** A program under way: what it said, a wait for words in that, and its end. */
export class Program {
  constructor(command, args, options) {
    this.name = [command.split('/').at(-1), args[0]].join(' ')
    this.said = ''
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    alive.add(this.child)
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => {
        this.said += `\n${error.message}`
        resolve(-1)
      })
      this.child.once('exit', (code) => {
        alive.delete(this.child)
        resolve(code ?? -1)
      })
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        this.said += text
      })
    }
  }

  /** The first match of the pattern in what the program says. */
  async says(pattern, limit = startLimit) {
    const deadline = Date.now() + limit
    let over = false
    void this.ended.then(() => {
      over = true
    })
    for (;;) {
      const match = pattern.exec(this.said)
      if (match) {
        return match
      }
      if (over || Date.now() > deadline) {
        throw new Error(`${this.name} ${over ? 'ended' : `was silent for ${limit / 1000} s`} before it said ${pattern}:\n${this.said}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) {
      return
    }
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), endLimit)
    await this.ended
    clearTimeout(timer)
  }
}
