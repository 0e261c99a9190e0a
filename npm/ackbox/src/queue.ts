/** A named queue of an embedded box. */
import { Admission } from './admission.js'
import type { Delivery, DequeueOptions, FinishedOptions, Handler, PeekOptions, Queue, Worker, WorkerOptions } from './api.js'
import { BodyReader } from './body-reader.js'
import type { BoxCore } from './box.js'
import { claim } from './claim.js'
import { type ConsumeOptions, Consumer, type Consumption } from './consume.js'
import { PAGE, PAGE_DEFAULT, QueueDeadLetters } from './dead-letters.js'
import { drain, type DrainOptions, type DrainReport } from './drain.js'
import type { Defined, MessageInfo as EngineInfo, Request } from './engine/objects.js'
import type { QueueOptions as EngineOptions } from './engine/objects.js'
import { EventKind, eventKindNames, messageStateNames } from './engine/wire.gen.js'
import { enqueueAll, enqueueOne } from './enqueue.js'
import { enqueueAllThrough, enqueueOneThrough } from './enqueue-through.js'
import { invalidOption } from './errors.js'
import { type EventsOptions, type EventStream, QueueEventStream } from './event-stream.js'
import { Emitter, type QueueEvents } from './events.js'
import { idle, type IdleOptions } from './idle.js'
import { askForInfos } from './inspect.js'
import { describeChanges } from './option-changes.js'
import { outcomeOf } from './outcome.js'
import { type LocalOptions, type QueueOptions, splitQueueOptions } from './queue-options.js'
import { RECEIVING, type Receiving } from './receiving.js'
import { startWorker } from './start-worker.js'
import type { QueueStats } from './stats.js'
import type { EnqueueItem, EnqueueOptions, Guarantee, MessageInfo, Outcome, Receipt } from './types.js'
import { checkNames, choice, integer } from './validate.js'
import { QueueWatch, type Watch, type WatchOptions } from './watch.js'

/** `changed` is a hint for those who watch, no news of its own. */
const EVENTS = eventKindNames.filter((name) => name !== undefined && name !== 'changed') as (keyof QueueEvents)[]
const STATES = messageStateNames.filter((name) => name !== undefined)

/** A queue as the package holds it; it takes and gives bodies of any type, users see its typed side. */
export class EmbeddedQueue implements Queue<unknown, unknown> {
  readonly name: string
  readonly dead: QueueDeadLetters
  /** @internal */
  readonly where: string
  readonly #enqueueWhere: string
  /** @internal Its number in the engine. */
  readonly number: number
  /** @internal */
  readonly emitter: Emitter<QueueEvents>
  /** @internal */
  readonly driver: BoxCore['driver']
  /** @internal The part of the options that lives in this process. */
  local: LocalOptions = {}
  /** @internal */
  readonly admission = new Admission()
  /** @internal */
  readonly bodies: BodyReader
  /** @internal The engine may have handed out messages before it knew. */
  isPaused = false
  /** @internal */
  readonly core: BoxCore
  readonly #watchers = new Set<() => void>()
  #inForce: EngineOptions = {}
  #named: EngineOptions = {}

