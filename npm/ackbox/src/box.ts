/** An embedded box: one engine on one storage, from its opening until it is closed or has failed. */
import type { Box, Producer, Queue, Transaction } from './api.js'
import { checkCloseOptions, Deadlines, Ending } from './closing.js'
import { type Clock, platform, registerBusy } from './clock.js'
import { nameAndOptions, type QueueDefinition } from './definition.js'
import { Driver } from './driver.js'
import type { Engine } from './engine/engine.js'
import type { OpenReport } from './engine/objects.js'
import { AckboxError } from './errors.js'
import { type BoxEvents, defaultReport, Emitter, type Warning } from './events.js'
import type { GuardedClock } from './guarded-clock.js'
import { Inbox } from './inbox.js'
import { announceRelease } from './lock-wait.js'
import { type Middleware, MiddlewareStack } from './middleware.js'
import { openProducer } from './producer.js'
import type { QueueOptions } from './queue-options.js'
import { EmbeddedQueue } from './queue.js'
import type { BoxStats, Health, QueueSummary, RecoveryReport } from './stats.js'
import { readOnlyError } from './storage/read-only.js'
import type { SegmentInfo, Storage } from './storage/storage.js'
import { transact } from './transaction.js'
import type { CloseOptions, CloseReport } from './types.js'

const EVENTS = ['error', 'warning', 'recovered'] as const

/** What a queue needs of its box. */
export interface BoxCore {
  readonly driver: Driver
  readonly inbox: Inbox
  readonly middleware: MiddlewareStack
  /** Whether it is closed, or has failed. */
  readonly hasEnded: boolean
  /** Calls once when the box has ended, with the error that ended it if there is one; returns what takes it back. */
  readonly onEnd: (listener: (error?: unknown) => void) => () => void
  /** Throws `ERR_CLOSED` unless new work may begin, and `ERR_UNSUPPORTED` in a box that is only looked at. */
  checkOpen(where: string): void
  /** Throws `ERR_UNSUPPORTED` in a box that is only looked at. */
  checkOwned(where: string): void
  /** Throws unless what was begun may go on: handlers that finish while the box closes may still do everything. */
  checkWorking(where: string): void
  /** Throws unless messages are accepted: handlers that finish while the box closes may still enqueue. */
  checkAccepting(where: string): void
}

export class EmbeddedBox implements Box, BoxCore {
  readonly engine: Engine['kind']
  readonly driver: Driver
  readonly inbox: Inbox
  readonly middleware = new MiddlewareStack()
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #readOnly: boolean
  readonly #events: Emitter<BoxEvents>
  readonly #ending = new Ending()
  readonly #deadlines: Deadlines
  readonly #queues = new Map<string, EmbeddedQueue>()
  readonly #unregister: () => void
  #recovered: RecoveryReport | undefined
  /** Warnings of the opening, until somebody can listen. */
  #early: Warning[] | undefined = []
  #failure: AckboxError | undefined
  #closing: Promise<CloseReport> | undefined

