/**
 * What the status of an answer means for a message.
 *
 * | status | what follows |
 * |---|---|
 * | 2xx | it was delivered |
 * | 425, 429 | another attempt; with `Retry-After` not before that, at no cost and no failure of the server |
 * | 408, 5xx | another attempt; with `Retry-After` not before that, at no cost, and a failure all the same |
 * | 409 with `Retry-After` | another attempt after the backoff, at no cost: a request under its key is still being worked on |
 * | 410 | a dead letter with the reason `refused`: the server may have had it, and cannot tell any more |
 * | anything else, redirects too | a dead letter: asking again cannot help |
 */
import { PermanentError, RetryAfterError } from '../handler-errors.js'
import { delayUntil, type HeadersLike, retryTimeOf } from '../retry-after.js'

/** 4xx that say nothing against the request itself: took too long, too early, too many. */
const RETRIED = new Set([408, 425, 429])

/** As the draft of `Idempotency-Key` has it: of requests under one key, if the server says when to come again. */
const CONFLICT = 409
const GONE = 410

/** A server answered with a status that is no success. */
export class HttpStatusError extends Error {
  override readonly name = 'HttpStatusError'
  readonly status: number
  /** The beginning of the answer's body, at most 1 KiB. */
  readonly body: string

  constructor(message: string, status: number, body: string) {
    super(message)
    this.status = status
    this.body = body
  }
}

/** An answer, as far as it matters. */
export interface Answer {
  readonly status: number
  readonly statusText: string
  readonly headers: HeadersLike
  /** The beginning of its body. */
  readonly body: string
}

/** Whether the message was delivered. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299
}

/** The error that says what follows from an answer that is no success. */
export function errorOf({ status, statusText, headers, body }: Answer, request: string, now: number): Error {
  // A browser hides the status of a redirect that it does not follow.
  const isRedirect = status === 0 || (status >= 300 && status <= 399)
  const said = status === 0 ? 'a redirect' : `${status} ${statusText}`.trimEnd()
  const hint = isRedirect ? ', which is not followed' : ''
  const message = `${request} answered ${said}${hint}${body === '' ? '' : `: ${body}`}`
  const error = new HttpStatusError(message, status, body)
  const time = retryTimeOf(headers)
  // That one request is under way says nothing about the others: its message alone waits, for the backoff.
  if (status === CONFLICT && time !== undefined) return new RetryAfterError(0, { cause: error })
  if (status < 500 && !RETRIED.has(status)) return new PermanentError(message, { cause: error, reason: status === GONE ? 'refused' : 'permanent' })
  const delayMs = time === undefined ? 0 : delayUntil(time, now)
  // Now, or a time that has passed: the backoff keeps a broken server from being asked without end.
  if (delayMs === 0) return error
  return new RetryAfterError(delayMs, { cause: error, countsAsFailure: status >= 500 || status === 408 })
}
