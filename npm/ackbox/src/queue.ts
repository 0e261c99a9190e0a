/** A named queue of an embedded box. */
import type { Delivery, DequeueOptions, FinishedOptions, Handler, PeekOptions, Queue, Worker, WorkerOptions } from './api.js'
import type { BoxCore } from './box.js'
import { Admission } from './admission.js'
import { claim } from './claim.js'
import { PAGE, PAGE_DEFAULT, QueueDeadLetters } from './dead-letters.js'
import type { Defined, MessageInfo as EngineInfo, Request, WorkerOpened } from './engine/objects.js'
import type { QueueOptions as EngineOptions } from './engine/objects.js'
import { EventKind, eventKindNames, messageStateNames } from './engine/wire.gen.js'
import { enqueueAll, enqueueOne } from './enqueue.js'
import { KEY_BYTES_MAX } from './enqueue-options.js'
import { invalidOption } from './errors.js'
import { Emitter, type QueueEvents } from './events.js'
import { askForInfos } from './inspect.js'
import { describeChanges } from './option-changes.js'
import { outcomeOf } from './outcome.js'
import { type LocalOptions, type QueueOptions, splitQueueOptions } from './queue-options.js'
import type { QueueStats } from './stats.js'
import type { EnqueueItem, EnqueueOptions, MessageInfo, Outcome, Receipt } from './types.js'
import type { Range } from './validate.js'
import { callable, checkNames, choice, integer, text } from './validate.js'
import { ActiveWorker } from './worker.js'

const CONCURRENCY: Range = { min: 1, max: 100_000 }
const EVENTS = eventKindNames.filter((name) => name !== undefined)
const STATES = messageStateNames.filter((name) => name !== undefined)
const WORKER_NAMES = ['concurrency', 'name', 'classify']
const WORKER_LATER = [
  'timeoutMs', 'maxRuntimeMs', 'breaker', 'perDestination', 'rate', 'whenOpen', 'retryBudget', 'ready',
  'networkMode',
]

/** A queue as the package holds it; it takes and gives bodies of any type, users see its typed side. */
export class EmbeddedQueue implements Queue<unknown, unknown> {
  readonly name: string
  readonly dead: QueueDeadLetters
  /** @internal */
  readonly where: string
  /** @internal Its number in the engine. */
  readonly number: number
  /** @internal */
  readonly events: Emitter<QueueEvents>
  /** @internal */
  readonly driver: BoxCore['driver']
  /** @internal The part of the options that lives in this process. */
  local: LocalOptions = {}
  /** @internal */
  readonly admission = new Admission()
  readonly #core: BoxCore
  #inForce: EngineOptions = {}

  constructor(core: BoxCore, name: string, options: QueueOptions<never, unknown>) {
    this.#core = core
    this.driver = core.driver
    this.name = name
    this.where = `queue '${name}'`
    this.events = new Emitter(this.where, EVENTS, (warning) => core.inbox.warn(warning), () => this.#listen())
    this.number = this.#define(options, true)
    this.dead = new QueueDeadLetters(this)
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

  /** @internal The number in the engine, under the name that records use. */
  get queue(): number {
    return this.number
  }

  /** @internal Applies options that are named. */
  amend(options: QueueOptions<never, unknown>): void {
    this.#define(options, false)
  }

  readonly on: Queue['on'] = (event, listener, options) => this.events.on(event, listener, options)

  enqueue(body: unknown, options?: EnqueueOptions): Promise<Receipt> {
    return enqueueOne(this.#core, this, body, options, `${this.where}: enqueue`)
  }

  enqueueMany(items: Iterable<EnqueueItem<unknown>>): Promise<Receipt[]> {
    return enqueueAll(this.#core, this, items, `${this.where}: enqueueMany`)
  }

  process(handler: Handler<unknown, unknown>, options: WorkerOptions<never> = {}): Worker {
    const where = `${this.where}: process`
    callable(handler, 'the handler', where)
    checkNames(options, WORKER_NAMES, where, WORKER_LATER)
    const concurrency = integer(options.concurrency ?? 1, CONCURRENCY, 'concurrency', where)
    const name = options.name ?? this.name
    text(name, KEY_BYTES_MAX, 'name', where)
    const { classify } = options
    if (classify !== undefined) callable(classify, 'classify', where)
    this.#core.checkOpen(where)
    const { driver, inbox } = this.#core
    const { worker: number } = driver.call<WorkerOpened>({ op: 'openWorker', queue: this.number, concurrency })
    const worker = new ActiveWorker({ driver, inbox, source: this, number, handler, name, concurrency, classify })
    inbox.workers.set(number, worker)
    return worker
  }

  async dequeue(options: DequeueOptions = {}): Promise<Delivery<unknown> | undefined> {
    const [delivery] = await claim(this.#core, this.number, 1, options, `${this.where}: dequeue`)
    return delivery
  }

  dequeueMany(max: number, options: DequeueOptions = {}): Promise<Delivery<unknown>[]> {
    return claim(this.#core, this.number, max, options, `${this.where}: dequeueMany`)
  }

  async get(id: string): Promise<MessageInfo | undefined> {
    const request = this.#about(id, 'get')
    const { answer, infoOf } = await askForInfos<EngineInfo[]>(this.driver, request, this.local.codec)
    return answer[0] === undefined ? undefined : infoOf(answer[0], 0)
  }

  finished(id: string, options: FinishedOptions = {}): Promise<Outcome> {
    return outcomeOf(this.#core, this.number, id, options, `${this.where}: finished`)
  }

  async peek(options: PeekOptions = {}): Promise<MessageInfo[]> {
    const where = `${this.where}: peek`
    checkNames(options, ['state', 'limit'], where)
    const limit = integer(options.limit ?? PAGE_DEFAULT, PAGE, 'limit', where)
    const state = options.state === undefined ? {} : { state: choice(options.state, STATES, 'state', where) }
    const request = { op: 'peek', queue: this.number, limit, ...state } as const
    const { answer, infoOf } = await askForInfos<EngineInfo[]>(this.driver, request, this.local.codec)
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
    await this.driver.request({ op: 'pauseQueue', queue: this.number })
  }

  async resume(): Promise<void> {
    await this.driver.request({ op: 'resumeQueue', queue: this.number })
  }

  async stats(): Promise<QueueStats> {
    return this.driver.call({ op: 'queueStats', queue: this.number })
  }

  #about(id: string, op: 'get' | 'cancel' | 'retryNow' | 'forget'): Request {
    if (typeof id !== 'string') throw invalidOption('id to be a string', id, `${this.where}: ${op}`)
    return { op, queue: this.number, id }
  }

  #define(given: QueueOptions<never, unknown>, first: boolean): number {
    const { engine, local } = splitQueueOptions(given, this.where)
    const named = Object.keys(engine).length > 0
    if (first || named) {
      const { queue, created, changed, options } = this.driver.call<Defined>({
        op: 'defineQueue',
        name: this.name,
        options: engine,
      })
      this.#inForce = options
      this.local = { ...this.local, ...local }
      const changes = created ? [] : describeChanges(changed)
      if (changes.length > 0) {
        this.#core.inbox.warn({ message: `${this.where}: options changed: ${changes.join(', ')}`, queue: this.name })
      }
      return queue
    }
    this.local = { ...this.local, ...local }
    return this.number
  }

  /** The engine emits only what somebody listens to. */
  #listen(): void {
    if (this.driver.isEnded) return
    let events = 0
    for (const name of EVENTS) if (this.events.has(name)) events |= 1 << EventKind[name]
    this.driver.call({ op: 'listen', queue: this.number, events })
  }
}
