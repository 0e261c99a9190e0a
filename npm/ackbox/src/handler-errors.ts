/**
 * What a handler throws to say more than "it failed". Neither counts as a failure of a circuit breaker, unless a
 * `RetryAfterError` says so.
 */

import { hasBrand } from './brand.js'
import { invalidOption } from './error-messages.js'
import { delayUntil, type HeadersLike, isHeadersLike, type RetryTime, retryTimeOf } from './retry-after.js'
import { checkNames, choice, flag } from './validate.js'

const PERMANENT = Symbol.for('ackbox.permanent-error')
const RETRY_AFTER = Symbol.for('ackbox.retry-after-error')

/** Options of `PermanentError`. */
export interface PermanentOptions {
  cause?: unknown
  /** Default `'permanent'`. `'refused'`: whoever it was for will not have it, though nothing is wrong with it. */
  reason?: 'permanent' | 'refused'
}

/** Thrown by a handler: retrying cannot help, the message becomes a dead letter at once, with the `reason` that is named. */
export class PermanentError extends Error {
  override readonly name = 'PermanentError'
  /** Of the dead letter. */
  readonly reason: 'permanent' | 'refused'

  constructor(message: string, options: PermanentOptions = {}) {
    const where = 'PermanentError'
    checkNames(options, ['cause', 'reason'], where)
    const { cause, reason = 'permanent' } = options
    super(message, cause === undefined ? undefined : { cause })
    this.reason = choice(reason, ['permanent', 'refused'], 'reason', where)
  }

  /** True for a `PermanentError` of any copy of this package. */
  static is(error: unknown): error is PermanentError {
    return hasBrand(error, PERMANENT)
  }
}
Object.defineProperty(PermanentError.prototype, PERMANENT, { value: true })

/** Options of `RetryAfterError`. */
export interface RetryAfterOptions {
  /** What made the handler ask for more time. */
  cause?: unknown
  /** Default false: the delivery does not count as an attempt. */
  costsAttempt?: boolean
  /** Default false: circuit breakers do not count it as a failure of what was called. */
  countsAsFailure?: boolean
}

/**
 * Thrown by a handler: not before that time. The time is a delay in milliseconds, an instant, or the headers of an HTTP
 * response (`Headers`, Node's `IncomingHttpHeaders`, a plain object), whose `Retry-After` is taken: seconds or an HTTP
 * date, a day at most. The jitter of the queue's backoff puts it off a little further, so that not all who were told
 * the same come back together.
 *
 * It is about the destination of the message, so all messages of that are held until then for the workers of this one's
 * `name`; those without a destination are held together. `reject(reason, { delayMs })` puts off one message alone.
 *
 * A time that has passed, 0, and headers that name no time that can be read leave it to the queue's backoff when the next
 * attempt comes, which is still at no cost and no failure.
 */
export class RetryAfterError extends Error {
  override readonly name = 'RetryAfterError'
  /** Whether the delivery counts as an attempt. */
  readonly costsAttempt: boolean
  /** Whether circuit breakers count it as a failure of what was called. */
  readonly countsAsFailure: boolean
  readonly #when: RetryTime | undefined
  readonly #isTold: boolean

  constructor(when: number | Date | HeadersLike, options: RetryAfterOptions = {}) {
    const where = 'RetryAfterError'
    checkNames(options, ['cause', 'costsAttempt', 'countsAsFailure'], where)
    const costsAttempt = flag(options.costsAttempt, 'costsAttempt', where)
    const countsAsFailure = flag(options.countsAsFailure, 'countsAsFailure', where)
    const own = ownTime(when)
    const time = own ?? retryTimeOf(checkHeaders(when))
    super(text(time), options.cause === undefined ? undefined : { cause: options.cause })
    this.#when = time
    this.#isTold = own === undefined
    this.costsAttempt = costsAttempt
    this.countsAsFailure = countsAsFailure
  }

  /**
   * Milliseconds from `now` (milliseconds since 1970) to the earliest next attempt, 0 if that has passed.
   * `undefined` if the headers named no time that can be read. In both cases the queue's backoff decides.
   */
  delayMs(now: number): number | undefined {
    const time = this.#when
    if (time === undefined) return undefined
    if (this.#isTold) return delayUntil(time, now)
    return 'at' in time ? Math.max(0, time.at - now) : time.delayMs
  }

  /** True for a `RetryAfterError` of any copy of this package. */
  static is(error: unknown): error is RetryAfterError {
    return hasBrand(error, RETRY_AFTER)
  }
}
Object.defineProperty(RetryAfterError.prototype, RETRY_AFTER, { value: true })

/** A time that the handler names itself. */
function ownTime(when: unknown): RetryTime | undefined {
  if (typeof when === 'number' && Number.isFinite(when) && when >= 0) return { delayMs: when }
  if (when instanceof Date && !Number.isNaN(when.getTime())) return { at: when.getTime() }
  return undefined
}

function checkHeaders(when: unknown): HeadersLike {
  if (isHeadersLike(when)) return when
  throw invalidOption('milliseconds from 0, a valid Date or the headers of a response', when, 'RetryAfterError')
}

function text(time: RetryTime | undefined): string {
  if (time === undefined) return 'retry later'
  return 'at' in time ? `retry not before ${new Date(time.at).toISOString()}` : `retry after ${time.delayMs} ms`
}
