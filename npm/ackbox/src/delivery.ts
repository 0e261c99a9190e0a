/** One attempt at handling a message, from its delivery until it is settled or lost. */
import type { Delivery, RejectOptions } from './api.js'
import { decodeBody, decodeHeaders, encodeResult } from './codec.js'
import { checkExtension, checkReject, DELAY } from './delivery-options.js'
import type { Driver } from './driver.js'
import { type DeliverView, Reason, type Settle, Verdict } from './engine/wire.gen.js'
import { encodeError } from './error-info.js'
import { AckboxError } from './errors.js'
import { outlive, type Outliving, outliving } from './outliving.js'
import type { LocalOptions } from './queue-options.js'
import { parse, type Parsed } from './schema.js'
import { duration } from './validate.js'
import { type Consequence, consequenceOf } from './verdict.js'

/** The queue that a delivery comes from. */
export interface DeliverySource {
  readonly name: string
  readonly local: LocalOptions
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
 * - `lost`: its lease is gone, `#lostTo` says why; the engine still waits for the end of its handler.
 * - `abandoned`: nobody waits for its handler any more, `#lostTo` says why; the engine wants to know its end all the
 *   same, for until then its message is not delivered again.
 */
type State = 'open' | 'settled' | 'lost' | 'abandoned'

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
  readonly #driver: Driver
  readonly #source: DeliverySource
  readonly #headersText: string
  #headers: Readonly<Record<string, string>> | undefined
  /** The encoded body until it is decoded: text for JSON, bytes for a codec of the user. */
  #raw: string | Uint8Array | undefined
  #state: State = 'open'
  #lostTo: AckboxError | undefined
  #controller: AbortController | undefined
  /** A handler or a caller has it: at-most-once cannot be taken back any more. */
  #seen = false
  /** To be called when a handler that was told to stop has returned. */
  #outlived: (() => void) | undefined

