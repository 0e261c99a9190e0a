/** A delivery without a box, for unit tests of handlers: it behaves as a real one, and remembers what was done to it. */

import type { Delivery, Queue, RejectOptions, StepContext } from '../api.js'
import { platform } from '../clock.js'
import { decodeBody, encodeBody, encodeResult } from '../codec.js'
import { checkExtension, checkReject } from '../delivery-options.js'
import { KEY_BYTES_MAX, STAGED_NAMES } from '../enqueue-options.js'
import { AckboxError, invalidOption } from '../errors.js'
import { checkStepName, sameStepAgain } from '../steps.js'
import type { Receipt, StagedEnqueueOptions } from '../types.js'
import { callable, checkNames, choice, integer, optionalSignal, text } from '../validate.js'

/** What a test delivery is made with, beside its body. */
export interface TestDeliveryOverrides {
  /** Default `'test-1'`, `'test-2'` and so on. */
  readonly id?: string | undefined
  /** Default 1. */
  readonly attempt?: number | undefined
  /** Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly group?: string | undefined
  readonly destination?: string | undefined
  /** Default 0. */
  readonly priority?: number | undefined
  /** Default: now. */
  readonly enqueuedAt?: number | undefined
  /** Default: higher for each delivery that is made. */
  readonly token?: number | undefined
  /** When it aborts the delivery is lost, for its reason. Default: one that `lose` aborts. */
  readonly signal?: AbortSignal | undefined
  /** What earlier deliveries recorded, by the names of the steps: these do not run again. Default: nothing. */
  readonly steps?: Readonly<Record<string, unknown>> | undefined
}

/** How a delivery was settled by hand. */
export type Settlement =
  | { readonly how: 'acked'; readonly result: unknown }
  | { readonly how: 'rejected'; readonly reason: unknown; readonly delayMs?: number; readonly dead: boolean }
  | { readonly how: 'returned' }

/** A message that was staged: with the acknowledgement of the delivery, or its handler's return, a box would enqueue it. */
export interface StagedMessage {
  /** Name of the queue. */
  readonly queue: string
  readonly body: unknown
  readonly options: StagedEnqueueOptions
}

/** A delivery that remembers. */
export interface TestDelivery<T = unknown> extends Delivery<T> {
  /** How it was settled by hand; `undefined` while it was not, as when a handler returns or throws. */
  readonly settled: Settlement | undefined
  /** The prolongations that were asked for, in milliseconds. */
  readonly extensions: readonly number[]
  /** The messages that were staged, whatever became of the delivery. */
  readonly staged: readonly StagedMessage[]
  /** What is recorded of its steps, by earlier deliveries too, as JSON gives it back. */
  readonly steps: Readonly<Record<string, unknown>>
  /** Takes its lease away: the signal aborts, and settling it rejects with this code. Default `'ERR_LEASE_LOST'`. */
  lose(code?: 'ERR_LEASE_LOST' | 'ERR_CLOSED' | 'ERR_TIMEOUT'): void
}

/** What results may take where no queue says otherwise. */
const RESULT_BYTES_MAX = 64 << 10

/** What bodies, and what steps give, may take where no queue says otherwise. */
const BODY_BYTES_MAX = 1 << 20

const NAMES = ['steps', 'id', 'attempt', 'headers', 'group', 'destination', 'priority', 'enqueuedAt', 'token', 'signal']

/** Why a delivery may be lost. */
const LOST_CODES = ['ERR_LEASE_LOST', 'ERR_CLOSED', 'ERR_TIMEOUT'] as const

const NUMBERS = [
  ['attempt', { min: 1, max: Number.MAX_SAFE_INTEGER }],
  ['priority', { min: 0, max: 255 }],
  ['enqueuedAt', { min: 0, max: Number.MAX_SAFE_INTEGER }],
  ['token', { min: 0, max: Number.MAX_SAFE_INTEGER }],
] as const

let made = 0

/**
 * A delivery of `body` that no box knows of.
 *
 * ```ts
 * const message = testDelivery({ cents: 5 }, { attempt: 3 })
 * await charge(message)
 * assert.deepEqual(message.settled, { how: 'acked', result: 'paid' })
 * ```
 */
export function testDelivery<T>(body: T, overrides: TestDeliveryOverrides = {}): TestDelivery<T> {
  const where = 'testDelivery'
  checkNames(overrides, NAMES, where)
  checkOverrides(overrides, where)
  made++
  return new RecordedDelivery(body, overrides, made)
}

/** Refuses what no box would deliver. */
function checkOverrides(overrides: TestDeliveryOverrides, where: string): void {
  const { headers } = overrides
  for (const name of ['id', 'group', 'destination'] as const) {
    if (overrides[name] !== undefined) text(overrides[name], KEY_BYTES_MAX, name, where)
  }
  for (const [name, range] of NUMBERS) {
    if (overrides[name] !== undefined) integer(overrides[name], range, name, where)
  }
  const isHeaders = typeof headers === 'object' && headers !== null && Object.values(headers).every((value) => typeof value === 'string')
  if (headers !== undefined && !isHeaders) throw invalidOption('headers to be an object of strings', headers, where)
  optionalSignal(overrides.signal, where)
  const { steps } = overrides
  if (steps === undefined) return
  if (typeof steps !== 'object' || steps === null || Array.isArray(steps)) {
    throw invalidOption('steps to be an object of results', steps, where)
  }
  for (const name of Object.keys(steps)) checkStepName(name, `${where}: steps`)
}

