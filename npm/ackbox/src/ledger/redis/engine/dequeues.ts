/** Dequeues on a box on Redis: each claims for itself, and waits for a wake-up where there is nothing. */

import type { Clock, TimerHandle } from '../../../clock.js'
import type { Dequeue } from '../../../engine/wire.gen.js'
import { failureOf } from '../../../share/member.js'
import type { RedisLedger } from '../redis-ledger.js'
import type { Claim } from '../transitions.js'
import type { Answers } from './answers.js'
import type { RemoteQueue } from './queues.js'

/** Who has lost a wake-up looks this often. */
const LOOK_MS = 5_000

/** What was claimed for a dequeue is taken in for it. */
export type TakeFor = (record: Dequeue, queue: RemoteQueue, claim: Claim, leaseMs: number, askedAt: number) => void

interface Waiting {
  readonly record: Dequeue
  readonly queue: RemoteQueue
  /** It is answered then with what there is. */
  readonly until: number
  isClaiming: boolean
  isPoked: boolean
  isStopped: boolean
  timer: TimerHandle | undefined
}

export class Dequeues {
  readonly #ledger: RedisLedger
  readonly #clock: Clock
  readonly #answers: Answers
  readonly #take: TakeFor
  readonly #waiting = new Map<number, Waiting>()

  constructor(ledger: RedisLedger, clock: Clock, answers: Answers, take: TakeFor) {
    this.#ledger = ledger
    this.#clock = clock
    this.#answers = answers
    this.#take = take
  }

  add(record: Dequeue, queue: RemoteQueue): void {
    const until = this.#clock.now() + record.waitMs
    const waiting = { record, queue, until, isClaiming: false, isPoked: false, isStopped: false, timer: undefined }
    this.#waiting.set(record.ticket, waiting)
    void this.#claim(waiting)
  }

  /** Gives up waiting: it is answered with what it has. False: there is none under this ticket. */
  stop(ticket: number): boolean {
    const waiting = this.#waiting.get(ticket)
    if (waiting === undefined) return false
    waiting.isStopped = true
    if (!waiting.isClaiming) this.#answer(waiting)
    return true
  }

  /** There may be something to claim. */
  poke(queue: RemoteQueue): void {
    for (const waiting of this.#waiting.values()) {
      if (waiting.queue !== queue) continue
      waiting.isPoked = true
      if (!waiting.isClaiming) void this.#claim(waiting)
    }
  }

  end(): void {
    for (const ticket of [...this.#waiting.keys()]) this.stop(ticket)
  }

  async #claim(waiting: Waiting): Promise<void> {
    const { queue, record } = waiting
    const leaseMs = record.leaseMs ?? queue.options.leaseMs ?? 0
    this.#disarm(waiting)
    waiting.isClaiming = true
    waiting.isPoked = false
    const askedAt = this.#clock.now()
    try {
      await queue.known
      const atMostOnce = queue.options.guarantee === 'at-most-once'
      const claim = await this.#ledger.claim(queue.name, { max: record.max, leaseMs, atMostOnce, wait: record.waitMs > 0 })
      waiting.isClaiming = false
      if (claim.messages.length > 0) {
        this.#waiting.delete(record.ticket)
        return this.#take(record, queue, claim, leaseMs, askedAt)
      }
      if (waiting.isStopped || this.#clock.now() >= waiting.until) return this.#answer(waiting)
      if (waiting.isPoked) return await this.#claim(waiting)
      const moreAt = claim.moreAt === undefined ? Infinity : this.#ledger.local(claim.moreAt)
      this.#arm(waiting, Math.min(waiting.until, moreAt, this.#clock.now() + LOOK_MS))
    } catch (error) {
      this.#waiting.delete(record.ticket)
      this.#answers.refuse(record.ticket, failureOf(error))
    }
  }

  #answer({ record: { ticket } }: Waiting): void {
    const waiting = this.#waiting.get(ticket)
    if (waiting !== undefined) this.#disarm(waiting)
    this.#waiting.delete(ticket)
    this.#answers.answer(ticket, 0)
  }

  #arm(waiting: Waiting, at: number): void {
    this.#disarm(waiting)
    waiting.timer = this.#clock.setTimeout(() => void this.#claim(waiting), Math.max(at - this.#clock.now(), 1))
    waiting.timer.unref()
  }

  #disarm(waiting: Waiting): void {
    if (waiting.timer !== undefined) this.#clock.clearTimeout(waiting.timer)
    waiting.timer = undefined
  }
}
