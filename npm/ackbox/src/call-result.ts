/** What a call that failed means to the circuit breaker that let it through. */
import { OUTCOME } from './engine/breaker.js'
import { AckboxError, PermanentError, RetryAfterError } from './errors.js'
import { isUnasked } from './unasked.js'

/** An outcome of the engine, or the end of a pause that the callee asked for, and whether that is a failure. */
export type CallResult = { readonly outcome: number } | { readonly pausedUntil: number; readonly failed: boolean }

const FAILURE: CallResult = { outcome: OUTCOME.failure }
const TIMEOUT: CallResult = { outcome: OUTCOME.timeout }
const IGNORED: CallResult = { outcome: OUTCOME.ignored }
const CANCELLED: CallResult = { outcome: OUTCOME.cancelled }

/**
 * The errors of this package say by themselves that they are no failures of the callee; of all others `isFailure` decides.
 *
 * @param now milliseconds since 1970
 */
export function resultOf(error: unknown, isFailure: ((error: unknown) => boolean) | undefined, now: number): CallResult {
  if (isUnasked(error)) return CANCELLED
  if (PermanentError.is(error)) return IGNORED
  if (RetryAfterError.is(error)) {
    const delayMs = error.delayMs(now)
    // One of an older copy of this package does not say.
    const failed = error.countsAsFailure === true
    if (delayMs !== undefined) return { pausedUntil: now + delayMs, failed }
    // Who asks for time is no reason to let more come.
    return failed ? FAILURE : CANCELLED
  }
  if (isFailure !== undefined && !isFailure(error)) return IGNORED
  return isTimeout(error) ? TIMEOUT : FAILURE
}

/** That of `AbortSignal.timeout`, and ours. */
function isTimeout(error: unknown): boolean {
  if (AckboxError.is(error, 'ERR_TIMEOUT')) return true
  try {
    return error instanceof Error && error.name === 'TimeoutError'
  } catch {
    // What cannot be looked at is a failure like any other.
    return false
  }
}
