/** Enqueueing through middleware: a message is checked and sent when its last layer let it through. */
import type { BoxCore } from './box.js'
import { eachItem, enqueueAll, enqueueOne, givenUpWith, signalOf } from './enqueue.js'
import type { EnqueueTarget } from './enqueue-options.js'
import type { EnqueueContext } from './middleware.js'
import { unlessAborted } from './pending.js'
import type { EnqueueItem, EnqueueOptions, Receipt } from './types.js'
import { optionalSignal } from './validate.js'

/** A queue as middleware sees it. */
export interface NamedTarget extends EnqueueTarget {
  readonly name: string
}

export async function enqueueOneThrough(
  core: BoxCore,
  target: NamedTarget,
  body: unknown,
  options: EnqueueOptions | undefined,
  where: string,
): Promise<Receipt> {
  const signal = options?.signal
  optionalSignal(signal, where)
  signal?.throwIfAborted()
  core.checkAccepting(where)
  const context = { queue: target.name, body, options: options === undefined ? {} : options }
  const receipt = core.middleware.enqueue(context, where, ({ body, options }) =>
    enqueueOne(core, target, body, options, where),
  )
  return unlessAborted(receipt, signal)
}

/** Each item passes through by itself; they are sent together when the last of them got through. */
export async function enqueueAllThrough(
  core: BoxCore,
  target: NamedTarget,
  items: Iterable<EnqueueItem<unknown>>,
  where: string,
): Promise<Receipt[]> {
  core.checkAccepting(where)
  const given = [...eachItem(items, where)]
  const signals = new Set(given.map(({ item, place }) => signalOf(item, place)))
  const unit = new Unit(given.length, (items) => enqueueAll(core, target, items, where))
  const receipts = given.map(async ({ item: { body, ...options }, place }, index) => {
    try {
      const context = { queue: target.name, body, options }
      return await core.middleware.enqueue(context, place, (context) => unit.join(index, context))
    } catch (error) {
      unit.fail(error)
      throw error
    } finally {
      unit.pass(index)
    }
  })
  return givenUpWith(signals, Promise.all(receipts))
}

/** Items on their way through middleware: sent when all have joined or passed by, or not at all if one fails before. */
class Unit {
  readonly #send: (items: EnqueueItem<unknown>[]) => Promise<Receipt[]>
  readonly #missing: Set<number>
  readonly #joined = new Map<number, EnqueueItem<unknown>>()
  /** By the index of their items. */
  readonly #receipts: Promise<Map<number, Receipt>>
  #resolve!: (receipts: Promise<Map<number, Receipt>>) => void
  #reject!: (error: unknown) => void

  constructor(count: number, send: (items: EnqueueItem<unknown>[]) => Promise<Receipt[]>) {
    this.#send = send
    this.#missing = new Set(Array(count).keys())
    this.#receipts = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // It may fail before anybody joined.
    this.#receipts.catch(() => {})
  }

  /** An item got through: its receipt, once all are sent. */
  async join(index: number, { body, options }: EnqueueContext): Promise<Receipt> {
    this.#joined.set(index, { ...options, body })
    this.pass(index)
    return (await this.#receipts).get(index)!
  }

  /** This item is not waited for any more. */
  pass(index: number): void {
    if (this.#missing.delete(index) && this.#missing.size === 0) this.#resolve(this.#sendAll())
  }

  /** An item failed: nothing is sent, unless it was before. */
  fail(error: unknown): void {
    this.#missing.clear()
    this.#reject(error)
  }

  async #sendAll(): Promise<Map<number, Receipt>> {
    const joined = [...this.#joined].sort(([a], [b]) => a - b)
    const receipts = await this.#send(joined.map(([, item]) => item))
    return new Map(joined.map(([index], at) => [index, receipts[at]!]))
  }
}
