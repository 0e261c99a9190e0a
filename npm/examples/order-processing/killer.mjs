// Decides when the order service is killed: at seeded calls to the outside world, spread over the
// run, and a moment later, so that a kill falls before, into and behind a payment.

/** A kill follows the call that it waits for by up to so much. */
const KILL_DELAY_MS = 80
/** An order makes so many calls if all goes well, and more if not, so every kill has its turn. */
const CALLS_OF_AN_ORDER = 3

export class Killer {
  #strike
  /** Calls to wait for, in order: `{ call, delayMs }`. */
  #planned
  #timer

  /** `strike()` kills, and says whether there was somebody to kill. */
  constructor({ kills, orders, draw, calls, strike }) {
    const span = (orders * CALLS_OF_AN_ORDER) / kills
    this.#strike = strike
    this.#planned = Array.from({ length: kills }, (_, kill) => ({
      call: 1 + Math.floor(span * (kill + draw(`kill/${kill}`))),
      delayMs: draw(`kill/${kill}/delay`) * KILL_DELAY_MS,
    }))
    calls.on('call', (number) => this.#handleCall(number))
  }

  /**
   * All orders are settled. True if nobody is to be killed any more; else a kill that had no turn while there was
   * work strikes the idle service.
   */
  finish() {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#planned.length === 0) return true
    this.#kill()
    return false
  }

  #handleCall(number) {
    const [next] = this.#planned
    if (this.#timer !== undefined || next === undefined || number < next.call) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#kill()
    }, next.delayMs)
  }

  /** A kill that meets nobody keeps its turn: the next call finds a service again. */
  #kill() {
    if (this.#strike()) this.#planned.shift()
  }
}
