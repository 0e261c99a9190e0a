/** Runs the handlers of one `process` call. When and what it gets is decided by the engine. */
import type { Handler, Worker } from './api.js'
import type { GatedBreaker } from './breaker-gate.js'
import { encodeResult } from './codec.js'
import { checkCloseOptions, Deadlines, Ending } from './closing.js'
import type { ActiveDelivery } from './delivery.js'
import type { Driver } from './driver.js'
import { EndReport, type FailureJudge } from './end-report.js'
import type { HandlerLimits } from './engine/objects.js'
import { AckboxError } from './errors.js'
import { Emitter, type WorkerEvents } from './events.js'
import type { DeclaredQueue, Inbox } from './inbox.js'
import type { MiddlewareStack } from './middleware.js'
import { DelayedStarts } from './outliving.js'
import { pageIsLeft } from './page-life.js'
import type { Sluice } from './sluice.js'
import type { WorkerStats } from './stats.js'
import type { CloseOptions, CloseReport } from './types.js'
import { isThenable } from './validate.js'
import {
  circuitAround,
  circuitOf,
  circuitsOf,
  infoOfBreaker,
  type WorkerCircuit,
  type WorkerCircuitInfo,
} from './worker-circuit.js'
import { type CooldownFunctions, Cooldowns } from './worker-cooldown.js'
import type { Judges } from './worker-policies.js'
import { Readiness, type ReadinessOptions } from './worker-readiness.js'
import { type Classify, type Consequence, consequenceOfVerdict, isOpenToClassify } from './verdict.js'

/** The browser ends what handlers wait for when it leaves their page: that says nothing about their messages. */
const CUT_OFF: Consequence = { kind: 'later', delayMs: undefined, costsAttempt: false, countsAsFailure: false }

const EVENTS = ['started', 'finished', 'paused', 'resumed'] as const

/** What a worker is made of. */
export interface WorkerParts {
  readonly driver: Driver
  readonly inbox: Inbox
  readonly middleware: MiddlewareStack
  readonly source: DeclaredQueue
  /** Its number in the engine. */
  readonly number: number
  readonly handler: Handler<never, unknown>
  readonly name: string
  readonly concurrency: number
  readonly classify: Classify<never> | undefined
  readonly limits: HandlerLimits
  /** It has circuits of the engine. */
  readonly hasCircuits: boolean
  /** One gate for all its messages. */
  readonly breaker: GatedBreaker | undefined
  readonly sluice: Sluice | undefined
  /** What says whether errors are failures of what was called; `undefined`: all are. */
  readonly judges: Judges | undefined
  /** What says how long its circuits stay open; `undefined`: the engine knows. */
  readonly cooldowns: CooldownFunctions | undefined
  /** When it pauses by itself; `undefined`: never. */
  readonly readiness: ReadinessOptions | undefined
}

export class ActiveWorker implements Worker {
  readonly name: string
  readonly #parts: WorkerParts
  readonly #where: string
  readonly #events: Emitter<WorkerEvents>
  readonly #ending = new Ending()
  readonly #deadlines: Deadlines
  #closing: Promise<CloseReport> | undefined
  #paused = false
  readonly #readiness: Readiness | undefined
  #running = 0
  #started = 0
  #completed = 0
  #failed = 0
  #leasesLost = 0
  #warnedOfResult = false
  readonly #delayed: DelayedStarts
  readonly #cooldowns: Cooldowns | undefined
  /** It matters when exactly a handler started. */
  readonly #measures: boolean

  constructor(parts: WorkerParts) {
    const { driver, inbox, source, name } = parts
    this.#parts = parts
    this.name = name
    this.#where = `queue '${source.name}', worker '${name}'`
    this.#events = new Emitter(this.#where, EVENTS, (warning) => driver.warn(warning))
    this.#deadlines = new Deadlines(driver.clock, () => this.expire())
    this.#delayed = new DelayedStarts(driver.clock)
    this.#cooldowns = parts.cooldowns && new Cooldowns(parts.cooldowns, this.#where, (it) => driver.warn({ ...it, queue: source.name }))
    const { timeoutMs, maxRuntimeMs } = parts.limits
    this.#measures = parts.hasCircuits || timeoutMs !== undefined || maxRuntimeMs !== undefined
    this.#readiness = parts.readiness && this.#watchReadiness(parts.readiness)
    inbox.keepAlive.hold()
    pageIsLeft()
  }

  readonly on: Worker['on'] = (event, listener, options) => this.#events.on(event, listener, options)

  get closed(): Promise<void> {
    return this.#ending.promise
  }

