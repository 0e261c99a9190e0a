/** One attempt at handling a message, from its delivery until it is settled or lost. */
import type { Delivery, Queue, RejectOptions, StepContext } from './api.js'
import type { BoxCore } from './box.js'
import { decodeHeaders, encodeResult } from './codec.js'
import { readBody, type Reading } from './delivery-body.js'
import { type EndParts, failedEnd, type FailedEnd, settlementOf } from './delivery-end.js'
import { checkExtension, checkReject, DELAY, placeOf } from './delivery-options.js'
import type { Driver } from './driver.js'
import type { StepKey } from './engine/objects.js'
import { type DeliverView, Reason, type Settle, Verdict } from './engine/wire.gen.js'
import type { EndReport } from './end-report.js'
import { encodeError } from './error-info.js'
import { AckboxError } from './errors.js'
import { outlive, type Outliving, outliving } from './outliving.js'
import type { LocalOptions } from './queue-options.js'
import { Staging } from './staging.js'
import { checkStepName, Steps } from './steps.js'
import type { Receipt, StagedEnqueueOptions } from './types.js'
import { isUnasked } from './unasked.js'
import { duration } from './validate.js'
import { type Consequence, consequenceOf } from './verdict.js'

/** The queue that a delivery comes from. */
export interface DeliverySource {
  readonly name: string
  readonly core: BoxCore
  readonly local: LocalOptions
  readonly maxBodyBytes: number
  readonly maxResultBytes: number
  /** How long a claim lasts, and a message waits for a handler that was told to stop. */
  readonly leaseMs: number
  /** The identity of the journal. */
  readonly boxId: string
  /** No handler starts. */
  readonly isPaused: boolean
}

/**
 * - `open`: may be settled.
 * - `settled`: by hand or by the end of its handler; the engine has been told.
 * - `late`: its handler was told to stop, for it took too long; its end will be a failure.
 * - `lost`: its lease is gone, `#lostTo` says why; the engine still waits for the end of its handler.
 * - `abandoned`: nobody waits for its handler any more, `#lostTo` says why; the engine wants to know its end all the
 *   same, for until then its message is not delivered again.
 */
type State = 'open' | 'settled' | 'late' | 'lost' | 'abandoned'

/** A settlement by hand that is on its way. */
export interface PendingEnd {
  /** It is durable. */
  done(): void
  /** It was refused, itself (`isOwn`) or with something else. */
  refused(error: unknown, isOwn: boolean): void
}

/** The delivery as the package holds it; users see its {@link Delivery} side. */
export class ActiveDelivery implements Delivery<unknown> {
  readonly token: number
  readonly id: string
  readonly attempt: number
  readonly priority: number
  readonly enqueuedAt: number
  readonly group: string | undefined
  readonly destination: string | undefined
  body: unknown
  /** @internal The worker whose slot it takes; `undefined` for a dequeue. */
  readonly worker: number | undefined
  /** Of its message. */
  readonly #number: number
  /** The one that accepted its message. */
  readonly #engineRun: number
  /** How many steps of its message were recorded before. */
  readonly #recordedSteps: number
  /** At-most-once: it was settled before its handler starts. */
  readonly #isHandedOver: boolean
  readonly #driver: Driver
  readonly #source: DeliverySource
  readonly #headersText: string
  #headers: Readonly<Record<string, string>> | undefined
  /** The encoded body until it is decoded: text for JSON, bytes for a codec of the user. */
  #raw: string | Uint8Array | undefined
  #state: State = 'open'
  #lostTo: AckboxError | undefined
  /** Its handler has returned; the engine was told. */
  #hasReturned = false
  #controller: AbortController | undefined
  /** A handler or a caller has it: at-most-once cannot be taken back any more. */
  #seen = false
  #isOverdue = false
  /** What is sent with its acknowledgement. */
  #staged: Staging | undefined
  #steps: Steps | undefined
  /** What is told of its end, where anybody wants to know. */
  #report: EndReport | undefined
  /** How its settlement by hand is told. */
  #said: (() => void) | undefined
  readonly #handedOutAt: number
  /** To be called when a handler that was told to stop has returned. */
  #outlived: (() => void) | undefined

