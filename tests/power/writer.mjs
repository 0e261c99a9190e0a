// A writer in a process of its own, that can be stopped between any two of its calls to the kernel.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { dyingWithUs } from '../support/mounts.mjs'

const PROGRAM = fileURLToPath(new URL('programs/writer.mjs', import.meta.url))

export class Writer {
  #child
  #said
  #lines = 0
  #awaited = Infinity
  #wake = () => {}
  #ended

  /** `said` is the file that it writes what it says to. */
  constructor({ directory, durability, prefix, said }) {
    const [command, args] = dyingWithUs(process.execPath, [PROGRAM, directory, durability, prefix, said])
    const env = { ...process.env, NODE_OPTIONS: '', ACKBOX_ENGINE: 'native' }
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env })
    this.#said = said
    this.#ended = new Promise((resolve) => this.#child.once('close', (code, signal) => resolve(signal ?? code)))
    createInterface({ input: this.#child.stdout }).on('line', () => {
      this.#lines += 1
      if (this.#lines >= this.#awaited) this.#wake()
    })
  }

  /** Waits until it has said so many lines more. */
  async moreLines(count) {
    this.#awaited = this.#lines + count
    const enough = new Promise((resolve) => (this.#wake = resolve))
    const ending = await Promise.race([enough, this.#ended])
    if (ending !== undefined) throw new Error(`the writer ended with ${ending}`)
  }

  /** Stops it, and waits until the last of its threads has left the kernel. */
  async stop() {
    this.#child.kill('SIGSTOP')
    while (!this.#isStopped()) await nextTurn()
  }

  goOn() {
    this.#child.kill('SIGCONT')
  }

  async kill() {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** All that it has said, as facts. */
  facts() {
    const lines = readFileSync(this.#said, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line))
  }

  #isStopped() {
    const folder = `/proc/${this.#child.pid}/task`
    return readdirSync(folder).every((thread) => {
      const status = readFileSync(`${folder}/${thread}/stat`, 'utf8')
      return status.slice(status.lastIndexOf(')') + 2).startsWith('T')
    })
  }
}
