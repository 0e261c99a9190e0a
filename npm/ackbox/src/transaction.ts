/** Transactions: what a function stages becomes durable together when it is done, or nothing of it. */
import type { Delivery, Queue, RejectOptions, Transaction } from './api.js'
import type { BoxCore } from './box.js'
import { ActiveDelivery, type PendingEnd } from './delivery.js'
import { type Settle, Verdict } from './engine/wire.gen.js'
import { checkUnit } from './enqueue.js'
import { AckboxError, invalidOption } from './errors.js'
import { inside, isInside } from './open-transactions.js'
import { Staging } from './staging.js'
import type { Receipt, StagedEnqueueOptions } from './types.js'
import { callable, isThenable } from './validate.js'
import { unlessEnded } from './waiting.js'

/** Calls `fn` with a transaction and commits what it staged; whatever fails takes all of it back. */
export async function transact<R>(core: BoxCore, fn: (tx: Transaction) => R | Promise<R>, where: string): Promise<R> {
  callable(fn, 'fn', where)
  if (isInside(core)) {
    throw new AckboxError('ERR_INVALID_OPTION', `${where}: expected no transaction inside another one of the same box`)
  }
  core.checkWorking(where)
  const tx = new StagedTransaction(core, where)
  try {
    const called = inside(core, tx, () => fn(tx))
    // What waits for nothing is sent at once: a handler that returns in the same turn counts on it.
    const result = isThenable(called) ? await unlessEnded(core.driver, called) : called
    await tx.commit()
    return result
  } catch (error) {
    tx.rollBack(error)
    throw error
  }
}

class StagedTransaction implements Transaction {
  readonly #core: BoxCore
  readonly #where: string
  readonly #staging: Staging
  readonly #ends = new Map<ActiveDelivery, Settle>()
  isOver = false

  constructor(core: BoxCore, where: string) {
    this.#core = core
    this.#where = where
    this.#staging = new Staging(core)
  }

  ack(message: Delivery<never>, result?: unknown): void {
    const delivery = this.#open(message, 'tx.ack')
    this.#ends.set(delivery, delivery.ackLater(result, 'tx.ack'))
  }

  reject(message: Delivery<never>, reason?: unknown, options: RejectOptions = {}): void {
    const delivery = this.#open(message, 'tx.reject')
    this.#ends.set(delivery, delivery.rejectLater(reason, options, 'tx.reject'))
  }

  enqueue<T, R, Out>(queue: Queue<T, R, Out>, body: T, options: StagedEnqueueOptions = {}): Receipt {
    this.#checkNotOver('tx.enqueue')
    return this.#staging.add(queue, body, options, `${this.#where}: tx.enqueue`)
  }

  async commit(): Promise<void> {
    this.isOver = true
    let pending: PendingEnd[] = []
    const begin = (): Settle[] => {
      for (const delivery of this.#ends.keys()) delivery.checkOpen(this.#where)
      pending = [...this.#ends.keys()].map((delivery) => delivery.beginEnd())
      return [...this.#ends.values()]
    }
    try {
      await this.#staging.commit(begin, this.#alongWithAcks())
    } catch (error) {
      for (const end of pending) end.refused(error, false)
      throw error
    }
    for (const end of pending) end.done()
  }

  rollBack(error: unknown): void {
    this.isOver = true
    this.#staging.drop(error)
  }

  /** What the deliveries that it acknowledges have staged. */
  #alongWithAcks(): Staging[] {
    const acknowledged = [...this.#ends].filter(([, { verdict }]) => verdict === Verdict.ack)
    return acknowledged.flatMap(([{ staged }]) => staged ?? [])
  }

  /** A delivery of this box that this transaction may end. */
  #open(message: unknown, call: string): ActiveDelivery {
    this.#checkNotOver(call)
    const where = `${this.#where}: ${call}`
    if (!(message instanceof ActiveDelivery) || !message.isOf(this.#core.driver)) {
      throw invalidOption('a delivery of this box', message, where)
    }
    if (this.#ends.has(message)) {
      throw new AckboxError('ERR_ALREADY_SETTLED', `${where}: the transaction settles message '${message.id}' already`)
    }
    checkUnit(this.#ends.size + 1, 0, where)
    return message
  }

  #checkNotOver(call: string): void {
    if (this.isOver) throw new AckboxError('ERR_CLOSED', `${this.#where}: ${call}: the transaction is over`)
  }
}
