/** A handler that sends each message as one HTTP request. */
import type { Delivery } from '../api.js'
import { type Clock, MAX_TIMEOUT_MS, systemClock } from '../clock.js'
import { AckboxError, invalidOption, PermanentError, RetryAfterError } from '../errors.js'
import { isOffline } from '../network.js'
import { unlessAborted } from '../pending.js'
import type { HeadersLike } from '../retry-after.js'
import { unasked } from '../unasked.js'
import type { Range } from '../validate.js'
import { callable, checkNames, duration, utf8Length } from '../validate.js'
import { WORKER_DEFAULTS } from '../worker-defaults.js'
import { errorOf, isSuccess } from './answer.js'
import { beginning, type ByteStream, skip } from './body.js'
import { ENQUEUED_AT, writeEnqueuedAt } from './enqueue-time.js'
import { idempotencyKey } from './idempotency-key.js'
import { takeKeepalive } from './keepalive.js'
import { onLeaving } from '../page-life.js'
import { isOfNetwork, networkError } from './network-error.js'

/** What a sender tells `fetch`. */
export interface FetchInit {
  readonly method: 'POST'
  readonly headers: Record<string, string>
  readonly body: string | Uint8Array<ArrayBuffer>
  readonly redirect: 'manual'
  /** Whether the request may outlive its page: see `httpSender`. */
  readonly keepalive: boolean
  readonly signal: AbortSignal
}

/** What a sender reads of an answer. */
export interface FetchResponse {
  readonly status: number
  readonly statusText: string
  readonly headers: HeadersLike
  readonly body: ByteStream | null
}

/** `fetch`, or what stands for it. */
export type FetchLike = (url: string, init: FetchInit) => Promise<FetchResponse>

/** Headers by their names. */
export type HeaderValues = Readonly<Record<string, string>>

/** Options of {@link httpSender}. */
export interface HttpSenderOptions<T = unknown> {
  /**
   * Where to: `http` or `https`, without a user and password. The same for all, or by the body of the message and the
   * message around it; that is absent where {@link HttpSender.destination} asks, so the origin follows from the body alone.
   */
  readonly url: string | URL | ((body: T, message?: Delivery<T>) => string | URL)
  /** The network call. Default: the `fetch` of the platform, as it is when a message is sent. */
  readonly fetch?: FetchLike | undefined
  /**
   * Headers beside those of the sender, which they replace where they have the same name: the same for all, or by the
   * message.
   */
  readonly headers?: HeaderValues | ((message: Delivery<T>) => HeaderValues | Promise<HeaderValues>) | undefined
  /** How long the whole exchange may take, to the last byte of the answer, 1 to 2,147,483,647. Default 30,000. */
  readonly timeoutMs?: number | undefined
  /** Source of time: that of the box, where it has one of its own. Default: the system's. */
  readonly clock?: Clock | undefined
}

/**
 * A handler for `process`. It brings worker options along that hold where `process` names nothing else: `breaker: true`,
 * a circuit for each destination. `breaker: false` is for those who want none.
 */
export interface HttpSender<T = unknown> {
  (message: Delivery<T>): Promise<void>
  /** The origin that a body goes to: for the `destination` option of the queue. */
  readonly destination: (body: T) => string
}

const NAMES = ['url', 'fetch', 'headers', 'timeoutMs', 'clock']
const TIMEOUT: Range = { min: 1, max: MAX_TIMEOUT_MS }
const TIMEOUT_MS_DEFAULT = 30_000
/** What a dead letter keeps of an answer. */
const SHOWN_BYTES = 1_024
const WHERE = 'httpSender()'

/** What is well for all who send over a network. */
const DEFAULTS = Object.freeze({ breaker: true })