  pause(): void {
    this.#checkOpen('pause')
    if (this.#paused) return
    if (this.#readiness?.isHeld !== true) this.#tellEngine('pauseWorker')
    this.#paused = true
    this.#delayed.flush()
    this.#events.emit('paused', {})
  }

  resume(): void {
    this.#checkOpen('resume')
    if (!this.#paused) return
    if (this.#readiness?.isHeld !== true) this.#tellEngine('resumeWorker')
    this.#paused = false
    this.#events.emit('resumed', {})
  }

  circuit(destination?: string): WorkerCircuit {
    const { driver, number, hasCircuits, breaker } = this.#parts
    if (breaker !== undefined && (destination === undefined || !hasCircuits)) return circuitAround(breaker)
    return circuitOf(driver, number, hasCircuits, destination, `${this.#where}: circuit`)
  }

  circuits(): WorkerCircuitInfo[] {
    this.#checkOpen('circuits')
    const { driver, number, breaker } = this.#parts
    const circuits = circuitsOf(driver, number)
    return breaker === undefined ? circuits : [infoOfBreaker(breaker), ...circuits]
  }

  stats(): WorkerStats {
    return {
      name: this.name,
      concurrency: this.#parts.concurrency,
      paused: this.#paused,
      running: this.#running,
      started: this.#started,
      completed: this.#completed,
      failed: this.#failed,
      leasesLost: this.#leasesLost,
    }
  }

  async close(options: CloseOptions = {}): Promise<CloseReport> {
    checkCloseOptions(options, `${this.#where}: close`)
    const closing = (this.#closing ??= this.#close())
    this.#readiness?.end()
    this.#delayed.flush()
    this.#deadlines.add(options)
    return closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal Its number in the engine. */
  get number(): number {
    return this.#parts.number
  }

  /** @internal How long its handlers may take. */
  get limits(): HandlerLimits {
    return this.#parts.limits
  }

  /** @internal It has ended in good order. */
  over(): void {
    this.#leave()
    this.#ending.resolve()
  }

  /** Nothing is delivered to it any more. False if that was so before. */
  #leave(): boolean {
    const { inbox, number, breaker, source } = this.#parts
    this.#readiness?.end()
    if (!inbox.workers.delete(number)) return false
    inbox.keepAlive.release()
    if (breaker !== undefined) inbox.sluices.part(breaker, source)
    return true
  }

  /** @internal Starts the handler of a delivery. */
  start(delivery: ActiveDelivery): void {
    if (!delivery.isOpen) return delivery.handlerReturned('')
    if (this.#isStopped) return this.#decline(delivery)
    const may = this.#readiness?.ask() ?? true
    if (may === false) return this.#decline(delivery)
    if (may !== true) return void may.then((isReady) => (isReady ? this.#startReady(delivery) : this.#decline(delivery)))
    this.#startReady(delivery)
  }

  #startReady(delivery: ActiveDelivery): void {
    if (!delivery.isOpen) return delivery.handlerReturned('')
    const outliving = delivery.outliving()
    if (outliving !== undefined) return this.#delayed.add(outliving, () => this.start(delivery))
    const prepared = delivery.prepare()
    if (prepared === true) this.#handle(delivery)
    else if (prepared !== false) void prepared.then((isPrepared) => isPrepared && this.#handle(delivery))
  }

  /** Nobody saw it; it may have been lost while the answer was awaited. */
  #decline(delivery: ActiveDelivery): void {
    if (!delivery.isOpen) return delivery.handlerReturned('')
    delivery.decline()
    this.#parts.sluice?.declined()
  }

  #watchReadiness(options: ReadinessOptions): Readiness {
    const { driver, source } = this.#parts
    return new Readiness(options, {
      clock: driver.clock,
      changed: (isHeld) => {
        if (this.#paused || this.#closing !== undefined) return
        driver.inform({ op: isHeld ? 'pauseWorker' : 'resumeWorker', worker: this.#parts.number })
      },
      failed: (cause) => driver.warn({ message: `${this.#where}: ready failed`, queue: source.name, cause }),
    })
  }

  #tellEngine(op: 'pauseWorker' | 'resumeWorker'): void {
    this.#parts.driver.call({ op, worker: this.#parts.number })
  }

  /** It was paused or closed, which the engine did not know yet as it handed out what is to start now. */
  get #isStopped(): boolean {
    return this.#paused || this.#closing !== undefined || this.#parts.source.isPaused
  }

  /** `false`: the breaker in front of it gives no leave. */
  #report(delivery: ActiveDelivery): EndReport | undefined | false {
    const { driver, source, sluice, judges } = this.#parts
    const cooldowns = this.#cooldowns
    if (sluice === undefined && judges === undefined && cooldowns === undefined) return undefined
    const leave = sluice?.enter(longestOf(this.#parts.limits))
    if (sluice !== undefined && leave === undefined) return false
    const judge = delivery.destination === undefined ? judges?.without : judges?.of
    return new EndReport(driver, delivery.token, {
      leave,
      isFailure: judge && ((error) => this.#isFailure(judge, error, source.name)),
      failed: cooldowns && ((error) => cooldowns.note(delivery.destination, error)),
    })
  }

  /** @internal A circuit has opened: for how long? */
  coolDown(destination: string, openings: number): void {
    const { driver, number } = this.#parts
    const ms = this.#cooldowns?.ask(destination, openings)
    if (ms !== undefined) driver.inform({ op: 'coolDown', worker: number, destination, ms })
  }

  /** One that is wrong must not hide a failure. */
  #isFailure(judge: FailureJudge, error: unknown, queue: string): boolean {
    try {
      return judge(error)
    } catch (cause) {
      this.#parts.driver.warn({ message: `${this.#where}: isFailure failed`, queue, cause })
      return true
    }
  }

  #handle(delivery: ActiveDelivery): void {
    if (this.#isStopped) return this.#decline(delivery)
    const report = this.#report(delivery)
    if (report === false) return this.#decline(delivery)
    delivery.begin(report)
    if (this.#measures) delivery.tellBeginning()
    this.#running++
    this.#started++
    this.#parts.inbox.running++
    const startedAt = this.#parts.driver.steppedAt
    if (this.#events.has('started')) this.#events.emit('started', { id: delivery.id, attempt: delivery.attempt })
    let result: unknown
    let isPending: boolean
    try {
      const { handler, middleware } = this.#parts
      result = middleware.hasDeliver
        ? middleware.deliver(delivery as never, handler, this.#where)
        : handler(delivery as never)
      // Looking at `then` runs code of the user as well.
      isPending = isThenable(result)
    } catch (error) {
      return this.#threw(delivery, startedAt, error)
    }
    if (!isPending) return this.#handled(delivery, startedAt, result)
    void Promise.resolve(result).then(
      (value) => this.#handled(delivery, startedAt, value),
      (error: unknown) => this.#threw(delivery, startedAt, error),
    )
  }

  /** @internal Gives up the handlers that still run: their signals abort, their messages are returned. */
  expire(): void {
    const error = new AckboxError('ERR_CLOSED', `${this.#where}: closed before the handler had returned`)
    for (const delivery of this.#parts.inbox.deliveriesOf(this.#parts.number)) {
      delivery.abandon(error)
    }
  }

  /** @internal The box has ended: nothing can be settled any more. */
  kill(error: AckboxError): void {
    this.#deadlines.end()
    this.#delayed.flush()
    if (this.#leave()) this.#ending.reject(error)
  }

  #handled(delivery: ActiveDelivery, startedAt: number, result: unknown): void {
    const { lateness } = delivery
    if (lateness !== undefined) return this.#threw(delivery, startedAt, lateness)
    if (!delivery.isOverdue) this.#completed++
    delivery.handlerReturned(result === undefined || !delivery.isOpen ? '' : this.#encode(result))
    this.#finished(delivery, startedAt, undefined)
  }

  /** @internal A handler that runs on has failed. */
  tookTooLong(): void {
    this.#failed++
  }

  #threw(delivery: ActiveDelivery, startedAt: number, error: unknown): void {
    if (!delivery.isOverdue) this.#failed++
    delivery.handlerThrew(error, this.#classify(error, delivery))
    this.#finished(delivery, startedAt, { error })
  }

  /** A `classify` that is wrong must not lose the rejection: what would follow without it does. */
  #classify(error: unknown, delivery: ActiveDelivery): Consequence | undefined {
    const { classify, driver, source } = this.#parts
    if (pageIsLeft()) return CUT_OFF
    if (classify === undefined || !delivery.isOpen || !isOpenToClassify(error)) return undefined
    const where = `${this.#where}: classify`
    try {
      return consequenceOfVerdict(classify(error, delivery as never), where)
    } catch (cause) {
      driver.warn({ message: `${where} failed for message '${delivery.id}'`, queue: source.name, cause })
      return undefined
    }
  }

  #finished(delivery: ActiveDelivery, startedAt: number, failure: { error: unknown } | undefined): void {
    this.#running--
    this.#parts.inbox.running--
    if (delivery.isLost) this.#leasesLost++
    if (!this.#events.has('finished')) return
    const { id, attempt } = delivery
    this.#events.emit('finished', { id, attempt, handleMs: this.#parts.driver.now() - startedAt, ...failure })
  }

  /** The handler did its work: a result that cannot be kept must not have it done again. */
  #encode(result: unknown): string {
    const { source, driver } = this.#parts
    try {
      return encodeResult(result, source.maxResultBytes, this.#where)
    } catch (cause) {
      if (!this.#warnedOfResult) {
        const message = `${this.#where}: messages are completed without the results of the handler, which cannot be kept`
        driver.warn({ message, queue: source.name, cause })
      }
      this.#warnedOfResult = true
      return ''
    }
  }

  async #close(): Promise<CloseReport> {
    const { driver, inbox, number } = this.#parts
    let returned: number
    try {
      returned = await driver.request<number>({ op: 'closeWorker', worker: number })
    } catch (error) {
      // A box that has ended has closed its workers.
      if (inbox.workers.has(number)) throw error
      return { returned: 0 }
    } finally {
      this.#deadlines.end()
    }
    this.over()
    return { returned }
  }

  #checkOpen(call: string): void {
    if (this.#closing !== undefined) throw new AckboxError('ERR_CLOSED', `${this.#where}: ${call}: the worker is closed`)
    this.#parts.driver.check()
  }
}

/** When the attempt of a handler has failed at the latest; `undefined`: it may take any time. */
function longestOf({ timeoutMs, maxRuntimeMs }: HandlerLimits): number | undefined {
  if (timeoutMs === undefined || maxRuntimeMs === undefined) return timeoutMs ?? maxRuntimeMs
  return Math.min(timeoutMs, maxRuntimeMs)
}
