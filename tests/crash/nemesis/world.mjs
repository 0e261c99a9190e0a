// The processes of one world: two that want the box, two producers, and a service. Each can be killed and paused, and each that
// was killed is replaced at once. Everything that is done to them is written down too.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { recordTo } from '../programs/say.mjs'

/** What should happen by itself and has not happened after so long never will. */
const STUCK_MS = 60_000

/** Who fills which place: `engines` are those of the two that want the box. */
const PLACES = ['owner1', 'owner2', 'producer1', 'producer2', 'service']

export class World {
  /** Whose lines lie in which file. @type {[string, string][]} */
  files = []
  #folder = mkdtempSync(join(tmpdir(), 'ackbox-nemesis-'))
  #engines
  #say
  /** What runs in each place. */
  #running = new Map()
  #lives = 0
  /** Names in the order in which they opened the box. */
  #opened = []
  #failure

  /** @param {[string, string]} engines of the two that want the box */
  constructor(engines) {
    this.#engines = engines
    this.#say = recordTo(this.#file('nemesis'))
  }

  get box() {
    return join(this.#folder, 'box')
  }

  /** Starts a process in every place; the service answers when this resolves. */
  async begin() {
    for (const place of [...PLACES].reverse()) {
      this.#start(place)
      if (place === 'service') await once(this.#running.get(place).child, 'message')
    }
  }

  /** The place of the process that owns the box now, as far as is known. */
  get owner() {
    const place = ['owner1', 'owner2'].find((each) => this.#running.get(each)?.name === this.#opened.at(-1))
    return place ?? 'owner1'
  }

  get standby() {
    return this.owner === 'owner1' ? 'owner2' : 'owner1'
  }

  /** Resolves when a process that runs now has the box. */
  async owned() {
    const runs = () => [...this.#running.values()].some(({ name }) => name === this.#opened.at(-1))
    while (!runs()) {
      const changes = ['owner1', 'owner2'].map((place) => this.#running.get(place).changed)
      await inTime(Promise.race(changes), 'nobody gets the box')
    }
  }

  /** Resolves when the owner has written down so many bytes more, or has gone. */
  async worked(bytes) {
    const { child, file, name } = this.#running.get(this.owner)
    const enough = statSync(file).size + bytes
    const done = () => child.exitCode !== null || statSync(file).size >= enough
    for (const end = Date.now() + STUCK_MS; !done(); await sleep(2)) if (Date.now() > end) throw new Error(`${name} does nothing`)
  }

  pause(place) {
    const { child, name } = this.#running.get(place)
    this.#say(`paused ${name}`)
    child.kill('SIGSTOP')
  }

  resume(place) {
    const { child, name } = this.#running.get(place)
    this.#say(`resumed ${name}`)
    child.kill('SIGCONT')
  }

  /** Kills a process and puts another one in its place. False if it had ended by itself, which is a failure. */
  async kill(place) {
    const { child, name, gone } = this.#running.get(place)
    this.#say(`killed ${name}`)
    child.kill('SIGKILL')
    const wasKilled = (await gone) === 'SIGKILL'
    this.#start(place)
    return wasKilled
  }

  /** Lets everything finish: first the producers, then the box. Rejects if something does not end, or ended badly. */
  async end() {
    await Promise.all(['producer1', 'producer2'].map((place) => this.#finish(place)))
    // Whoever has the box drains it and closes it; then the other one gets it, and finds nothing.
    await Promise.all(['owner1', 'owner2'].map((place) => this.#finish(place)))
    this.#running.get('service').child.kill('SIGTERM')
    await this.#running.get('service').gone
  }

  /** Ends what still runs, and removes what it left. */
  dispose() {
    for (const { child } of this.#running.values()) child.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** A file for what somebody says; it belongs to the history. */
  #file(name) {
    const file = join(this.#folder, `${name}.said`)
    this.files.push([name, file])
    return file
  }

  #start(place) {
    const name = `${place}.${(this.#lives += 1)}`
    const role = place.replace(/\d$/, '')
    const [doorway, service] = ['box.doorway', 'service.doorway'].map((file) => join(this.#folder, file))
    const file = this.#file(name)
    const args = { owner: [this.box, doorway, service, file], producer: [name, doorway, file], service: [service, file] }[role]
    const engine = this.#engines[place === 'owner2' ? 1 : 0]
    const child = fork(fileURLToPath(new URL(`${role}.mjs`, import.meta.url)), args, {
      stdio: ['pipe', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, NODE_OPTIONS: '', ACKBOX_ENGINE: engine },
    })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
    const gone = once(child, 'close').then(([code, signal]) => {
      this.#say(`died ${name} ${signal ?? code}`)
      if (stderr !== '' || !(signal === 'SIGKILL' || signal === 'SIGTERM' || code === 0)) this.#failure ??= `${name} ended with ${signal ?? code}: ${stderr}`
      return signal ?? code
    })
    const opened = once(child, 'message').then(() => role === 'owner' && this.#opened.push(name))
    this.#running.set(place, { child, name, file, gone, changed: Promise.race([opened, gone]) })
  }

  async #finish(place) {
    const { child, name, gone } = this.#running.get(place)
    child.stdin.end()
    await inTime(gone, `${name} does not end`)
    if (this.#failure !== undefined) throw new Error(this.#failure)
  }
}

async function inTime(promise, otherwise) {
  let timer
  const stuck = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(otherwise)), STUCK_MS)))
  return Promise.race([promise, stuck]).finally(() => clearTimeout(timer))
}