/**
 * A handler that sends each message with POST: a body of bytes as it is, any other as JSON. The `Idempotency-Key` is the
 * id of the message, so that a server knows what comes again: quoted, as a string of structured fields, with `%` and
 * whatever is no printable ASCII percent-encoded. `Ackbox-Enqueued-At` tells when the message was enqueued, in milliseconds
 * since 1970, so that a server can refuse what it may have had and forgotten.
 *
 * An answer of 2xx acknowledges the message, once it has come whole. After 408, 425, 429, 5xx, a time-out and errors of
 * the network it is tried again, not before `Retry-After` (seconds or a date, a day at most) where the server sent one.
 * So is, after the backoff, 409 with `Retry-After`: a request under the same key is still being worked on. Any other status makes it a dead
 * letter, whose error tells the status and the first KiB of the body; its reason is `refused` after 410, else `permanent`.
 * Redirects are not followed. What is no answer is an {@link HttpNetworkError}: it tells where to and, where the platform
 * says it, why. Other errors of a `fetch` of your own stay what they are.
 *
 * A request that fails while the platform says that it is offline costs no attempt, and is no failure of the server.
 *
 * In browsers a request of a small body is finished even when its page is closed (`keepalive`); its message is sent again
 * later all the same, under its key. Any other request is aborted when its page goes away (`pagehide`). Neither costs an
 * attempt, nor is it a failure of the server. Chromium finishes a small one as well when it is given up for another reason (a
 * time-out, say), or cuts it off half a minute later.
 *
 * ```ts
 * const send = httpSender<Order>({ url: 'https://example.org/orders' })
 * const orders = box.queue<Order>('orders', { destination: send.destination })
 * orders.process(send, { concurrency: 20 })
 * ```
 */
export function httpSender<T = unknown>(options: HttpSenderOptions<T>): HttpSender<T> {
  const sender = new Sender(checkOptions(options))
  const send = (message: Delivery<T>): Promise<void> => sender.send(message)
  const destination = (body: T): string => sender.urlOf(body).origin
  return Object.assign(send, { destination, [WORKER_DEFAULTS]: DEFAULTS })
}

interface CheckedOptions<T> {
  readonly url: URL | ((body: T, message?: Delivery<T>) => string | URL)
  readonly fetch: FetchLike | undefined
  readonly headers: HttpSenderOptions<T>['headers']
  readonly timeoutMs: number
  readonly clock: Clock
}

function checkOptions<T>(options: HttpSenderOptions<T>): CheckedOptions<T> {
  checkNames(options, NAMES, WHERE)
  const { url, fetch, headers, timeoutMs = TIMEOUT_MS_DEFAULT, clock = systemClock() } = options
  if (fetch !== undefined) callable(fetch, 'fetch', WHERE)
  if (typeof headers !== 'function') checkHeaders(headers ?? {})
  for (const call of ['now', 'setTimeout', 'clearTimeout'] as const) {
    callable((clock as Clock | null)?.[call], `clock.${call}`, WHERE)
  }
  return {
    url: typeof url === 'function' ? url : checkUrl(url),
    fetch,
    headers,
    timeoutMs: duration(timeoutMs, TIMEOUT, 'timeoutMs', WHERE),
    clock,
  }
}

function checkUrl(url: unknown): URL {
  if ((url instanceof URL || typeof url === 'string') && URL.canParse(String(url))) {
    const { protocol, username, password } = new URL(url)
    if (/^https?:$/.test(protocol) && username === '' && password === '') return new URL(url)
  }
  throw invalidOption('url to be an address of http or https without a user', url, WHERE)
}

/** As names in lower case, which a name that comes twice is told by. */
function checkHeaders(headers: unknown): Record<string, string> {
  if (typeof headers !== 'object' || headers === null) throw invalidOption('headers to be an object', headers, WHERE)
  try {
    return Object.fromEntries(new Headers(headers as HeaderValues))
  } catch (cause) {
    throw new AckboxError('ERR_INVALID_OPTION', `${WHERE}: expected headers that HTTP can carry`, { cause })
  }
}

function json(body: unknown): string {
  const text = JSON.stringify(body) as string | undefined
  if (text === undefined) throw new TypeError('its body is nothing that JSON knows')
  return text
}