  /** Copies what outlives the step out of the output area; `prepare` decodes the body. */
  constructor(driver: Driver, source: DeliverySource, view: DeliverView) {
    this.#driver = driver
    this.#source = source
    this.token = view.token
    this.#handedOutAt = driver.steppedAt
    this.#number = view.number
    this.#engineRun = view.run
    this.#recordedSteps = view.steps
    this.#isHandedOver = view.handedOver
    this.id = view.id()
    this.attempt = view.attempt
    this.priority = view.priority
    this.enqueuedAt = view.enqueuedAt
    this.group = view.group() || undefined
    this.destination = view.destination() || undefined
    this.#headersText = view.headersText()
    this.worker = view.ticket === 0 ? view.worker : undefined
    this.body = undefined
    this.#raw = source.local.codec === undefined ? view.bodyText() : view.body().slice()
  }

  get headers(): Readonly<Record<string, string>> {
    return (this.#headers ??= decodeHeaders(this.#headersText))
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#lostTo !== undefined) this.#controller.abort(this.#lostTo)
    }
    return this.#controller.signal
  }

  async ack(result?: unknown): Promise<void> {
    await this.#settle(this.ackLater(result, 'ack'), this.#staged)
  }

  async reject(reason?: unknown, options: RejectOptions = {}): Promise<void> {
    await this.#settle(this.rejectLater(reason, options, 'reject'))
  }

  enqueue<T, R, Out>(queue: Queue<T, R, Out>, body: T, options: StagedEnqueueOptions = {}): Receipt {
    this.#checkKept('enqueue')
    this.#staged ??= new Staging(this.#source.core)
    return this.#staged.add(queue, body, options, this.#where('enqueue'))
  }

  async step<S>(name: string, run: (context: StepContext) => S | PromiseLike<S>): Promise<S> {
    this.#steps ??= new Steps(this.#driver, this.#source, this, this.#recordedSteps)
    return this.#steps.run(name, run, this.#where('step'))
  }

