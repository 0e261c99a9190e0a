// Keeps the order service running: starts it, kills it as often as it is asked to, and starts it
// again.

import { fork } from 'node:child_process'

const SERVICE = new URL('service.mjs', import.meta.url)
/** Without any progress for so long the service is given up. */
const STUCK_MS = 30_000

export class Keeper {
  /** Lives of the service that SIGKILL really ended. */
  kills = 0
  /** What the service said last about its queue. */
  stats = { ready: 0, scheduled: 0, leased: 0, retried: 0, deadLetters: 0 }

  #args
  #shop
  #world
  #whenDone
  #service
  /** Why the running service is about to end: `'killed'`, `'done'`, `'stuck'`. */
  #end
  /** Counters of a service start at 0 with each life. */
  #retriesOfEarlierLives = 0

  /** `whenDone` is asked when every order is settled: whether the service may end. */
  constructor({ args, shop, world, whenDone }) {
    this.#args = args
    this.#shop = shop
    this.#world = world
    this.#whenDone = whenDone
  }

  get retries() {
    return this.#retriesOfEarlierLives + this.stats.retried
  }

  /** Resolves when every order is settled and the service has closed; rejects if that fails. */
  async run() {
    for (;;) {
      const { code, signal } = await this.#live()
      if (this.#end === 'done' && code === 0) return
      if (this.#end === 'stuck') throw new Error(`the service made no progress for ${STUCK_MS / 1_000} s`)
      if (this.#end !== 'killed' || signal !== 'SIGKILL') {
        throw new Error(`the service ended with ${signal ?? `exit code ${code}`}`)
      }
      this.kills++
    }
  }

  /** The power cut: no handler, no flush, no goodbye. False if there is nobody to kill. */
  kill() {
    return this.#finish('killed', 'SIGKILL')
  }

  /** One life of the service, from its start to its end. */
  #live() {
    const service = fork(SERVICE, this.#args)
    this.#service = service
    this.#end = undefined
    this.#shop.connect(service)
    const noteAnswered = this.#world.startLife()
    service.on('message', (message) => this.#handleMessage(message, noteAnswered))
    const watchdog = this.#watch()

    return new Promise((resolve, reject) => {
      service.on('error', reject)
      service.on('exit', (code, signal) => {
        clearInterval(watchdog)
        this.#service = undefined
        this.#shop.disconnect()
        this.#retriesOfEarlierLives += this.stats.retried
        this.stats = { ...this.stats, leased: 0, retried: 0 }
        resolve({ code, signal })
      })
    })
  }

  #handleMessage({ receipt, answered, stats }, noteAnswered) {
    if (answered) noteAnswered(answered)
    if (receipt) this.#shop.handleReceipt(receipt)
    if (!stats) return
    this.stats = stats
    const unfinished = stats.ready + stats.scheduled + stats.leased
    if (this.#shop.allConfirmed && unfinished === 0 && this.#whenDone()) this.#finish('done', 'SIGTERM')
  }

  #finish(end, signal) {
    if (this.#service === undefined || this.#end !== undefined) return false
    this.#end = end
    this.#service.kill(signal)
    return true
  }

  #watch() {
    let last = ''
    let since = Date.now()
    return setInterval(() => {
      const now = JSON.stringify([this.stats, this.#shop.confirmed.size])
      if (now !== last) [last, since] = [now, Date.now()]
      else if (Date.now() - since > STUCK_MS) this.#finish('stuck', 'SIGKILL')
    }, 1_000)
  }
}
