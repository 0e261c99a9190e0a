// Runs lives of a queue: to their end, or until they are killed in the middle of something.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { dyingWithUs } from '../support/mounts.mjs'

const LIFE = fileURLToPath(new URL('life.mjs', import.meta.url))
/** A life that does nothing for so long is stuck, and what it holds is lost. */
const STUCK_MS = 60_000

/** A queue in a folder, over any number of lives; what they say is outside of what may be lost with the folder. */
export class Lives {
  #subject
  #folder
  #file

  constructor(subject, folder, file) {
    this.#subject = subject
    this.#folder = folder
    this.#file = file
    writeFileSync(file, '')
  }

  /** Every line so far, but for one that was cut off. */
  get lines() {
    return existsSync(this.#file) ? readFileSync(this.#file, 'utf8').split('\n').slice(0, -1) : []
  }

  /** Runs a life until it has said so many lines, and leaves it to the caller. It may end by itself before. */
  async until(count, ...task) {
    const child = this.#start(task)
    const enough = this.lines.length + count
    await this.#wait(() => child.ended || this.lines.length >= enough)
    return child
  }

  /** Kills it a moment after it has said so many lines. */
  async killAfter(count, delayMs, ...task) {
    const child = await this.until(count, ...task)
    await pause(delayMs)
    child.kill('SIGKILL')
    await child.gone
  }

  /** Runs a life to its end; false if it gets stuck or fails, which then is killed. */
  async finish(...task) {
    const child = this.#start(task)
    await this.#wait(() => child.ended)
    if (!child.ended) child.kill('SIGKILL')
    return (await child.gone) === 0
  }

  /** Waits for something, as long as lines come. */
  async #wait(done) {
    let seen = -1
    let since = Date.now()
    while (!done() && Date.now() - since < STUCK_MS) {
      await pause(2)
      if (this.lines.length !== seen) [seen, since] = [this.lines.length, Date.now()]
    }
  }

  #start(task) {
    const child = spawn(...dyingWithUs(process.execPath, [LIFE, this.#subject, this.#folder, this.#file, ...task]), { stdio: ['ignore', 'ignore', 'inherit'] })
    child.ended = false
    child.gone = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code))).finally(() => (child.ended = true))
    return child
  }
}
