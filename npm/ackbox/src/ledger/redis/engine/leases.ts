/**
 * Claims that this process holds: renewed in time, given up when the server says that they are gone, or when it says nothing for
 * as long as they last.
 */

import type { Clock, TimerHandle } from '../../../clock.js'
import type { RedisLedger } from '../redis-ledger.js'
import type { ClaimedMessage } from '../transitions.js'
import type { RemoteQueue } from './queues.js'

/** A claimed message that is not settled. */
export interface Held {
  readonly queue: RemoteQueue
  readonly message: ClaimedMessage
  /** Length of the lease. */
  readonly leaseMs: number
  /** Nobody renews it but who has the delivery. */
  isManual: boolean
  /** It lasts at least until then, by this process's clock. */
  until: number
}

/** Renewals in the time of a lease. */
const RENEWALS = 3

export class Leases {
  readonly #ledger: RedisLedger
  readonly #clock: Clock
  /** A lease is gone: its delivery is to be aborted. */
  readonly #lost: (token: number) => void
  readonly #held = new Map<number, Held>()
  #timer: TimerHandle | undefined
  #timerAt = Infinity
  #ended = false

  constructor(ledger: RedisLedger, clock: Clock, lost: (token: number) => void) {
    this.#ledger = ledger
    this.#clock = clock
    this.#lost = lost
  }

  /** How many there are. */
  get size(): number {
    return this.#held.size
  }

  /** Claimed at `askedAt`, so it lasts at least from then. */
  add(queue: RemoteQueue, message: ClaimedMessage, leaseMs: number, askedAt: number): void {
    this.#held.set(message.token, { queue, message, leaseMs, isManual: false, until: askedAt + leaseMs })
    this.#arm(askedAt + leaseMs / RENEWALS)
  }

  get(token: number): Held | undefined {
    return this.#held.get(token)
  }

  /** Whether this process has a message in hand. */
  delete(token: number): void {
    this.#held.delete(token)
  }

  /** Makes one lease last so long from now; false: it is gone. */
  async extend(held: Held, ms: number): Promise<boolean> {
    const { queue, message } = held
    const askedAt = this.#clock.now()
    const outcome = await this.#ledger.extend(queue.name, { key: message.key, token: message.token, ms })
    if (outcome === 'extended') held.until = askedAt + ms
    return outcome === 'extended'
  }

  end(): void {
    this.#ended = true
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#held.clear()
  }

  #arm(at: number): void {
    if (at >= this.#timerAt || this.#ended) return
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timerAt = at
    this.#timer = this.#clock.setTimeout(() => this.#renew(), Math.max(at - this.#clock.now(), 1))
    this.#timer.unref()
  }

  /** Renews what is due for it, in one call for each queue. */
  #renew(): void {
    this.#timer = undefined
    this.#timerAt = Infinity
    const now = this.#clock.now()
    let next = Infinity
    for (const [token, held] of this.#held) {
      if (held.isManual) continue
      const renewAt = held.until - held.leaseMs + held.leaseMs / RENEWALS
      if (held.until <= now) {
        this.#giveUp(token)
      } else if (renewAt <= now) {
        void this.#renewOne(token, held)
        next = Math.min(next, now + held.leaseMs / RENEWALS)
      } else {
        next = Math.min(next, renewAt)
      }
    }
    if (next < Infinity) this.#arm(next)
  }

  async #renewOne(token: number, held: Held): Promise<void> {
    const isKept = await this.extend(held, held.leaseMs).catch(() => true)
    // What nobody could ask for ends by itself, by the clock.
    if (!isKept && this.#held.get(token) === held) this.#giveUp(token)
  }

  #giveUp(token: number): void {
    this.#held.delete(token)
    this.#lost(token)
  }
}
