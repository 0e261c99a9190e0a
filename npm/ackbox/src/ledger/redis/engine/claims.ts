/**
 * Claiming for the workers of this process: as many as the engine wants, again when there may be more.
 *
 * What has no message waits for a wake-up of the server, for when it said that something is due, or at the latest for a look by
 * itself, since wake-ups are hints that may be lost.
 */

import type { Clock, TimerHandle } from '../../../clock.js'
import type { RedisLedger } from '../redis-ledger.js'
import type { Claim } from '../transitions.js'
import type { RemoteQueue } from './queues.js'

/** Who has lost a wake-up looks this often. */
const LOOK_MS = 5_000
/** After a claim that failed. */
const PAUSE_MS = 1_000

/** What becomes of claims. */
export interface ClaimHost {
  /** Takes in what a claim gave; `dry`: there was less. */
  take(queue: RemoteQueue, claim: Claim, leaseMs: number, askedAt: number, dry: boolean): void
  /** A claim failed. */
  failed(queue: RemoteQueue, error: unknown): void
}

interface Puller {
  readonly queue: RemoteQueue
  want: number
  isClaiming: boolean
  /** There was less than wanted, and nothing has come since. */
  isDry: boolean
  /** Something may have come since the claim under way was asked. */
  isPoked: boolean
  timer: TimerHandle | undefined
}

export class Claims {
  readonly #ledger: RedisLedger
  readonly #clock: Clock
  readonly #host: ClaimHost
  readonly #pullers = new Map<number, Puller>()
  /** When the server last answered a claim. */
  lastAt: number | undefined
  #ended = false

  constructor(ledger: RedisLedger, clock: Clock, host: ClaimHost) {
    this.#ledger = ledger
    this.#clock = clock
    this.#host = host
  }

  /** The engine wants so many of a queue. */
  want(queue: RemoteQueue, want: number): void {
    let puller = this.#pullers.get(queue.number)
    if (puller === undefined) {
      puller = { queue, want: 0, isClaiming: false, isDry: false, isPoked: false, timer: undefined }
      this.#pullers.set(queue.number, puller)
    }
    puller.want = want
    this.#pull(puller)
  }

  /** There may be something to claim. */
  poke(queue: RemoteQueue): void {
    const puller = this.#pullers.get(queue.number)
    if (puller === undefined) return
    puller.isDry = false
    puller.isPoked = puller.isClaiming
    this.#pull(puller)
  }

  end(): void {
    this.#ended = true
    for (const puller of this.#pullers.values()) this.#disarm(puller)
  }

  #pull(puller: Puller): void {
    if (this.#ended || puller.isClaiming || puller.isDry || puller.want === 0) return
    this.#disarm(puller)
    puller.isClaiming = true
    void this.#claim(puller)
  }

  async #claim(puller: Puller): Promise<void> {
    const { queue, want } = puller
    const { leaseMs = 0, guarantee } = queue.options
    const askedAt = this.#clock.now()
    let lookAt = askedAt + LOOK_MS
    try {
      await queue.known
      const request = { max: want, leaseMs, atMostOnce: guarantee === 'at-most-once', wait: true }
      const claim = await this.#ledger.claim(queue.name, request)
      if (this.#ended) return
      this.lastAt = this.#clock.now()
      // The engine says anew what it wants, behind this claim.
      puller.want = 0
      puller.isDry = claim.messages.length < want && !puller.isPoked
      if (claim.moreAt !== undefined) lookAt = Math.min(lookAt, this.#ledger.local(claim.moreAt))
      this.#host.take(queue, claim, leaseMs, askedAt, puller.isDry)
    } catch (error) {
      if (this.#ended) return
      puller.isDry = true
      lookAt = this.#clock.now() + PAUSE_MS
      this.#host.failed(queue, error)
    } finally {
      puller.isClaiming = false
      puller.isPoked = false
    }
    if (puller.isDry) this.#arm(puller, lookAt)
  }

  #arm(puller: Puller, at: number): void {
    this.#disarm(puller)
    puller.timer = this.#clock.setTimeout(() => {
      puller.timer = undefined
      this.poke(puller.queue)
    }, Math.max(at - this.#clock.now(), 1))
    puller.timer.unref()
  }

  #disarm(puller: Puller): void {
    if (puller.timer !== undefined) this.#clock.clearTimeout(puller.timer)
    puller.timer = undefined
  }
}