  /** The storage is open already; `recover` comes next. */
  constructor(engine: Engine, clock: GuardedClock, storage: Storage, readOnly: boolean) {
    this.engine = engine.kind
    this.#clock = clock
    this.#readOnly = readOnly
    this.#storage = storage
    this.inbox = new Inbox({ failed: (error) => this.#fail(error), warned: (warning) => this.#warn(warning) })
    this.driver = new Driver(engine, clock, storage, this.inbox)
    clock.guard((error) => this.driver.die(error))
    this.#events = new Emitter<BoxEvents>('box', EVENTS, (warning) => this.#warn(warning))
    this.#deadlines = new Deadlines(clock, () => this.#expire())
    this.#unregister = registerBusy(clock, () => this.driver.busy())
  }

  readonly on: Box['on'] = (event, listener, options) =>
    // Recovery is over before anybody can listen.
    this.#events.on(event, listener, options, event === 'recovered' ? (this.#recovered as never) : undefined)

  get closed(): Promise<void> {
    return this.#ending.promise
  }

  get hasEnded(): boolean {
    return this.#ending.isOver
  }

  readonly onEnd: BoxCore['onEnd'] = (listener) => this.#ending.onEnd(listener)

  use(middleware: Middleware): () => void {
    this.checkOpen('box.use')
    return this.middleware.use(middleware, 'box.use')
  }

  /** Reads back what the segments hold. */
  async recover(segments: readonly SegmentInfo[]): Promise<void> {
    const { boxId, moved: _moved, ...report } = await this.driver.request<OpenReport>({ op: 'open', segments: [...segments] })
    this.inbox.boxId = boxId
    if (this.#readOnly && report.created) {
      throw new AckboxError('ERR_NOT_FOUND', 'open: there is no box here, and with readOnly none is made')
    }
    if (!report.created && !this.#readOnly) this.#recovered = report
    const early = this.#early ?? []
    this.#early = undefined
    // Whoever awaits the opening listens in the same turn of the event loop.
    if (early.length > 0) platform.setTimeout(() => early.forEach((warning) => this.#warn(warning)), 0)
  }

  /** Opening was given up: ends everything without writing. */
  async abandon(): Promise<void> {
    this.#end(() => closedError('open'))
    await this.#giveUpStorage()
  }

  queue<T = unknown, R = void, Out = T>(
    given: string | QueueDefinition<T, R, Out>,
    givenOptions?: QueueOptions<T, Out>,
  ): Queue<T, R, Out> {
    const where = 'box.queue'
    const { name, options } = nameAndOptions(given, givenOptions, where)
    // Handlers that finish while the box closes may need one that nobody asked for before.
    this.#checkWorking(where)
    let queue = this.#queues.get(name)
    if (queue === undefined) {
      queue = new EmbeddedQueue(this, name, options)
      this.#queues.set(name, queue)
    } else {
      queue.amend(options)
    }
    return queue as unknown as Queue<T, R, Out>
  }

  transaction<R>(fn: (tx: Transaction) => R | Promise<R>): Promise<R> {
    return transact(this, fn, 'box.transaction')
  }

  producer(name: string): Promise<Producer> {
    return openProducer(this, name, 'box.producer')
  }

  async queues(): Promise<readonly QueueSummary[]> {
    return this.driver.request({ op: 'queues' })
  }

  async stats(): Promise<BoxStats> {
    return this.driver.request({ op: 'boxStats' })
  }

  health(): Health {
    const { lastClaimAt, running, workers } = this.inbox
    const { durability, full: isFull, persisted } = this.#storage
    const full = isFull === true
    const reason =
      this.#failure?.message ??
      (this.#closing !== undefined ? 'the box is closed' : full ? 'the storage has no room for new messages' : undefined)
    return {
      ok: reason === undefined,
      ...(reason === undefined ? {} : { reason }),
      ...(lastClaimAt === undefined ? {} : { sinceLastClaimMs: this.#clock.now() - lastClaimAt }),
      storage: {
        durability,
        failed: AckboxError.is(this.#failure, 'ERR_STORAGE_FAILED'),
        full,
        ...(persisted === undefined ? {} : { persisted }),
      },
      running,
      workers: workers.size,
      waiting: this.driver.tickets.count,
    }
  }

  async close(options: CloseOptions = {}): Promise<CloseReport> {
    checkCloseOptions(options, 'box.close')
    const closing = (this.#closing ??= this.#close())
    this.#deadlines.add(options)
    return closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  checkOpen(where: string): void {
    this.#checkNotClosed(where)
    this.checkOwned(where)
  }

  checkOwned(where: string): void {
    if (this.#readOnly) throw readOnlyError(where)
  }

  #checkNotClosed(where: string): void {
    if (this.#closing !== undefined) throw closedError(where)
    this.driver.check()
  }

  checkWorking(where: string): void {
    this.checkOwned(where)
    this.#checkWorking(where)
  }

  #checkWorking(where: string): void {
    if (this.#closing !== undefined && this.inbox.running === 0) throw closedError(where)
    this.driver.check()
  }

  checkAccepting(where: string): void {
    this.checkWorking(where)
    if (this.#storage.full === true) {
      const { room } = this.#storage
      const left = room === undefined ? '' : ` (${Math.max(0, room.freeBytes)} of ${room.bytes} bytes are free)`
      throw new AckboxError('ERR_STORAGE_FULL', `${where}: the space that is left is kept for settlements${left}`)
    }
  }

  async #close(): Promise<CloseReport> {
    this.inbox.keepAlive.hold()
    try {
      const returned = await this.#finish()
      this.#ending.resolve()
      return { returned }
    } catch (error) {
      this.#ending.reject(error)
      throw error
    } finally {
      this.inbox.keepAlive.release()
    }
  }

  /** Brings everything to its end; how many deliveries were returned. */
  async #finish(): Promise<number> {
    const failedBefore = this.#failure !== undefined || this.driver.isEnded
    try {
      const returned = await this.#finishWork()
      await this.driver.request({ op: 'close' })
      if (!failedBefore && this.#failure !== undefined) throw this.#failure
      return returned
    } catch (error) {
      // A box that had failed has nothing to wait for any more; giving up its storage is all that is left. One that
      // fails now has not kept what closing promises.
      if (!failedBefore) throw this.#failure ?? error
      return 0
    } finally {
      this.#deadlines.end()
      this.#end(() => closedError('the call'))
      await this.#giveUpStorage()
    }
  }

  async #finishWork(): Promise<number> {
    const { waiting, workers } = this.inbox
    for (const stop of waiting) stop()
    const givenBack = this.inbox.deliveriesOf(undefined).map((delivery) => delivery.giveBack(closedError('the delivery')))
    // The deadlines are those of the box: it expires its workers.
    const closes = [...workers.values()].map((worker) => worker.close({ timeoutMs: Infinity }))
    let returned = (await Promise.all(givenBack)).filter(Boolean).length
    for (const report of await Promise.all(closes)) returned += report.returned
    return returned
  }

  #expire(): void {
    for (const worker of this.inbox.workers.values()) worker.expire()
  }

  /** The engine or its storage has failed: said once, and nothing is settled any more. */
  #fail(error: AckboxError): void {
    this.#failure = error
    this.#ending.reject(error)
    const closed = new AckboxError('ERR_CLOSED', `the box has ended: ${error.message}`, { cause: error })
    for (const delivery of this.inbox.deliveries.all()) delivery.lose(closed, false)
    for (const worker of [...this.inbox.workers.values()]) worker.kill(error)
    // A box that cannot be opened says so by the rejection of open.
    if (this.#early !== undefined) return
    if (this.#events.has('error')) this.#events.emit('error', error)
    else defaultReport(`the box has ended with ${error.code}: ${error.message}`)
  }

  #warn(warning: Warning): void {
    if (this.#early !== undefined) this.#early.push(warning)
    else if (this.#events.has('warning')) this.#events.emit('warning', warning)
    else defaultReport(warning.message, warning.cause)
  }

  async #giveUpStorage(): Promise<void> {
    try {
      await this.#storage.close()
    } finally {
      if (!this.#readOnly) announceRelease()
    }
  }

  #end(error: () => AckboxError): void {
    this.driver.end(error)
    this.#unregister()
  }
}

function closedError(where: string): AckboxError<'ERR_CLOSED'> {
  return new AckboxError('ERR_CLOSED', `${where}: the box is closed`)
}