class RecordedDelivery<T> implements TestDelivery<T> {
  readonly id: string
  readonly body: T
  readonly attempt: number
  readonly headers: Readonly<Record<string, string>>
  readonly group: string | undefined
  readonly destination: string | undefined
  readonly priority: number
  readonly enqueuedAt: number
  readonly token: number
  readonly extensions: number[] = []
  readonly staged: StagedMessage[] = []
  readonly steps: Record<string, unknown>
  readonly #controller = new AbortController()
  /** Steps of this delivery that run or are done. */
  readonly #begun = new Set<string>()
  #settled: Settlement | undefined

  constructor(body: T, overrides: TestDeliveryOverrides, number: number) {
    const { signal } = overrides
    this.body = body
    this.id = overrides.id ?? `test-${number}`
    this.attempt = overrides.attempt ?? 1
    this.headers = overrides.headers ?? {}
    this.group = overrides.group
    this.destination = overrides.destination
    this.priority = overrides.priority ?? 0
    this.enqueuedAt = overrides.enqueuedAt ?? platform.wallNow()
    this.token = overrides.token ?? number
    this.steps = { ...overrides.steps }
    if (signal?.aborted === true) this.#controller.abort(signal.reason)
    signal?.addEventListener('abort', () => this.#controller.abort(signal.reason), { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get settled(): Settlement | undefined {
    return this.#settled
  }

  async ack(result?: unknown): Promise<void> {
    this.#checkOpen('ack')
    encodeResult(result, RESULT_BYTES_MAX, this.#where('ack'))
    this.#settled = { how: 'acked', result }
  }

  async reject(reason?: unknown, options: RejectOptions = {}): Promise<void> {
    const { delayMs, dead } = checkReject(options, this.#where('reject'))
    this.#checkOpen('reject')
    this.#settled = { how: 'rejected', reason, ...(delayMs === undefined ? {} : { delayMs }), dead }
  }

  /** Checks what needs no queue: any object with a `name` will do for one. */
  enqueue<Q, R, Out>(queue: Queue<Q, R, Out>, body: Q, options: StagedEnqueueOptions = {}): Receipt {
    const where = this.#where('enqueue')
    this.#checkOpen('enqueue')
    if (typeof queue?.name !== 'string') throw invalidOption('a queue', queue, where)
    checkNames(options, STAGED_NAMES, where)
    this.staged.push({ queue: queue.name, body, options })
    return { ...(options.id === undefined ? {} : { id: options.id }) } as Receipt
  }

  async extend(ms: number): Promise<void> {
    const extension = checkExtension(ms, this.#where('extend'))
    this.#checkOpen('extend')
    this.extensions.push(extension)
  }

  async step<S>(name: string, run: (context: StepContext) => S | PromiseLike<S>): Promise<S> {
    const where = this.#where('step')
    checkStepName(name, where)
    callable(run, 'the second argument', where)
    this.#checkOpen('step')
    if (this.#begun.has(name)) throw sameStepAgain(name, where)
    this.#begun.add(name)
    if (Object.hasOwn(this.steps, name)) return this.steps[name] as S
    try {
      const given = await run({ key: this.key(name), signal: this.signal })
      const encoded = given === undefined ? undefined : encodeBody(given, undefined, BODY_BYTES_MAX, where, 'result')
      this.#checkOpen('step')
      return (this.steps[name] = encoded === undefined ? undefined : decodeBody(encoded, undefined)) as S
    } catch (error) {
      this.#begun.delete(name)
      throw error
    }
  }

  key(name: string): string {
    checkStepName(name, this.#where('key'))
    return keyOf(`${this.id}\0${name}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#settled === undefined && !this.signal.aborted) this.#settled = { how: 'returned' }
  }

  lose(code: 'ERR_LEASE_LOST' | 'ERR_CLOSED' | 'ERR_TIMEOUT' = 'ERR_LEASE_LOST'): void {
    choice(code, LOST_CODES, 'code', this.#where('lose'))
    this.#controller.abort(new AckboxError(code, `message '${this.id}': the test took its lease away`))
  }

  #checkOpen(call: string): void {
    const where = this.#where(call)
    if (this.#settled !== undefined) {
      throw new AckboxError('ERR_ALREADY_SETTLED', `${where}: the delivery was settled before`)
    }
    if (!this.signal.aborted) return
    const cause: unknown = this.signal.reason
    const code = AckboxError.is(cause) ? cause.code : 'ERR_LEASE_LOST'
    throw new AckboxError(code as 'ERR_LEASE_LOST', `${where}: the delivery is lost`, { cause })
  }

  #where(call: string): string {
    return `test delivery '${this.id}': ${call}`
  }
}

/** 32 hexadecimal digits that look like a key and depend on the text: four FNV-1a hashes, each begun elsewhere. */
function keyOf(text: string): string {
  const part = (seed: number): string => {
    let hash = 0x811c9dc5 ^ seed
    for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
    return (hash >>> 0).toString(16).padStart(8, '0')
  }
  return [0, 1, 2, 3].map(part).join('')
}
