/** What follows from an error of a handler: what the error itself says, what `classify` says, or the queue's backoff. */
import type { Delivery } from './api.js'
import { invalidOption, PermanentError, RetryAfterError } from './errors.js'
import type { Range } from './validate.js'
import { checkNames, duration, flag, MAX_MS } from './validate.js'

/** Not before some time. */
export interface RetryVerdict {
  /** Milliseconds from now, 0 or more. 0 names no time: the next attempt comes after the queue's backoff. */
  readonly retryAfterMs: number
  /** Whether the delivery counts as an attempt. Default false. */
  readonly costsAttempt?: boolean | undefined
  /** Whether a circuit breaker counts it as a failure of what was called. Default false. */
  readonly countsAsFailure?: boolean | undefined
}

/**
 * What follows from an error. `'retry'`: another attempt after the queue's backoff, or a dead letter when attempts ran
 * out. `'dead'`: a dead letter at once, as `permanent`. `undefined`: what would follow without being asked.
 */
export type ErrorVerdict = 'retry' | 'dead' | RetryVerdict | undefined

/** Says what follows from what a handler threw. */
export type Classify<T = unknown> = (error: unknown, message: Delivery<T>) => ErrorVerdict

const DELAY: Range = { min: 0, max: MAX_MS }

/** What follows, in the terms of a settlement. */
export type Consequence =
  | { readonly kind: 'retry' }
  | { readonly kind: 'dead'; readonly reason: 'permanent' | 'refused' }
  | {
      readonly kind: 'later'
      /** `undefined`: no time was named that is still to come, and the backoff says how long. */
      readonly delayMs: number | undefined
      readonly costsAttempt: boolean
      readonly countsAsFailure: boolean
    }

const RETRY: Consequence = { kind: 'retry' }
const DEAD: Consequence = { kind: 'dead', reason: 'permanent' }
const REFUSED: Consequence = { kind: 'dead', reason: 'refused' }

/** What an error says by itself: those of this package say it, all others are tried again. */
export function consequenceOf(thrown: unknown, now: number): Consequence {
  if (PermanentError.is(thrown)) return thrown.reason === 'refused' ? REFUSED : DEAD
  if (!RetryAfterError.is(thrown)) return RETRY
  // One of an older copy of this package does not say whether it counts.
  return later(thrown.delayMs(now) ?? 0, thrown.costsAttempt, thrown.countsAsFailure === true)
}

/** Whether an error leaves it to `classify` to say what follows. */
export function isOpenToClassify(thrown: unknown): boolean {
  return !PermanentError.is(thrown) && !RetryAfterError.is(thrown)
}

/**
 * What a verdict of `classify` means; `undefined` for none.
 *
 * @throws `ERR_INVALID_OPTION` if it is no verdict
 */
export function consequenceOfVerdict(verdict: unknown, where: string): Consequence | undefined {
  if (verdict === undefined) return undefined
  if (verdict === 'retry') return RETRY
  if (verdict === 'dead') return DEAD
  if (typeof verdict !== 'object' || verdict === null || verdict instanceof Promise) {
    if (verdict instanceof Promise) verdict.catch(() => {})
    throw invalidOption("classify to give 'retry', 'dead', { retryAfterMs } or undefined", verdict, where)
  }
  checkNames(verdict, ['retryAfterMs', 'costsAttempt', 'countsAsFailure'], where)
  const { retryAfterMs, costsAttempt, countsAsFailure } = verdict as RetryVerdict
  const delayMs = duration(retryAfterMs, DELAY, 'retryAfterMs', where)
  return later(delayMs, flag(costsAttempt, 'costsAttempt', where), flag(countsAsFailure, 'countsAsFailure', where))
}

/** What costs no attempt must not come back at once, or nothing would ever end it: without a time the backoff decides. */
function later(ms: number, costsAttempt: boolean, countsAsFailure: boolean): Consequence {
  const delayMs = ms > 0 ? Math.min(Math.ceil(ms), MAX_MS) : undefined
  return { kind: 'later', delayMs, costsAttempt, countsAsFailure }
}
