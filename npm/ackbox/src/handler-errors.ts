/**
 * What a handler throws to say more than "it failed". Neither counts as a failure of a circuit breaker.
 */

import { invalidOption } from './error-messages.js'
import { checkNames, flag } from './validate.js'

const PERMANENT = Symbol.for('ackbox.permanent-error')
const RETRY_AFTER = Symbol.for('ackbox.retry-after-error')

/** Thrown by a handler: retrying cannot help, the message becomes a dead letter at once (reason `permanent`). */
export class PermanentError extends Error {
  override readonly name = 'PermanentError'

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options)
  }

  /** True for a `PermanentError` of any copy of this package. */
  static is(error: unknown): error is PermanentError {
    return isBranded(error, PERMANENT)
  }
}
Object.defineProperty(PermanentError.prototype, PERMANENT, { value: true })

/** The part of `Headers` (and of its likes in HTTP clients) that is needed here. */
export interface HeadersLike {
  get(name: string): unknown
}

/** Options of `RetryAfterError`. */
export interface RetryAfterOptions {
  /** What made the handler ask for more time. */
  cause?: unknown
  /** Default false: the delivery does not count as an attempt. */
  costsAttempt?: boolean
}

/**
 * Thrown by a handler: not before that time. The time is a delay in milliseconds, an instant, or the headers of
 * an HTTP response, whose `Retry-After` (seconds or HTTP date) is taken.
 */
export class RetryAfterError extends Error {
  override readonly name = 'RetryAfterError'
  /** Whether the delivery counts as an attempt. */
  readonly costsAttempt: boolean
  readonly #delayMs: number | undefined
  readonly #at: number | undefined

  constructor(when: number | Date | HeadersLike, options: RetryAfterOptions = {}) {
    const where = 'RetryAfterError'
    checkNames(options, ['cause', 'costsAttempt'], where)
    const costsAttempt = flag(options.costsAttempt, 'costsAttempt', where)
    const { delayMs, at } = parseWhen(when)
    super(text(delayMs, at), options.cause === undefined ? undefined : { cause: options.cause })
    this.#delayMs = delayMs
    this.#at = at
    this.costsAttempt = costsAttempt
  }

  /**
   * Milliseconds from `now` (milliseconds since 1970) to the earliest next attempt, 0 if that has passed.
   * `undefined` if the headers named no time that can be read: then the queue's backoff decides.
   */
  delayMs(now: number): number | undefined {
    return this.#at === undefined ? this.#delayMs : Math.max(0, this.#at - now)
  }

  /** True for a `RetryAfterError` of any copy of this package. */
  static is(error: unknown): error is RetryAfterError {
    return isBranded(error, RETRY_AFTER)
  }
}
Object.defineProperty(RetryAfterError.prototype, RETRY_AFTER, { value: true })

function isBranded(error: unknown, brand: symbol): boolean {
  return typeof error === 'object' && error !== null && brand in error
}

type When = { delayMs?: number; at?: number }

function parseWhen(when: number | Date | HeadersLike): When {
  if (typeof when === 'number' && Number.isFinite(when) && when >= 0) return { delayMs: when }
  if (when instanceof Date && !Number.isNaN(when.getTime())) return { at: when.getTime() }
  if (typeof when === 'object' && when !== null && 'get' in when && typeof when.get === 'function') {
    return parseHeader(when.get('retry-after'))
  }
  throw invalidOption('milliseconds from 0, a valid Date or Headers', when, 'RetryAfterError')
}

/** RFC 9110: `Retry-After` holds seconds or an HTTP date. What a server sends may be anything: never throws. */
function parseHeader(value: unknown): When {
  if (typeof value !== 'string' && typeof value !== 'number') return {}
  const header = String(value).trim()
  if (/^\d{1,10}$/.test(header)) return { delayMs: Number(header) * 1000 }
  // All three forms of an HTTP date begin with the name of a day; the oldest one (asctime) leaves out the zone.
  if (!/^[A-Z][a-z]{2,8},? /.test(header)) return {}
  const at = Date.parse(header.endsWith(' GMT') ? header : `${header} GMT`)
  return Number.isNaN(at) ? {} : { at }
}

function text(delayMs: number | undefined, at: number | undefined): string {
  if (at !== undefined) return `retry not before ${new Date(at).toISOString()}`
  return delayMs === undefined ? 'retry later' : `retry after ${delayMs} ms`
}