/** The device has no network: that is no failure of the server, and costs no attempt. Not before the backoff. */
function offline(name: string, cause: unknown): RetryAfterError {
  return new RetryAfterError(0, { cause: new Error(`${name}: the device is offline`, { cause }) })
}

/** Nor is that the page goes away; where it is shown again, the backoff has passed by then or not. */
function left(name: string): RetryAfterError {
  return new RetryAfterError(0, { cause: new Error(`${name}: the page went away`) })
}

class Sender<T> {
  readonly #options: CheckedOptions<T>

  constructor(options: CheckedOptions<T>) {
    this.#options = options
  }

  urlOf(body: T, message?: Delivery<T>): URL {
    const { url } = this.#options
    return typeof url === 'function' ? checkUrl(url(body, message)) : url
  }

  async send(message: Delivery<T>): Promise<void> {
    const { clock, timeoutMs } = this.#options
    const { url, ...request } = await this.#compose(message)
    // Queries hold secrets at times, and errors are kept.
    const name = `POST ${url.origin}${url.pathname}`
    const controller = new AbortController()
    const abort = (): void => controller.abort(message.signal.reason)
    const expire = (): void => {
      controller.abort(new AckboxError('ERR_TIMEOUT', `${name}: expected a whole answer within ${timeoutMs} ms`))
    }
    const timer = clock.setTimeout(expire, timeoutMs)
    message.signal.addEventListener('abort', abort)
    if (message.signal.aborted) abort()
    const { body } = request
    const giveBack = takeKeepalive(typeof body === 'string' ? utf8Length(body) : body.length)
    let isLeft = false
    const leave = (): void => {
      isLeft = true
      if (giveBack === undefined) controller.abort(left(name))
    }
    const stay = onLeaving(leave, () => (isLeft = false))
    const init = { ...request, method: 'POST', redirect: 'manual', keepalive: giveBack !== undefined } as const
    try {
      await this.#exchange(url, { ...init, signal: controller.signal }, name, () => isLeft)
    } finally {
      giveBack?.()
      stay()
      clock.clearTimeout(timer)
      message.signal.removeEventListener('abort', abort)
      // Whatever of the answer was not read is not wanted.
      controller.abort()
    }
  }

  /** What is wrong with a message stays wrong. */
  async #compose(message: Delivery<T>): Promise<{ url: URL; headers: Record<string, string>; body: FetchInit['body'] }> {
    const { headers } = this.#options
    const own = typeof headers === 'function' ? await headers(message) : headers
    try {
      const { body } = message
      const isBytes = body instanceof Uint8Array
      return {
        url: this.urlOf(body, message),
        headers: {
          'content-type': isBytes ? 'application/octet-stream' : 'application/json',
          'idempotency-key': idempotencyKey(message.id),
          [ENQUEUED_AT]: writeEnqueuedAt(message.enqueuedAt),
          ...checkHeaders(own ?? {}),
        },
        body: isBytes ? (body as Uint8Array<ArrayBuffer>) : json(body),
      }
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw unasked(new PermanentError(`message '${message.id}' cannot be sent: ${why}`, { cause }))
    }
  }

  /** What a page hears that is going away is no answer: browsers fail even those requests that they go on with. */
  async #exchange(url: URL, init: FetchInit, name: string, isLeft: () => boolean): Promise<void> {
    const { fetch = globalThis.fetch as unknown as FetchLike, clock } = this.#options
    const { signal } = init
    const exchanged = <V>(exchange: Promise<V>): Promise<V> =>
      unlessAborted(exchange, signal).catch((cause: unknown) => {
        if (signal.aborted) throw cause
        const error = isOfNetwork(cause) ? networkError(name, url, cause) : cause
        if (isLeft()) throw left(name)
        throw isOffline() ? offline(name, error) : error
      })
    const response = await exchanged(fetch(url.href, init))
    const { status, statusText, headers } = response
    if (isSuccess(status)) return exchanged(skip(response.body))
    const body = await beginning(response.body, SHOWN_BYTES, unlessAborted(new Promise<never>(() => {}), signal))
    throw errorOf({ status, statusText, headers, body }, name, clock.now())
  }
}
