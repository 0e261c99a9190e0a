/**
 * Takes what the engine tells while outputs are read, and tells the rest when all of them were read: handlers start,
 * listeners hear of events, the box hears that it has ended. Only `outputsRead` runs user code.
 */
import { Deliveries } from './deliveries.js'
import { ActiveDelivery, type DeliverySource } from './delivery.js'
import type { Driver } from './driver.js'
import type { HandlerLimits, Notice } from './engine/objects.js'
import { retryAtOf } from './engine/breaker.js'
import { AbortReason, circuitStateNames, type DeliverView, EventKind, eventKindNames, type EventView, reasonNames } from './engine/wire.gen.js'
import { decodeError } from './error-info.js'
import { AckboxError } from './errors.js'
import type { Emitter, QueueEvents, Warning } from './events.js'
import { KeepAlive } from './keep-alive.js'
import { Sluices } from './sluice.js'
import type { ErrorInfo } from './types.js'
import type { ActiveWorker } from './worker.js'

/** A queue that was declared in this run. */
export interface DeclaredQueue extends DeliverySource {
  readonly emitter: Emitter<QueueEvents>
  /** What is seen of its messages may be something else now. */
  readonly changed: () => void
}

/** What the box does with news about itself. */
export interface BoxListener {
  failed(error: AckboxError): void
  warned(warning: Warning): void
}

/** Handlers that start between two steps. */
const STARTS_AT_ONCE = 256

export class Inbox {
  readonly keepAlive = new KeepAlive()
  /** Declared queues by their numbers. */
  readonly queues = new Map<number, DeclaredQueue>()
  /** Open workers by their numbers. */
  readonly workers = new Map<number, ActiveWorker>()
  /** Breakers of the user in front of them. */
  readonly sluices = new Sluices()
  /** Deliveries that are not over, by their tokens. */
  readonly deliveries = new Deliveries()
  /** Ends the waiting of each dequeue that waits. */
  readonly waiting = new Set<() => void>()
  /** The identity of the journal, once the box is open. */
  boxId = ''
  /** Handlers that run. */
  running = 0
  /** When a message was last handed out. */
  lastClaimAt: number | undefined
  readonly #listener: BoxListener
  #driver!: Driver
  #failure: AckboxError | undefined
  /** What is to be told and started, in the order of the engine. */
  #news: (() => void)[] = []
  readonly #starting: ActiveDelivery[] = []

  constructor(listener: BoxListener) {
    this.#listener = listener
  }

  attach(driver: Driver): void {
    this.#driver = driver
  }

  /** Deliveries of one worker, or with `undefined` those for settling by hand. */
  deliveriesOf(worker: number | undefined): ActiveDelivery[] {
    return this.deliveries.all().filter((delivery) => delivery.worker === worker)
  }

