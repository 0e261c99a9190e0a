/**
 * Messages that are staged: checked when they are called for, and sent later with what they belong to, all of them or
 * none. Middleware runs when they are called for; what it lets through joins the others.
 */
import type { BoxCore } from './box.js'
import { encodedBytes } from './codec.js'
import type { Enqueue, Settle } from './engine/wire.gen.js'
import { checkBody, checkUnit, keepBytes } from './enqueue.js'
import { type EnqueueTarget, recordOf, STAGED_NAMES } from './enqueue-options.js'
import { invalidOption } from './errors.js'
import type { Receipt, StagedEnqueueOptions } from './types.js'

/** A queue of the box as a place to stage for. */
export interface NamedTarget extends EnqueueTarget {
  readonly name: string
}

/** A promise with its ends in reach. */
class Told {
  readonly promise: Promise<Receipt>
  resolve!: (receipt: Receipt) => void
  reject!: (error: unknown) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }))
    // Middleware need not look at it.
    this.promise.catch(() => {})
  }
}

interface Item {
  readonly target: NamedTarget
  /** What the caller holds; completed by the commit. */
  readonly receipt: { -readonly [K in keyof Receipt]?: Receipt[K] }
  /** Absent while middleware has not let it through, and if it never does. */
  record?: Enqueue
  /** Settles when it is decided whether there is a record, if that takes time. */
  ready?: Promise<unknown> | undefined
  /** What `next` of the innermost middleware gives. */
  readonly told?: Told
  /** What middleware as a whole makes of it. */
  through?: Promise<Receipt>
}

export class Staging {
  readonly #core: BoxCore
  readonly #items: Item[] = []
  #bytes = 0

  constructor(core: BoxCore) {
    this.#core = core
  }

  /** Stages a message. Throws what is wrong with it, unless a schema or middleware takes its time to say so. */
  add(queue: unknown, body: unknown, options: StagedEnqueueOptions, where: string): Receipt {
    const target = targetOf(this.#core, queue, where)
    this.#core.checkAccepting(where)
    checkUnit(this.#items.length + 1, this.#bytes, where)
    if (this.#core.middleware.hasEnqueue) return this.#addThrough(target, body, options, where)
    const item: Item = { target, receipt: {} }
    item.ready = this.#check(item, body, options, where)
    this.#items.push(item)
    return item.receipt as Receipt
  }

  /**
   * Sends all of them in one unit with the settlements that `begin` gives, which is called when nothing is waited for any
   * more; `along` is sent behind them. What was staged stays so if this fails.
   */
  async commit(begin: () => Settle[], along: readonly Staging[] = []): Promise<void> {
    const staged = [this as Staging, ...along].flatMap((staging) => staging.#items)
    for (const { ready } of staged) if (ready !== undefined) await ready
    const items = staged.filter(({ record }) => record !== undefined)
    for (const { admission } of new Set(items.map(({ target }) => target))) {
      if (!admission.isOpen) await new Promise<void>((resolve) => admission.take().enter(resolve))
    }
    const settles = begin()
    if (settles.length > 0 || items.length > 0) {
      const receipts = await this.#core.driver.transact(settles, items.map(({ record }) => record!))
      for (const [index, item] of items.entries()) {
        Object.assign(item.receipt, receipts[index])
        item.told?.resolve(receipts[index]!)
      }
    }
    for (const { receipt, through } of staged) if (through !== undefined) Object.assign(receipt, await through)
  }

  /** None of them will be sent. */
  drop(error: unknown): void {
    for (const { told } of this.#items.splice(0)) told?.reject(error)
  }

  #addThrough(target: NamedTarget, body: unknown, options: StagedEnqueueOptions, where: string): Receipt {
    const told = new Told()
    const item: Item = { target, receipt: {}, told }
    this.#items.push(item)
    item.ready = new Promise<void>((resolve, reject) => {
      const context = { queue: target.name, body, options }
      item.through = this.#core.middleware.enqueue(context, where, async ({ body, options }) => {
        await this.#check(item, body, options, where)
        resolve()
        return told.promise
      })
      item.through.then(() => resolve(), reject)
    })
    item.ready.catch(() => {})
    return item.receipt as Receipt
  }

  /** Makes the record; a promise where a schema takes its time. */
  #check(item: Item, body: unknown, options: StagedEnqueueOptions, where: string): Promise<void> | undefined {
    const { target } = item
    const build = (): Enqueue => recordOf(target, body, options, STAGED_NAMES, where)
    const { record, late } = checkBody(target, body, where, build)
    if (record === undefined) return late
    const bytes = this.#bytes + encodedBytes(record.body ?? '') + encodedBytes(record.headers ?? '')
    checkUnit(this.#items.length, bytes, where)
    this.#bytes = bytes
    item.record = keepBytes(record)
    if (record.id !== undefined) item.receipt.id = record.id
    return late
  }
}

/** The queue as this box knows it. */
export function targetOf(core: BoxCore, queue: unknown, where: string): NamedTarget {
  const { number } = (queue ?? {}) as { number?: number }
  const known = number === undefined ? undefined : core.inbox.queues.get(number)
  if (known === undefined || (known as unknown) !== queue) throw invalidOption('a queue of this box', queue, where)
  return queue as NamedTarget
}