  key(name: string): string {
    checkStepName(name, this.#where('key'))
    return this.#driver.call<StepKey>({ op: 'stepKey', number: this.#number, run: this.#engineRun, name }).key
  }

  /** @internal {@link key}, of an engine that does not answer at once. */
  async askForKey(name: string): Promise<string> {
    const request = { op: 'stepKey', number: this.#number, run: this.#engineRun, name } as const
    return (await this.#driver.request<StepKey>(request)).key
  }

  /** @internal Throws unless steps may be recorded. */
  checkSteps(): void {
    this.#checkKept('step')
  }

  async extend(ms: number): Promise<void> {
    const extension = checkExtension(ms, this.#where('extend'))
    this.checkOpen('extend')
    await this.#driver.ask((ticket, input) => input.extend({ ticket, token: this.token, ms: extension }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== 'open') return
    this.#said = () => this.#report?.cancelled()
    try {
      await this.#settle(this.#settlement(Verdict.return, {}))
    } catch (error) {
      // A lease that ran out meanwhile has returned the message already.
      if (!AckboxError.is(error, 'ERR_LEASE_LOST')) throw error
    }
  }

  /** @internal Whether it may be settled. */
  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** @internal Whether it comes from the engine of this driver. */
  isOf(driver: Driver): boolean {
    return this.#driver === driver
  }

  /** @internal What is to be sent with its acknowledgement. */
  get staged(): Staging | undefined {
    return this.#staged
  }

  /** @internal How it is to be acknowledged: checked, not sent. */
  ackLater(result: unknown, call: string): Settle {
    this.checkOpen(call)
    this.#said = () => this.#report?.acknowledged()
    return this.#settlement(Verdict.ack, { result: encodeResult(result, this.#source.maxResultBytes, this.#where(call)) })
  }

  /** @internal How it is to be rejected: checked, not sent. */
  rejectLater(reason: unknown, options: RejectOptions, call: string): Settle {
    const { delayMs, dead } = checkReject(options, this.#where(call))
    this.checkOpen(call)
    const error = encodeError(reason)
    this.#said = () => (dead ? this.#report?.buried() : this.#report?.rejected(reason))
    if (dead) return this.#settlement(Verdict.dead, { reason: Reason.permanent, error })
    if (delayMs !== undefined) return this.#settlement(Verdict.reject, { when: delayMs, error })
    const { verdict, parts, tell } = this.#failure(consequenceOf(reason, this.#driver.now()), reason, error)
    this.#said = tell
    return this.#settlement(verdict, parts)
  }

  /** @internal Its settlement by hand is sent now: it is settled unless that is refused. */
  beginEnd(): PendingEnd {
    this.#state = 'settled'
    if (this.#report !== undefined) this.#said?.()
    return {
      done: () => {
        if (this.worker === undefined) this.#driver.forget(this.token)
        // What went along with it is in; in any other end it is nowhere.
        this.#staged?.drop(new AckboxError('ERR_ALREADY_SETTLED', `${this.#where('enqueue')}: the delivery was not acknowledged`))
      },
      refused: (error, isOwn) => this.#endRefused(error, isOwn),
    }
  }

  /** @internal Whether its lease was lost before it was settled. */
  get isLost(): boolean {
    return this.#state === 'lost'
  }

  /**
   * @internal Reads the body; a promise only where the schema gives one. True: it can be handled. A body that cannot be
   * decoded, or that the schema refuses, makes its message a dead letter.
   */
  prepare(): boolean | Promise<boolean> {
    if (this.#raw === undefined) return true
    const reading = readBody(this.#raw, this.#source, this.id)
    return reading instanceof Promise ? this.#prepareLater(reading) : this.#hasRead(reading)
  }

  /** @internal What fails it with the end of its handler, whatever that is: it took too long. */
  get lateness(): AckboxError | undefined {
    return this.#state === 'late' ? this.#lostTo : undefined
  }

  /** @internal Its handler took too long, which has failed the attempt, or will when it ends. */
  get isOverdue(): boolean {
    return this.#isOverdue
  }

  /** @internal Its lease is gone, or its time is up (`isOverdue`). True if its handler is overdue since now. */
  lose(reason: AckboxError, isOverdue: boolean): boolean {
    const fails = isOverdue && this.#state === 'open'
    if (fails) this.#report?.timedOut(reason)
    this.#isOverdue ||= fails && this.#seen
    if (this.#state === 'open' || this.#state === 'late') {
      this.#state = AckboxError.is(reason, 'ERR_TIMEOUT') ? 'late' : 'lost'
    }
    this.#stop(reason)
    if (this.worker === undefined) this.#driver.forget(this.token)
    return fails && this.#seen
  }

  /** @internal It is given to code of the user, which sees it from now on. */
  begin(report?: EndReport): this {
    this.#seen = true
    this.#report = report
    // Until the engine knows that it will not be declined, its id is taken.
    if (this.#isHandedOver) this.#tellBegun()
    return this
  }

  /** @internal The time of its handler begins now, which may be later than it was handed out. */
  tellBeginning(): void {
    if (!this.#isHandedOver && this.#driver.now() > this.#handedOutAt) this.#tellBegun()
  }

  #tellBegun(): void {
    const { token } = this
    this.#driver.post((input) => input.began({ token }))
  }

  /** @internal Nobody saw it, and nobody will: it is taken back as if it had not been handed out. */
  decline(): void {
    this.#state = 'settled'
    const { token } = this
    this.#driver.forget(token)
    this.#driver.post((input) => input.declined({ token }))
  }

  /** @internal Its handler is told to stop, and nobody waits for it: an open delivery is returned to its queue. */
  abandon(reason: AckboxError): void {
    if (!this.#seen) return this.decline()
    if (this.#state === 'abandoned') return
    this.#state = 'abandoned'
    const { token } = this
    this.#report?.cancelled()
    this.#driver.forget(token)
    this.#driver.post((input) => input.abandoned({ token }))
    this.#stop(reason)
  }

  /** @internal Gives back what was dequeued and not settled. Whether it was: at-most-once cannot come back. */
  async giveBack(reason: AckboxError): Promise<boolean> {
    if (this.#state !== 'open') return false
    if (!this.#seen) {
      this.decline()
      return false
    }
    const returned = this.#settle(this.#settlement(Verdict.return, {}))
    this.#state = 'abandoned'
    this.#stop(reason)
    return returned.then(
      () => true,
      () => false,
    )
  }

  /** @internal The handler returned: acknowledged, unless it was settled by hand or lost. */
  handlerReturned(encodedResult: string): void {
    if (this.#state === 'late') return this.handlerThrew(this.#lostTo)
    this.#outlived?.()
    if (this.#state !== 'open') return this.#handlerDone()
    if (this.#staged !== undefined) void this.#endWith(this.#staged, encodedResult)
    else {
      this.#report?.acknowledged()
      this.#end(Verdict.ack, { result: encodedResult })
    }
  }

  /** @internal The handler threw: rejected as `said`, or as the error says, unless it was settled by hand or lost. */
  handlerThrew(thrown: unknown, said?: Consequence): void {
    this.#outlived?.()
    this.#staged?.drop(thrown)
    if (this.#state !== 'open' && this.#state !== 'late') return this.#handlerDone()
    const error = encodeError(thrown ?? new Error(`the handler threw ${String(thrown)}`))
    const { verdict, parts, tell } = this.#failure(said ?? consequenceOf(thrown, this.#driver.now()), thrown, error)
    tell()
    this.#end(verdict, parts)
  }

  /** No circuit, of whatever kind, hears of what it lets through by an end that came before the call. */
  #sayUnasked(): void {
    this.#report?.cancelled()
    const { token } = this
    this.#driver.post((input) => input.excused({ token, blameless: false, free: false, unasked: true }))
  }

  /** The end of an attempt that failed, and how it is told. */
  #failure(consequence: Consequence, thrown: unknown, error: string): FailedEnd & { tell: () => void } {
    const end = failedEnd(consequence, error, this.#driver.now(), () => this.#backoff(thrown))
    return { ...end, tell: () => this.#tellFailure(consequence, thrown, end) }
  }

  #tellFailure(consequence: Consequence, thrown: unknown, { verdict, parts }: FailedEnd): void {
    if (consequence.kind === 'retry') this.#report?.rejected(thrown)
    else if (consequence.kind === 'later') {
      this.#report?.putOff(thrown, verdict === Verdict.retryAt ? parts.when : undefined, consequence.countsAsFailure)
    } else if (isUnasked(thrown)) this.#sayUnasked()
    else this.#report?.buried()
  }

  /** @internal The handler of an earlier delivery of its message that runs on in this process. */
  outliving(): Outliving | undefined {
    return outliving(() => this.#run)
  }

  /** Its message, among those of all boxes. */
  get #run(): string {
    return `${this.#source.boxId} ${this.#number}`
  }

  /** Tells whoever handles it. */
  #stop(reason: AckboxError): void {
    this.#lostTo ??= reason
    this.#staged?.drop(reason)
    if (this.#seen && this.worker !== undefined) {
      this.#outlived ??= outlive(this.#run, this.#driver.clock, this.#source.leaseMs)
    }
    this.#controller?.abort(reason)
  }

  /** The lease may be lost while the schema takes its time. */
  async #prepareLater(reading: Promise<Reading>): Promise<boolean> {
    const read = await reading
    if (this.#state === 'open') return this.#hasRead(read)
    // Who claimed it by hand gets it no more; a worker's slot is free again.
    if (this.worker !== undefined) this.#handlerDone()
    return false
  }

  #hasRead(read: Reading): boolean {
    if (read.kind === 'body') {
      this.#raw = undefined
      this.body = read.body
      return true
    }
    if (read.kind === 'invalid') this.#end(Verdict.dead, { reason: Reason.invalid, error: encodeError(read.cause) })
    else this.handlerThrew(read.error)
    return false
  }

  /** The delay that a backoff function gives; none lets the engine compute it. */
  #backoff(error: unknown): number | undefined {
    const { backoff } = this.#source.local
    if (backoff === undefined) return undefined
    try {
      return duration(backoff(this.attempt, error), DELAY, 'the delay of the backoff function', this.#where('backoff'))
    } catch (cause) {
      // A broken schedule must not lose the rejection: the engine's own backoff takes over.
      this.#driver.warn({ message: 'the backoff function failed', queue: this.#source.name, cause })
      return undefined
    }
  }

  async #settle(settle: Settle, staged?: Staging): Promise<void> {
    const end = this.beginEnd()
    try {
      if (staged !== undefined) await staged.commit(() => [settle])
      else await this.#driver.ask((ticket, input) => input.settle({ ...settle, ticket }))
    } catch (error) {
      end.refused(error, true)
      throw error
    }
    end.done()
  }

  /** The handler returned: acknowledged with what it had staged, or failed if that cannot be. */
  async #endWith(staged: Staging, result: string): Promise<void> {
    this.#state = 'settled'
    try {
      await staged.commit(() => [this.#settlement(Verdict.ack, { result }, true)])
      this.#report?.acknowledged()
      this.#driver.forget(this.token)
    } catch (error) {
      // A schema or middleware may take its time, and the lease be lost meanwhile.
      if (this.#state === 'settled') this.#state = this.#lostTo === undefined ? 'open' : 'lost'
      this.handlerThrew(error)
    }
  }

  /** What is refused is no settlement; `isOwn`: the refusal is about this delivery and no other. */
  #endRefused(error: unknown, isOwn: boolean): void {
    if (this.#state !== 'settled') return
    // Its claim is over with the refusal; a handler's ends with the handler.
    const isOver = this.worker === undefined && isOwn && AckboxError.is(error, 'ERR_LEASE_LOST')
    if (isOver) return this.#driver.forget(this.token)
    this.#state = this.#lostTo === undefined ? 'open' : 'lost'
    // A handler that has returned since counted on it.
    if (this.#hasReturned && this.#state === 'open') this.handlerThrew(error)
  }

  /** Settles with the handler's end; nobody waits for it. */
  #end(verdict: number, parts: EndParts): void {
    this.#state = 'settled'
    this.#driver.forget(this.token)
    this.#driver.settle(this.#settlement(verdict, parts, true))
  }

  /** The handler of a delivery that it had settled, or that is lost or abandoned, is done. */
  #handlerDone(): void {
    const { token } = this
    this.#report?.cancelled()
    this.#hasReturned = true
    this.#driver.forget(token)
    this.#driver.post((input) => input.returned({ token }))
  }

  /** @internal Throws unless it may be settled. */
  checkOpen(call: string): void {
    this.#driver.check()
    if (this.#state === 'settled') {
      throw new AckboxError('ERR_ALREADY_SETTLED', `${this.#where(call)}: the delivery was settled before`)
    }
    if (this.#state !== 'open') {
      const { code, message } = this.#lostTo!
      throw new AckboxError(code as 'ERR_LEASE_LOST', message, { cause: this.#lostTo })
    }
  }

  /** Throws unless it may be settled, and was not settled before it was delivered. */
  #checkKept(call: string): void {
    this.checkOpen(call)
    if (!this.#isHandedOver) return
    const message = `${this.#where(call)}: an at-most-once delivery was settled before its handler started`
    throw new AckboxError('ERR_LEASE_LOST', message)
  }

  /** A manual delivery has no handler that would return later. */
  #settlement(verdict: number, parts: EndParts, returned = this.worker === undefined): Settle {
    return settlementOf(this.token, verdict, parts, returned)
  }

  #where(call: string): string {
    return placeOf(this.#source.name, this.id, call)
  }
}