  constructor(core: BoxCore, name: string, options: QueueOptions<never, unknown>) {
    this.core = core
    this.driver = core.driver
    this.name = name
    this.where = `queue '${name}'`
    this.#enqueueWhere = `${this.where}: enqueue`
    this.emitter = new Emitter(this.where, EVENTS, (warning) => core.inbox.warn(warning), () => this.#listen())
    this.bodies = new BodyReader(name, (warning) => core.inbox.warn(warning))
    this.number = this.#define(options, true)
    this.dead = new QueueDeadLetters(core, this)
    core.inbox.queues.set(this.number, this)
  }

  /** @internal Bytes of one body at most. */
  get maxBodyBytes(): number {
    return this.#inForce.maxBodyBytes ?? Infinity
  }

  /** @internal Bytes of one result at most. */
  get maxResultBytes(): number {
    return this.#inForce.maxResultBytes ?? Infinity
  }

  /** @internal */
  get leaseMs(): number {
    return this.#inForce.leaseMs ?? 0
  }

  /** @internal */
  get boxId(): string {
    return this.core.inbox.boxId
  }

  /** @internal The number in the engine, under the name that records use. */
  get queue(): number {
    return this.number
  }

  /** @internal What it promises about deliveries. */
  get guarantee(): Guarantee | undefined {
    return this.#inForce.guarantee
  }

  /** @internal Calls whenever something else may be seen of its messages. */
  addWatcher(watcher: () => void): void {
    this.#watchers.add(watcher)
    if (this.#watchers.size === 1) this.#listen()
  }

  /** @internal */
  removeWatcher(watcher: () => void): void {
    if (this.#watchers.delete(watcher) && this.#watchers.size === 0) this.#listen()
  }

  /** @internal */
  readonly changed = (): void => {
    for (const watcher of [...this.#watchers]) watcher()
  }

  /** @internal */
  get [RECEIVING](): Receiving {
    return {
      clock: this.driver.clock,
      maxBodyBytes: this.maxBodyBytes,
      hasCodec: this.local.codec !== undefined,
      nameDedup: (options, where) => {
        this.core.checkOpen(where)
        this.#put({ dedup: { ...options, ...this.#named.dedup } })
      },
      windowMs: () => this.#windowMs(),
      remembersIds: () => this.#inForce.dedup?.windowMs !== 0,
      warn: (message, cause) => this.core.inbox.warn({ message, queue: this.name, cause }),
    }
  }

  /** @internal Applies options that are named. */
  amend(options: QueueOptions<never, unknown>): void {
    this.#define(options, false)
  }

  readonly on: Queue['on'] = (event, listener, options) => {
    // Nobody would ever be told.
    this.core.checkOwned(`${this.where}: on`)
    return this.emitter.on(event, listener, options)
  }

  events(options: EventsOptions = {}): EventStream {
    const where = `${this.where}: events`
    this.core.checkOpen(where)
    const warn = this.core.inbox.warn.bind(this.core.inbox)
    const source = { name: this.name, emitter: this.emitter, warn, onEnd: this.core.onEnd }
    return new QueueEventStream(source, options, where)
  }

  enqueue(body: unknown, options?: EnqueueOptions): Promise<Receipt> {
    const enqueue = this.core.middleware.hasEnqueue ? enqueueOneThrough : enqueueOne
    return enqueue(this.core, this, body, options, this.#enqueueWhere)
  }

  enqueueMany(items: Iterable<EnqueueItem<unknown>>): Promise<Receipt[]> {
    const enqueue = this.core.middleware.hasEnqueue ? enqueueAllThrough : enqueueAll
    return enqueue(this.core, this, items, `${this.where}: enqueueMany`)
  }

  process(handler: Handler<unknown, unknown>, options: WorkerOptions<never> = {}): Worker {
    return startWorker(this.core, this, handler, options, `${this.where}: process`)
  }

  drain(handler: Handler<unknown, unknown>, options: DrainOptions<never> = {}): Promise<DrainReport> {
    return drain(this.core, this, handler, options, `${this.where}: drain`)
  }

  consume(options: ConsumeOptions = {}): Consumption<unknown> {
    return new Consumer(this.core, this, options, `${this.where}: consume`)
  }

  async dequeue(options: DequeueOptions = {}): Promise<Delivery<unknown> | undefined> {
    const [delivery] = await claim(this.core, this.number, 1, options, `${this.where}: dequeue`)
    return delivery
  }

  dequeueMany(max: number, options: DequeueOptions = {}): Promise<Delivery<unknown>[]> {
    return claim(this.core, this.number, max, options, `${this.where}: dequeueMany`)
  }

  async get(id: string): Promise<MessageInfo | undefined> {
    const request = this.#about(id, 'get')
    const { answer, infoOf } = await askForInfos<EngineInfo[]>(this.driver, request, this)
    return answer[0] === undefined ? undefined : infoOf(answer[0], 0)
  }

  finished(id: string, options: FinishedOptions = {}): Promise<Outcome> {
    return outcomeOf(this.core, this.number, id, options, `${this.where}: finished`)
  }

  async peek(options: PeekOptions = {}): Promise<MessageInfo[]> {
    const where = `${this.where}: peek`
    checkNames(options, ['state', 'limit'], where)
    const limit = integer(options.limit === undefined ? PAGE_DEFAULT : options.limit, PAGE, 'limit', where)
    const state = options.state === undefined ? {} : { state: choice(options.state, STATES, 'state', where) }
    const request = { op: 'peek', queue: this.number, limit, ...state } as const
    const { answer, infoOf } = await askForInfos<EngineInfo[]>(this.driver, request, this)
    return answer.map(infoOf)
  }

  async cancel(id: string): Promise<boolean> {
    return (await this.driver.request(this.#about(id, 'cancel'))) === 1
  }

  async retryNow(id: string): Promise<boolean> {
    return (await this.driver.request(this.#about(id, 'retryNow'))) === 1
  }

  async forget(id: string): Promise<boolean> {
    return (await this.driver.request(this.#about(id, 'forget'))) === 1
  }

  async purge(): Promise<number> {
    return this.driver.request({ op: 'purge', queue: this.number })
  }

  async pause(): Promise<void> {
    this.isPaused = true
    await this.driver.request({ op: 'pauseQueue', queue: this.number })
  }

  async resume(): Promise<void> {
    this.isPaused = false
    await this.driver.request({ op: 'resumeQueue', queue: this.number })
  }

  idle(options: IdleOptions = {}): Promise<void> {
    return idle(this.core, this.number, options, `${this.where}: idle`)
  }

  watch(options: WatchOptions = {}): Watch<never> {
    return new QueueWatch(this.core, this, options, `${this.where}: watch`)
  }

  async stats(): Promise<QueueStats> {
    return this.driver.request({ op: 'queueStats', queue: this.number })
  }

  /** Only an index that shortens its window knows less than was configured. */
  #windowMs(): number {
    const { windowMs = 0, whenFull } = this.#inForce.dedup ?? {}
    if (whenFull !== 'shorten') return windowMs
    return this.driver.call<QueueStats>({ op: 'queueStats', queue: this.number }).dedupWindowMs ?? windowMs
  }

  #about(id: string, op: 'get' | 'cancel' | 'retryNow' | 'forget'): Request {
    if (typeof id !== 'string') throw invalidOption('id to be a string', id, `${this.where}: ${op}`)
    return { op, queue: this.number, id }
  }

  #define(given: QueueOptions<never, unknown>, first: boolean): number {
    const { engine, local } = splitQueueOptions(given, this.where)
    // The engine writes of dead letters by itself: it must know whether this run has a codec, which it cannot keep.
    if (first || local.codec !== undefined) engine.bodies = local.codec === undefined ? 'json' : 'encoded'
    const named = Object.keys(engine).length > 0
    if (first || named) {
      const { queue, created, changed } = this.#put(engine)
      this.local = { ...this.local, ...local }
      const changes = created ? [] : describeChanges(changed)
      if (changes.length > 0) {
        this.core.inbox.warn({ message: `${this.where}: options changed: ${changes.join(', ')}`, queue: this.name })
      }
      return queue
    }
    this.local = { ...this.local, ...local }
    return this.number
  }

  #put(options: EngineOptions): Defined {
    const defined = this.driver.call<Defined>({ op: 'defineQueue', name: this.name, options })
    this.#inForce = defined.options
    this.#named = defined.named
    return defined
  }

  /** The engine emits only what somebody listens to. */
  #listen(): void {
    if (this.driver.isEnded) return
    let events = this.#watchers.size > 0 ? 1 << EventKind.changed : 0
    for (const name of EVENTS) if (this.emitter.has(name)) events |= 1 << EventKind[name]
    this.driver.call({ op: 'listen', queue: this.number, events })
  }
}