  /** Copies what outlives the step out of the output area; `prepare` decodes the body. */
  constructor(driver: Driver, source: DeliverySource, view: DeliverView) {
    this.#driver = driver
    this.#source = source
    this.token = view.token
    this.#number = view.number
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
    this.#checkOpen('ack')
    const encoded = encodeResult(result, this.#source.maxResultBytes, this.#where('ack'))
    await this.#settle(Verdict.ack, { result: encoded })
  }

  async reject(reason?: unknown, options: RejectOptions = {}): Promise<void> {
    const { delayMs, dead } = checkReject(options, this.#where('reject'))
    this.#checkOpen('reject')
    const error = encodeError(reason)
    if (dead) await this.#settle(Verdict.dead, { reason: Reason.permanent, error })
    else await this.#settle(Verdict.reject, { when: delayMs ?? this.#backoff(reason), error })
  }

  async extend(ms: number): Promise<void> {
    const extension = checkExtension(ms, this.#where('extend'))
    this.#checkOpen('extend')
    await this.#driver.ask((ticket, input) => input.extend({ ticket, token: this.token, ms: extension }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== 'open') return
    try {
      await this.#settle(Verdict.return, {})
    } catch (error) {
      // A lease that ran out meanwhile has returned the message already.
      if (!AckboxError.is(error, 'ERR_LEASE_LOST')) throw error
    }
  }

  /** @internal Whether it may be settled. */
  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** @internal Whether its lease was lost before it was settled. */
  get isLost(): boolean {
    return this.#state === 'lost'
  }

  /**
   * @internal Decodes the body and asks the schema; a promise only where the schema gives one. True: it can be handled.
   * A body that cannot be decoded, or that the schema refuses, makes its message a dead letter.
   */
  prepare(): boolean | Promise<boolean> {
    if (this.#raw === undefined) return true
    const { codec, schema } = this.#source.local
    let body: unknown
    try {
      body = decodeBody(this.#raw, codec)
      this.#raw = undefined
    } catch (cause) {
      return this.#isInvalid(cause)
    }
    if (schema === undefined) return this.#hasBody(body)
    try {
      const parsed = parse(schema, body, this.#where('delivery'))
      if (!(parsed instanceof Promise)) return this.#hasBody(parsed.output)
      return this.#prepareLater(parsed)
    } catch (error) {
      return this.#schemaThrew(error)
    }
  }

  /** @internal Its lease is gone. */
  lose(reason: AckboxError): void {
    if (this.#state === 'open') this.#state = 'lost'
    this.#stop(reason)
    if (this.worker === undefined) this.#driver.forget(this.token)
  }

  /** @internal It is given to code of the user, which sees it from now on. */
  begin(): this {
    this.#seen = true
    return this
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
    const returned = this.#settle(Verdict.return, {})
    this.#state = 'abandoned'
    this.#stop(reason)
    return returned.then(
      () => true,
      () => false,
    )
  }

  /** @internal The handler returned: acknowledged, unless it was settled by hand or lost. */
  handlerReturned(encodedResult: string): void {
    this.#outlived?.()
    if (this.#state !== 'open') return this.#handlerDone()
    this.#end(Verdict.ack, { result: encodedResult })
  }

  /** @internal The handler threw: rejected as `said`, or as the error says, unless it was settled by hand or lost. */
  handlerThrew(thrown: unknown, said?: Consequence): void {
    this.#outlived?.()
    if (this.#state !== 'open') return this.#handlerDone()
    const error = encodeError(thrown ?? new Error(`the handler threw ${String(thrown)}`))
    const now = this.#driver.now()
    const consequence = said ?? consequenceOf(thrown, now)
    switch (consequence.kind) {
      case 'dead':
        return this.#end(Verdict.dead, { reason: Reason.permanent, error })
      case 'later': {
        const { delayMs, costsAttempt } = consequence
        return this.#end(Verdict.retryAt, { when: now + delayMs, costsAttempt, error })
      }
      default:
        return this.#end(Verdict.reject, { when: this.#backoff(thrown), error })
    }
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
    if (this.#seen && this.worker !== undefined) {
      this.#outlived ??= outlive(this.#run, this.#driver.clock, this.#source.leaseMs)
    }
    this.#controller?.abort(reason)
  }

  /** The lease may be lost while the schema takes its time. */
  async #prepareLater(parsing: Promise<Parsed>): Promise<boolean> {
    try {
      const { output } = await parsing
      if (this.#state === 'open') return this.#hasBody(output)
    } catch (error) {
      if (this.#state === 'open') return this.#schemaThrew(error)
    }
    // Who claimed it by hand gets it no more; a worker's slot is free again.
    if (this.worker !== undefined) this.#handlerDone()
    return false
  }

  #hasBody(body: unknown): true {
    this.body = body
    return true
  }

  #isInvalid(cause: unknown): false {
    this.#end(Verdict.dead, { reason: Reason.invalid, error: encodeError(cause) })
    return false
  }

  /** What a schema finds is final; a schema that fails says nothing about the body, and may work the next time. */
  #schemaThrew(error: unknown): false {
    if (AckboxError.is(error, 'ERR_INVALID_BODY')) return this.#isInvalid(error)
    this.handlerThrew(error)
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

  async #settle(verdict: number, parts: Parts): Promise<void> {
    this.#state = 'settled'
    const { token, worker } = this
    // A manual delivery has no handler that would return later.
    const returned = worker === undefined
    if (returned) this.#driver.forget(token)
    try {
      await this.#driver.ask((ticket, input) => input.settle(settlement(ticket, token, verdict, returned, parts)))
    } catch (error) {
      // What is refused is no settlement: the end of the handler is still to come.
      if (!returned && this.#state === 'settled') this.#state = this.#lostTo === undefined ? 'open' : 'lost'
      throw error
    }
  }

  /** Settles with the handler's end; nobody waits for it. */
  #end(verdict: number, parts: Parts): void {
    this.#state = 'settled'
    this.#driver.forget(this.token)
    this.#driver.settle(settlement(0, this.token, verdict, true, parts))
  }

  /** The handler of a delivery that it had settled, or that is lost or abandoned, is done. */
  #handlerDone(): void {
    const { token } = this
    this.#driver.forget(token)
    this.#driver.post((input) => input.returned({ token }))
  }

  #checkOpen(call: string): void {
    this.#driver.check()
    if (this.#state === 'settled') {
      throw new AckboxError('ERR_ALREADY_SETTLED', `${this.#where(call)}: the delivery was settled before`)
    }
    if (this.#state !== 'open') {
      const { code, message } = this.#lostTo!
      throw new AckboxError(code as 'ERR_LEASE_LOST', message, { cause: this.#lostTo })
    }
  }

  #where(call: string): string {
    return `queue '${this.#source.name}', message '${this.id}': ${call}`
  }
}

/** Parts of a settlement that depend on the verdict. */
interface Parts {
  readonly when?: number | undefined
  readonly reason?: number
  readonly costsAttempt?: boolean
  readonly result?: string
  readonly error?: string
}

function settlement(ticket: number, token: number, verdict: number, returned: boolean, parts: Parts): Settle {
  const { when, reason = 0, costsAttempt = false, result, error } = parts
  return { ticket, token, when, verdict, reason, returned, costsAttempt, result, error }
}