  deliver(view: DeliverView): void {
    const queue = this.queues.get(view.queue)
    if (queue === undefined) throw new Error(`a message was delivered from queue ${view.queue}, which was not declared`)
    const delivery = new ActiveDelivery(this.#driver, queue, view)
    this.deliveries.set(delivery.token, delivery)
    this.lastClaimAt = this.#driver.steppedAt
    if (delivery.worker === undefined) this.#driver.tickets.at(view.ticket)?.delivered?.(delivery)
    else this.#starting.push(delivery)
  }

  abort(token: number, reason: number): void {
    const delivery = this.deliveries.get(token)
    if (delivery === undefined) return
    const limits = delivery.worker === undefined ? undefined : this.workers.get(delivery.worker)?.limits
    const isOverdue = reason === AbortReason.timeout || reason === AbortReason.ranOut
    this.#news.push(() => {
      const isLate = delivery.lose(abortError(delivery, reason, limits), isOverdue)
      if (isLate && delivery.worker !== undefined) this.workers.get(delivery.worker)?.tookTooLong()
    })
  }

  event(view: EventView): void {
    const queue = this.queues.get(view.queue)
    const kind = eventKindNames[view.event]
    if (queue === undefined || kind === undefined) return
    if (kind === 'changed') return void this.#news.push(queue.changed)
    if (!queue.emitter.has(kind)) return
    const details = eventDetails(view)
    this.#news.push(() => queue.emitter.emit(kind, details as never))
  }

  notice(notice: Notice): void {
    if (notice.notice === 'failed') this.failed(this.#driver.toError(notice.failure))
    else if (notice.notice === 'cooldown') {
      const { worker, destination, openings } = notice
      this.#news.push(() => this.workers.get(worker)?.coolDown(destination, openings))
    }
    else this.#news.push(() => this.warn(notice))
  }

  /** The box has ended; told once. */
  failed(error: AckboxError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#news.push(() => this.#listener.failed(error))
  }

  /** Never called while outputs are read. */
  warn({ message, queue, cause }: Warning): void {
    this.#listener.warned({ message, ...(queue === undefined ? {} : { queue }), ...(cause === undefined ? {} : { cause }) })
  }

  /**
   * All outputs were read: tells what came with them and starts handlers, so many at once that the storage gets the
   * first of what they command while the others start. True: more are to be started.
   */
  outputsRead(): boolean {
    if (this.#news.length > 0) {
      const news = this.#news
      this.#news = []
      for (const tell of news) tell()
    }
    if (this.#starting.length === 0) return false
    for (const delivery of this.#starting.splice(0, STARTS_AT_ONCE)) this.workers.get(delivery.worker!)?.start(delivery)
    return this.#starting.length > 0
  }
}

function abortError({ id }: ActiveDelivery, reason: number, limits: HandlerLimits = {}): AckboxError {
  switch (reason) {
    case AbortReason.closed:
      return new AckboxError('ERR_CLOSED', `message '${id}': the box or worker was closed before it was settled`)
    case AbortReason.timeout:
      return new AckboxError('ERR_TIMEOUT', `message '${id}': ${tookLonger('timeoutMs', limits.timeoutMs ?? limits.maxRuntimeMs)}`)
    case AbortReason.ranOut:
      return new AckboxError('ERR_LEASE_LOST', `message '${id}': ${tookLonger('maxRuntimeMs', limits.maxRuntimeMs)}`)
    default:
      return new AckboxError('ERR_LEASE_LOST', `message '${id}': its lease ran out, or it was cancelled, before it was settled`)
  }
}

function tookLonger(option: string, ms: number | undefined): string {
  return `its handler took longer than its ${option}, ${ms} ms`
}

/** The part of an event's record that its kind uses. */
function eventDetails(view: EventView): object {
  const { event, attempt, waitMs, handleMs } = view
  switch (event) {
    case EventKind.drained:
    case EventKind.paused:
    case EventKind.resumed:
      return {}
    case EventKind.enqueued:
    case EventKind.duplicate:
      return { id: view.id() }
    case EventKind.started:
    case EventKind.stalled:
      return { id: view.id(), attempt }
    case EventKind.completed:
      return { id: view.id(), attempt, waitMs, handleMs }
    case EventKind.retry:
      return { id: view.id(), attempt, delayMs: waitMs, at: view.at, ...errorOf(view) }
    case EventKind.circuit: {
      const to = circuitStateNames[view.circuitTo]!
      const from = circuitStateNames[view.circuitFrom]
      return { destination: view.id() || undefined, from, to, retryAt: retryAtOf(to, view.at || undefined) }
    }
    case EventKind.dead:
      return { id: view.id(), attempt, reason: reasonNames[view.reason], ...errorOf(view) }
    default:
      return { id: view.id(), attempt, ...errorOf(view) }
  }
}

function errorOf(view: EventView): { error?: ErrorInfo } {
  const error = decodeError(view.errorText())
  return error === undefined ? {} : { error }
}
