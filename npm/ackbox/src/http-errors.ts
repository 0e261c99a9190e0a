/**
 * What the errors of HTTP clients mean for a delivery: a `classify` that knows the shapes of `fetch` (a `Response` that
 * was thrown, or an error with a `response` or `status`), axios, got, undici and their likes.
 *
 * | what happened | what follows |
 * |---|---|
 * | 425, 429 | another attempt; with `Retry-After` not before that, at no cost and no failure of the server |
 * | 408, 5xx | another attempt; with `Retry-After` not before that, at no cost, and a failure all the same |
 * | 409 with `Retry-After` | another attempt after the backoff, at no cost: a request under its `Idempotency-Key` is still being worked on |
 * | any other 4xx | dead letter: asking again cannot help |
 * | no connection, cut off, timed out, aborted | another attempt |
 * | anything else | what would follow without `httpErrors` |
 */
import { layersOf, read } from './causes.js'
import { type Clock, systemClock } from './clock.js'
import { delayUntil, type HeadersLike, isHeadersLike, RETRY_AFTER_MAX_MS, retryTimeOf } from './retry-after.js'
import { callable, checkNames, duration } from './validate.js'
import type { Classify, ErrorVerdict } from './verdict.js'

/** Options of {@link httpErrors}. */
export interface HttpErrorsOptions {
  /** A server that asks for more time is asked again after so much, up to a day. Default 86,400,000: a day. */
  readonly maxRetryAfterMs?: number | undefined
  /** Tells the time where a server names an instant and not its own time beside it. Default: the system's clock. */
  readonly clock?: Pick<Clock, 'now'> | undefined
}

/** 4xx that say nothing against the request itself: took too long, too early, too many. */
const RETRIED = new Set([408, 425, 429])

/** Codes of errors that say that no answer came: of Node's sockets and DNS, of its streams, and of axios. */
const NO_ANSWER = new Set([
  'EAI_AGAIN', 'ECONNABORTED', 'ECONNREFUSED', 'ECONNRESET', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETRESET',
  'ENETUNREACH', 'ENOTFOUND', 'EPIPE', 'ESOCKETTIMEDOUT', 'ETIMEDOUT', 'ERR_CANCELED', 'ERR_NETWORK',
  'ERR_SOCKET_CONNECTION_TIMEOUT', 'ERR_STREAM_PREMATURE_CLOSE',
])
/** Codes of undici that blame the caller; all its others say that no whole answer came. */
const MISUSE = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_INVALID_RETURN_VALUE', 'UND_ERR_NOT_SUPPORTED'])
const NO_ANSWER_NAMES = new Set(['AbortError', 'TimeoutError'])
/** What `fetch` of Node, Chromium, Firefox and Safari say: a `TypeError` without a code. */
const FETCH_FAILED = new Set([
  'fetch failed',
  'Failed to fetch',
  'NetworkError when attempting to fetch resource.',
  'Load failed',
])

/** What axios says, with no code of its own for it, when an answer was cut off. */
const AXIOS_CUT_OFF = 'stream has been aborted'

/**
 * A `classify` for handlers that call HTTP services.
 *
 * ```ts
 * queue.process(send, { classify: httpErrors() })
 * ```
 */
export function httpErrors(options: HttpErrorsOptions = {}): Classify {
  const where = 'httpErrors()'
  checkNames(options, ['maxRetryAfterMs', 'clock'], where)
  const { maxRetryAfterMs = RETRY_AFTER_MAX_MS, clock = systemClock() } = options
  const max = duration(maxRetryAfterMs, { min: 1, max: RETRY_AFTER_MAX_MS }, 'maxRetryAfterMs', where)
  callable((clock as Clock | null)?.now, 'clock.now', where)
  const retryAfter = (headers: HeadersLike | undefined): number => {
    const time = headers === undefined ? undefined : retryTimeOf(headers)
    return time === undefined ? 0 : Math.min(delayUntil(time, clock.now()), max)
  }
  return (error) => {
    for (const layer of layersOf(error)) {
      const response = responseOf(layer)
      if (response !== undefined) return verdictOf(response, retryAfter)
      if (isWithoutAnswer(layer)) return 'retry'
    }
    return undefined
  }
}

interface HttpResponse {
  readonly status: number
  readonly headers: HeadersLike | undefined
}

function verdictOf({ status, headers }: HttpResponse, retryAfter: (headers: HeadersLike | undefined) => number): ErrorVerdict {
  const isConflict = status === 409 && headers !== undefined && retryTimeOf(headers) !== undefined
  // That one request is under way says nothing about the others: its message alone waits, for the backoff.
  if (isConflict) return { retryAfterMs: 0, countsAsFailure: false }
  if (status < 500 && !RETRIED.has(status)) return 'dead'
  const retryAfterMs = retryAfter(headers)
  // Now, or a time that has passed: the backoff keeps a broken server from being asked without end.
  return retryAfterMs === 0 ? 'retry' : { retryAfterMs, countsAsFailure: status >= 500 || status === 408 }
}

/** The answer of a server that an error is about, or that it is. */
function responseOf(error: object): HttpResponse | undefined {
  const response = read(error, 'response')
  const carrier = typeof response === 'object' && response !== null ? response : error
  for (const name of ['status', 'statusCode']) {
    const status = read(carrier, name) ?? read(error, name)
    if (typeof status !== 'number' || !Number.isInteger(status) || status < 400 || status > 599) continue
    const headers = read(carrier, 'headers') ?? read(error, 'headers')
    return { status, headers: isHeadersLike(headers) ? headers : undefined }
  }
  return undefined
}

function isWithoutAnswer(error: object): boolean {
  const [code, name, message] = [read(error, 'code'), read(error, 'name'), read(error, 'message')]
  if (typeof code === 'string') {
    if (NO_ANSWER.has(code)) return true
    if (code.startsWith('UND_ERR_')) return !MISUSE.has(code)
    if (code === 'ERR_BAD_RESPONSE' && message === AXIOS_CUT_OFF) return true
  }
  if (typeof name !== 'string') return false
  return NO_ANSWER_NAMES.has(name) || (name === 'TypeError' && FETCH_FAILED.has(String(message)))
}
