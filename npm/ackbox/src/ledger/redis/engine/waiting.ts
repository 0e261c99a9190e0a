/** Waiting for the end of a message, or for a queue to become idle: the server wakes, and who lost that looks by himself. */

import type { Clock, TimerHandle } from '../../../clock.js'
import { failureOf } from '../../../share/member.js'
import type { RedisLedger } from '../redis-ledger.js'
import type { Wake } from '../wake.js'
import type { Answers } from './answers.js'
import type { Looking } from './looking.js'
import type { RemoteQueue } from './queues.js'

/** Who waits looks by himself this often. */
const LOOK_MS = 2_000
const IDLE_LOOK_MS = 200

interface Waiting {
  readonly queue: RemoteQueue
  /** Of the message, as hexadecimal digits; absent: for an idle queue. */
  readonly key?: string
  /** Looks; true: it was answered. */
  readonly look: () => Promise<boolean>
  timer: TimerHandle | undefined
  isLooking: boolean
  isAgain: boolean
}

export class Waits {
  readonly #ledger: RedisLedger
  readonly #clock: Clock
  readonly #looking: Looking
  readonly #answers: Answers
  readonly #waiting = new Map<number, Waiting>()

  constructor(ledger: RedisLedger, clock: Clock, looking: Looking, answers: Answers) {
    this.#ledger = ledger
    this.#clock = clock
    this.#looking = looking
    this.#answers = answers
  }

  finished(ticket: number, queue: RemoteQueue, id: string): void {
    const { key } = this.#ledger.keys.keyOf(id, queue.name)
    const look = async (): Promise<boolean> => {
      await queue.known
      const [hasEnded] = await this.#ledger.watch(queue.name, [key])
      if (hasEnded !== true) return false
      const [shown] = await this.#looking.byIds(queue, [id])
      if (shown === undefined || !this.#waiting.has(ticket)) return false
      if (shown.info.state === 'completed') this.#answers.body(ticket, 0, Buffer.alloc(0), shown.body)
      this.#answers.answer(ticket, [{ ...shown.info, id }])
      return true
    }
    this.#add(ticket, { queue, key: key.toString('hex'), look, timer: undefined, isLooking: false, isAgain: false })
  }

  idle(ticket: number, queue: RemoteQueue): void {
    const look = async (): Promise<boolean> => {
      await queue.known
      const { ready = 0, leased = 0 } = await this.#ledger.stats(queue.name)
      if (ready > 0 || leased > 0) return false
      this.#answers.answer(ticket, 0)
      return true
    }
    this.#add(ticket, { queue, look, timer: undefined, isLooking: false, isAgain: false })
  }

  /** Gives up waiting; false: nobody waits under this ticket. */
  stop(ticket: number): boolean {
    if (!this.#remove(ticket)) return false
    this.#answers.answer(ticket, 0)
    return true
  }

  /** The server told something. */
  wake(wake: Wake): void {
    if (wake.kind !== 'end') return
    const key = wake.key.toString('hex')
    for (const [ticket, waiting] of this.#waiting) {
      if (waiting.key === key && waiting.queue.name === wake.queue) this.#look(ticket, waiting)
    }
  }

  /** Something was settled here. */
  settled(): void {
    for (const [ticket, waiting] of this.#waiting) if (waiting.key === undefined) this.#look(ticket, waiting)
  }

  end(): void {
    for (const ticket of [...this.#waiting.keys()]) this.#remove(ticket)
  }

  #add(ticket: number, waiting: Waiting): void {
    this.#waiting.set(ticket, waiting)
    this.#look(ticket, waiting)
  }

  #remove(ticket: number): boolean {
    const waiting = this.#waiting.get(ticket)
    if (waiting?.timer !== undefined) this.#clock.clearTimeout(waiting.timer)
    return this.#waiting.delete(ticket)
  }

  #look(ticket: number, waiting: Waiting): void {
    waiting.isAgain = waiting.isLooking
    if (waiting.isLooking) return
    waiting.isLooking = true
    waiting.look().then(
      (isAnswered) => {
        waiting.isLooking = false
        if (isAnswered) this.#remove(ticket)
        else if (waiting.isAgain) this.#look(ticket, waiting)
        else this.#arm(ticket, waiting)
      },
      (error: unknown) => {
        if (this.#remove(ticket)) this.#answers.refuse(ticket, failureOf(error))
      },
    )
  }

  #arm(ticket: number, waiting: Waiting): void {
    if (!this.#waiting.has(ticket)) return
    if (waiting.timer !== undefined) this.#clock.clearTimeout(waiting.timer)
    waiting.timer = this.#clock.setTimeout(() => this.#look(ticket, waiting), waiting.key === undefined ? IDLE_LOOK_MS : LOOK_MS)
    waiting.timer.unref()
  }
}
