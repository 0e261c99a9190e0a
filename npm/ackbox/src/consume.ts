/**
 * Consuming: deliveries as an async iterator. They are claimed when the loop asks for the next one and none is left.
 *
 * Its life: it claims while it is read; it ends when the loop is left, when its signal aborts, or when the box closes.
 * Whatever ends it, deliveries that were not settled, those that the loop took and those that it did not reach, go back
 * to their queue as if they had not been delivered.
 */
import type { Delivery } from './api.js'
import type { BoxCore } from './box.js'
import { claim } from './claim.js'
import type { ActiveDelivery } from './delivery.js'
import { AckboxError } from './errors.js'
import type { EmbeddedQueue } from './queue.js'
import type { Range } from './validate.js'
import { checkNames, duration, integer, MAX_MS, optionalSignal } from './validate.js'

const PREFETCH: Range = { min: 1, max: 10_000 }
const LEASE: Range = { min: 1, max: MAX_MS }

/** Deliveries of a loop that are looked through for settled ones, at first. */
const FORGET_FROM = 64

/** Options of `consume`. */
export interface ConsumeOptions {
  /**
   * Messages claimed at once, 1 to 10,000: those that the loop has not reached wait for it, their leases running.
   * In at-most-once always 1. Default 1.
   */
  readonly prefetch?: number | undefined
  /** How long each claim lasts, 1 or more; it is not extended by itself. Default: the queue's. */
  readonly leaseMs?: number | undefined
  /** Ends the loop: it throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** Deliveries for a `for await` loop. Disposing of it is leaving the loop. */
export interface Consumption<T = unknown> extends AsyncIterableIterator<Delivery<T>, undefined>, AsyncDisposable {
  [Symbol.asyncIterator](): Consumption<T>
}

type Result = IteratorResult<Delivery<unknown>, undefined>

export class Consumer implements Consumption<unknown> {
  readonly #core: BoxCore
  readonly #queue: EmbeddedQueue
  readonly #where: string
  readonly #prefetch: number
  readonly #leaseMs: number | undefined
  readonly #signal: AbortSignal | undefined
  /** Ends a claim that waits. */
  readonly #stop = new AbortController()
  readonly #claimed: ActiveDelivery[] = []
  /** Those that the loop took, most of them settled. */
  #taken: ActiveDelivery[] = []
  #forgetAt = FORGET_FROM
  /** Calls are carried out one after the other, as an async generator does it. */
  #turn: Promise<unknown> = Promise.resolve()
  #isDone = false

  constructor(core: BoxCore, queue: EmbeddedQueue, options: ConsumeOptions, where: string) {
    checkNames(options, ['prefetch', 'leaseMs', 'signal'], where)
    const { prefetch = 1, leaseMs, signal } = options
    this.#core = core
    this.#queue = queue
    this.#where = where
    this.#prefetch = integer(prefetch, PREFETCH, 'prefetch', where)
    this.#leaseMs = leaseMs === undefined ? undefined : duration(leaseMs, LEASE, 'leaseMs', where)
    optionalSignal(signal, where)
    core.checkOpen(where)
    this.#signal = signal
    signal?.addEventListener('abort', this.#abort)
  }

  next(): Promise<Result> {
    return this.#inTurn(() => this.#next())
  }

  /** Leaves the loop. Resolves when what goes back is durable there. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#isDone = true
    // A claim that waits would keep its turn.
    this.#stop.abort()
    await this.#inTurn(() => this.#end())
    return { done: true, value: undefined }
  }

  async throw(error?: unknown): Promise<Result> {
    await this.return()
    throw error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(call)
    this.#turn = result.catch(() => {})
    return result
  }

  async #next(): Promise<Result> {
    try {
      const delivery = await this.#take()
      if (delivery !== undefined) return { done: false, value: this.#remember(delivery) }
    } catch (error) {
      // What cannot be given back now goes back with the next opening of the box.
      await this.#end().catch(() => {})
      throw error
    }
    await this.#end()
    return { done: true, value: undefined }
  }

  /** The next delivery; none at the end. */
  async #take(): Promise<ActiveDelivery | undefined> {
    while (!this.#isDone) {
      this.#signal?.throwIfAborted()
      const delivery = this.#claimed.shift()
      if (delivery === undefined) this.#claimed.push(...(await this.#claim()))
      // A lease may run out before the loop comes to it.
      else if (delivery.isOpen) return delivery
    }
    return undefined
  }

  async #claim(): Promise<ActiveDelivery[]> {
    const options = { leaseMs: this.#leaseMs, waitMs: MAX_MS, signal: this.#stop.signal }
    // At-most-once: what is claimed is settled, and would be lost with a loop that does not come to it.
    const max = this.#queue.guarantee === 'at-most-once' ? 1 : this.#prefetch
    try {
      return await claim(this.#core, this.#queue.number, max, options, this.#where)
    } catch (error) {
      if (this.#stop.signal.aborted) return []
      if (!AckboxError.is(error, 'ERR_CLOSED')) throw error
      this.#isDone = true
      return []
    }
  }

  /** Forgets those that were settled, before they become too many. */
  #remember(delivery: ActiveDelivery): ActiveDelivery {
    if (this.#taken.length >= this.#forgetAt) {
      this.#taken = this.#taken.filter((taken) => taken.isOpen)
      this.#forgetAt = Math.max(FORGET_FROM, 2 * this.#taken.length)
    }
    this.#taken.push(delivery)
    return delivery
  }

  readonly #abort = (): void => {
    this.#stop.abort()
    void this.#giveBack(this.#claimed.splice(0)).catch(() => {})
  }

  /** Nothing is given out any more; what was goes back. */
  async #end(): Promise<void> {
    this.#isDone = true
    this.#signal?.removeEventListener('abort', this.#abort)
    await this.#giveBack([...this.#claimed.splice(0), ...this.#taken.splice(0)])
  }

  async #giveBack(deliveries: readonly ActiveDelivery[]): Promise<void> {
    await Promise.all(deliveries.map((delivery) => delivery[Symbol.asyncDispose]()))
  }
}
