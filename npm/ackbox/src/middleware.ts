/**
 * Middleware: functions around each enqueue and each handler, the one that was registered first outermost.
 *
 * What is inside begins within the call of `next`, so it and all that it awaits run in the async context of the
 * middleware. Its outcome is never lost: a layer that returns while it still runs, or never looks at its promise, is
 * waited for and gets its outcome.
 */
import type { Delivery, Handler } from './api.js'
import { AckboxError, invalidOption } from './errors.js'
import type { EnqueueOptions, Receipt } from './types.js'
import { callable, checkNames } from './validate.js'

/** A message on its way into a queue. */
export interface EnqueueContext {
  /** Name of the queue. */
  readonly queue: string
  readonly body: unknown
  readonly options: EnqueueOptions
}

/** Functions around every enqueue and every handler of a box. */
export interface Middleware {
  /**
   * Around each message that is enqueued, those of `enqueueMany` too. `next` takes what is to be different, and gives the
   * receipt. Returns the receipt, or nothing for that of `next`; what it throws rejects the enqueue, and before `next`
   * that means that nothing was enqueued.
   */
  enqueue?(
    context: EnqueueContext,
    next: (changes?: Partial<EnqueueContext>) => Promise<Receipt>,
  ): Receipt | undefined | void | Promise<Receipt | undefined | void>
  /**
   * Around each handler of `process` and `drain`. `next` runs the handler and gives what it returned. Returns the result,
   * or nothing for that of `next`; what it throws counts as thrown by the handler. One that does not call `next` stands in
   * for the handler.
   */
  deliver?(message: Delivery, next: () => Promise<unknown>): unknown
}

type EnqueueLayer = NonNullable<Middleware['enqueue']>
type DeliverLayer = NonNullable<Middleware['deliver']>

/** The layers of one registration: one of each kind, or none. */
interface Layers {
  readonly enqueue: readonly EnqueueLayer[]
  readonly deliver: readonly DeliverLayer[]
}

/** The middleware of a box. */
export class MiddlewareStack {
  #registered: readonly Layers[] = []
  #enqueue: readonly EnqueueLayer[] = []
  #deliver: readonly DeliverLayer[] = []

  /** Whether an enqueue passes through any. */
  get hasEnqueue(): boolean {
    return this.#enqueue.length > 0
  }

  /** Whether a delivery passes through any. */
  get hasDeliver(): boolean {
    return this.#deliver.length > 0
  }

  /** Adds what was not checked yet; returns what takes it away, for calls that begin later. */
  use(middleware: Middleware, where: string): () => void {
    checkNames(middleware, ['enqueue', 'deliver'], where)
    const { enqueue, deliver } = middleware
    if (enqueue !== undefined) callable(enqueue, 'enqueue', where)
    if (deliver !== undefined) callable(deliver, 'deliver', where)
    const registration: Layers = {
      enqueue: enqueue === undefined ? [] : [enqueue.bind(middleware)],
      deliver: deliver === undefined ? [] : [deliver.bind(middleware)],
    }
    this.#set([...this.#registered, registration])
    return () => this.#set(this.#registered.filter((other) => other !== registration))
  }

  /** Enqueues through all layers: `last` gets what they made of it. */
  async enqueue(
    context: EnqueueContext,
    where: string,
    last: (context: EnqueueContext) => Promise<Receipt>,
  ): Promise<Receipt> {
    const layers = this.#enqueue
    const run = async (given: EnqueueContext, at: number): Promise<Receipt> => {
      const layer = layers[at]
      if (layer === undefined) return last(given)
      const inside = (changes: Partial<EnqueueContext> = {}): Promise<Receipt> => run(changed(given, changes, where), at + 1)
      const receipt = await through(inside, (next) => layer(given, next), where)
      if (typeof receipt === 'object' && receipt !== null) return receipt as Receipt
      throw invalidOption('a middleware to give a receipt, or to call next', receipt, where)
    }
    return run(context, 0)
  }

  /** Handles a delivery through all layers. */
  async deliver(message: Delivery<never>, handler: Handler<never, unknown>, where: string): Promise<unknown> {
    const layers = this.#deliver
    const run = async (at: number): Promise<unknown> => {
      const layer = layers[at]
      if (layer === undefined) return handler(message)
      return through(() => run(at + 1), (next) => layer(message, next), where)
    }
    return run(0)
  }

  #set(registered: readonly Layers[]): void {
    this.#registered = registered
    this.#enqueue = registered.flatMap(({ enqueue }) => enqueue)
    this.#deliver = registered.flatMap(({ deliver }) => deliver)
  }
}

function changed(given: EnqueueContext, changes: Partial<EnqueueContext>, where: string): EnqueueContext {
  checkNames(changes, ['queue', 'body', 'options'], `${where}: next`)
  const context = { ...given, ...changes }
  if (context.queue === given.queue) return context
  throw invalidOption(`the queue to stay '${given.queue}'`, context.queue, `${where}: next`)
}

/** Runs one layer around what is inside it. */
async function through<A extends unknown[], R>(
  inside: (...args: A) => Promise<R>,
  layer: (next: (...args: A) => Promise<R>) => unknown,
  where: string,
): Promise<unknown> {
  let inner: Inside<R> | undefined
  const next = (...args: A): Promise<R> => {
    if (inner !== undefined) {
      return Promise.reject(new AckboxError('ERR_INVALID_OPTION', `${where}: expected a middleware to call next once`))
    }
    return (inner = new Inside((resolve) => resolve(inside(...args))))
  }
  let returned: unknown
  try {
    returned = await layer(next)
  } finally {
    if (inner !== undefined) await inner.decide()
  }
  if (inner === undefined || (returned !== undefined && !inner.isOverlooked)) return returned
  return inner.isOverlooked ? inner : inner.result
}

/** What `next` promises; knows whether the layer waited for it. */
class Inside<R> extends Promise<R> {
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  /** The layer returned while it was not settled, or never looked at it: then its outcome stands. */
  isOverlooked = false
  /** What it was fulfilled with. */
  result: R | undefined
  readonly #end: Promise<void>
  #isSettled = false
  #isSeen = false

  constructor(executor: (resolve: (value: R | PromiseLike<R>) => void, reject: (reason?: unknown) => void) => void) {
    super(executor)
    const settled = (result?: R): void => {
      this.#isSettled = true
      this.result = result
    }
    // Attached here, it is never an unhandled rejection, and is not mistaken for a look of the layer.
    this.#end = super.then(settled, () => settled())
  }

  override then<T = R, F = never>(
    fulfilled?: ((value: R) => T | PromiseLike<T>) | null,
    rejected?: ((reason: unknown) => F | PromiseLike<F>) | null,
  ): Promise<T | F> {
    this.#isSeen = true
    return super.then(fulfilled, rejected)
  }

  /** The layer is done: waits for the end. */
  async decide(): Promise<void> {
    this.isOverlooked = !this.#isSettled || !this.#isSeen
    await this.#end
  }
}
