/**
 * A queue behind HTTP: what a sender posts is enqueued under its `Idempotency-Key`, and answered once it is durable.
 *
 * A key that may have been forgotten is refused, so a request that was repeated for days is taken once or not at all.
 */
import type { Queue } from '../api.js'
import { MAX_TIMEOUT_MS } from '../clock.js'
import { invalidOption } from '../errors.js'
import { type Receiving, receivingOf } from '../receiving.js'
import type { Receipt } from '../types.js'
import type { Range } from '../validate.js'
import { callable, checkNames, duration, flag, integer, text, utf8Length } from '../validate.js'
import { ageOf, ENQUEUED_AT, readEnqueuedAt } from './enqueue-time.js'
import { idOfKey } from './idempotency-key.js'
import { parseJson } from './json.js'
import { answer, problem, Refusal } from './problem.js'
import { type BodyLimits, readBody, Room } from './request-body.js'
import { answerTo } from './refusals.js'
import { Repeatable } from './repeatable.js'

/** Options of {@link receiver}: `authorize` or `public: true`, and limits. */
export interface ReceiverOptions {
  /**
   * Who sends: the name of the client, 1 to 128 bytes of UTF-8, whose keys are kept apart from those of all others. Nothing
   * (`undefined`, `null`, `false` or `''`): 401. A `Response` is answered as it is, the same one as often as it is given. What
   * it throws is answered with 500 and told of by `warning`. It must leave the body alone.
   */
  readonly authorize?: ((request: Request) => Client | Promise<Client>) | undefined
  /** Takes messages from anybody, under one set of keys for all. Not together with `authorize`. */
  readonly public?: boolean | undefined
  /** Bytes of a body at most, 1 to 8 MiB: 413 beyond. Default: the queue's `maxBodyBytes`. */
  readonly maxBodyBytes?: number | undefined
  /** Bytes that all bodies under way may take in memory, 1 or more: 503 beyond. Default 64 MiB. */
  readonly maxPendingBytes?: number | undefined
  /** How long a body may take to come, 1 to 2,147,483,647: 408 beyond. Default 30,000. */
  readonly timeoutMs?: number | undefined
  /**
   * A key is refused so much before the queue may forget it, and if its time lies so far in the future: how much clocks may
   * differ. Default: a tenth of the queue's `dedup.windowMs`, an hour at most.
   */
  readonly marginMs?: number | undefined
  /** The `Retry-After` of 503, in whole seconds, rounded up. Default 5,000. */
  readonly retryAfterMs?: number | undefined
}

/** What `authorize` says. */
export type Client = string | false | null | undefined | Response

/** Answers requests. Never rejects. */
export type Receiver = (request: Request) => Promise<Response>

const NAMES = ['authorize', 'public', 'maxBodyBytes', 'maxPendingBytes', 'timeoutMs', 'marginMs', 'retryAfterMs']
const WHERE = 'receiver()'
const CLIENT_BYTES_MAX = 128
const ID_BYTES_MAX = 256
const BODY: Range = { min: 1, max: 8 << 20 }
const BYTES: Range = { min: 1, max: Number.MAX_SAFE_INTEGER }
const TIMEOUT: Range = { min: 1, max: MAX_TIMEOUT_MS }
const TIME: Range = { min: 0, max: MAX_TIMEOUT_MS }
const PENDING_BYTES_DEFAULT = 64 << 20
const TIMEOUT_MS_DEFAULT = 30_000
const RETRY_AFTER_MS_DEFAULT = 5_000
const MARGIN_MS_MAX = 3_600_000
const WEEK_MS = 7 * 86_400_000
/** Whoever asks while a request under the same key is not durable yet is to come again. */
const COME_AGAIN = { 'retry-after': '1' }
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json$/
const BYTES_TYPE = 'application/octet-stream'

/**
 * A handler of requests, in the style of `fetch`, that enqueues what is posted to it. The `Idempotency-Key` becomes the id
 * of the message: as it is with `public`, as `client/key` with `authorize` (`%` and `/` of the client percent-encoded),
 * whose message has the header `client`. The body is JSON; for a queue with a `codec` also `application/octet-stream`.
 *
 * | status | |
 * |---|---|
 * | 202 | it is durable |
 * | 200 | it was taken before |
 * | 400, 405, 415 | no key, or nothing that can be read, such as a number that JavaScript cannot hold |
 * | 401 | `authorize` did not know the client |
 * | 408, 413 | the body was too slow, too large |
 * | 409 | a request under this key is not durable yet: come again |
 * | 410 | the key is so old that it may have been forgotten |
 * | 422 | the key was used with another body, or the queue's `schema` refuses this one |
 * | 503 with `Retry-After` | there is no room, or the box is closed or has failed |
 *
 * Whatever is refused is told as `application/problem+json`, with a `code`.
 *
 * How old a key is, is told by the header `Ackbox-Enqueued-At` (milliseconds since 1970), which `httpSender` sends. A client
 * without it is taken at its word: it must not repeat a request for longer than the queue remembers. That is `dedup.windowMs`
 * (with `0` it remembers no message that finished: no key is too old, and a late repetition is taken again);
 * where the queue never named one, 7 days are named from now on, and `whenFull: 'reject'` likewise, so that ids are not
 * forgotten early. With `'shorten'` the window that is in force is what counts, but ids that were forgotten before the box
 * was opened are not known of; nor are those that ended before a window was made wider, beyond what it was.
 *
 * @throws `ERR_INVALID_OPTION`; `ERR_CLOSED`, `ERR_UNSUPPORTED` in a box that is closed or only looked at
 */
export function receiver(queue: Pick<Queue<never, unknown, unknown>, 'name' | 'enqueue'>, options: ReceiverOptions): Receiver {
  const receiving = receivingOf(queue)
  if (receiving === undefined) throw invalidOption('a queue of a box', queue, WHERE)
  const checked = checkOptions(options)
  receiving.nameDedup({ windowMs: WEEK_MS, whenFull: 'reject' }, WHERE)
  const requests = new RequestReceiver(queue as unknown as Inflow, receiving, checked)
  return (request) => requests.receive(request)
}

/** The queue, as it takes what nobody knows the type of. */
type Inflow = Pick<Queue<unknown>, 'name' | 'enqueue'>

interface CheckedOptions {
  /** `undefined`: public. */
  readonly authorize: NonNullable<ReceiverOptions['authorize']> | undefined
  readonly maxBodyBytes: number | undefined
  readonly maxPendingBytes: number
  readonly timeoutMs: number
  readonly marginMs: number | undefined
  readonly retryAfter: Readonly<Record<string, string>>
}

function checkOptions(options: ReceiverOptions): CheckedOptions {
  checkNames(options, NAMES, WHERE)
  const { authorize, public: isPublic, maxBodyBytes, marginMs } = options
  const { maxPendingBytes = PENDING_BYTES_DEFAULT, timeoutMs = TIMEOUT_MS_DEFAULT, retryAfterMs = RETRY_AFTER_MS_DEFAULT } = options
  if (authorize !== undefined) callable(authorize, 'authorize', WHERE)
  if (flag(isPublic, 'public', WHERE) !== (authorize === undefined)) {
    throw invalidOption('authorize, or public: true', isPublic, WHERE)
  }
  return {
    authorize,
    maxBodyBytes: maxBodyBytes === undefined ? undefined : integer(maxBodyBytes, BODY, 'maxBodyBytes', WHERE),
    maxPendingBytes: integer(maxPendingBytes, BYTES, 'maxPendingBytes', WHERE),
    timeoutMs: duration(timeoutMs, TIMEOUT, 'timeoutMs', WHERE),
    marginMs: marginMs === undefined ? undefined : duration(marginMs, TIME, 'marginMs', WHERE),
    retryAfter: { 'retry-after': String(Math.ceil(duration(retryAfterMs, TIME, 'retryAfterMs', WHERE) / 1_000)) },
  }
}

class RequestReceiver {
  readonly #queue: Inflow
  readonly #receiving: Receiving
  readonly #options: CheckedOptions
  readonly #room: Room
  readonly #answers = new Repeatable()
  /** Ids whose message is not durable yet. Each has its body in the room, which bounds them. */
  readonly #underWay = new Set<string>()

  constructor(queue: Inflow, receiving: Receiving, options: CheckedOptions) {
    this.#queue = queue
    this.#receiving = receiving
    this.#options = options
    this.#room = new Room(options.maxPendingBytes)
  }

  async receive(request: Request): Promise<Response> {
    const { retryAfter } = this.#options
    try {
      return await this.#take(request)
    } catch (error) {
      return answerTo(error, retryAfter, (cause) => this.#receiving.warn(`${WHERE} failed`, cause))
    }
  }

  async #take(request: Request): Promise<Response> {
    if (request.method !== 'POST') {
      return problem('method-not-allowed', `expected POST, got ${request.method}`, { headers: { allow: 'POST' } })
    }
    const client = await this.#client(request)
    if (client instanceof Response) return client
    const key = keyOf(request.headers)
    const id = client === undefined ? key : `${client.replaceAll(/[%/]/g, encodeURIComponent)}/${key}`
    if (utf8Length(id) > ID_BYTES_MAX) {
      const most = ID_BYTES_MAX - utf8Length(id) + utf8Length(key)
      throw new Refusal('key-invalid', `expected a key of at most ${most} bytes`)
    }
    this.#checkAge(request.headers)
    const isJson = this.#isJson(request.headers)
    const read = await readBody(request, this.#bodyLimits)
    try {
      const body = isJson ? parseJson(read.bytes) : read.bytes
      // It may have become too old while it came.
      this.#checkAge(request.headers)
      const { status, state } = await this.#enqueue(id, body, client)
      return answer(status === 'duplicate' ? 200 : 202, { id: key, status, state })
    } finally {
      read.release()
    }
  }

  /** `undefined`: anybody. */
  async #client(request: Request): Promise<string | Response | undefined> {
    const { authorize } = this.#options
    if (authorize === undefined) return undefined
    try {
      const client = await authorize(request)
      if (client instanceof Response) return await this.#answers.copyOf(client)
      if (client === undefined || client === null || client === false || client === '') return unknownClient()
      text(client, CLIENT_BYTES_MAX, 'the client that authorize gives', WHERE)
      return client
    } catch (cause) {
      // An error of another box in there says nothing about this one.
      this.#receiving.warn(`${WHERE}: authorize failed`, cause)
      return problem('failed', 'the request could not be handled')
    }
  }

  #checkAge(headers: Headers): void {
    const value = headers.get(ENQUEUED_AT)
    if (value === null) return
    const enqueuedAt = readEnqueuedAt(value)
    if (enqueuedAt === undefined) {
      throw new Refusal('time-invalid', `${ENQUEUED_AT}: expected milliseconds since 1970`)
    }
    // What is forgotten at once cannot be too old to be known.
    if (!this.#receiving.remembersIds()) return
    const now = this.#receiving.clock.now()
    const windowMs = this.#receiving.windowMs()
    const marginMs = this.#options.marginMs ?? Math.min(windowMs / 10, MARGIN_MS_MAX)
    const age = ageOf(enqueuedAt, now, windowMs, marginMs)
    if (age === 'ahead') {
      throw new Refusal('time-invalid', `${ENQUEUED_AT}: it lies ${enqueuedAt - now} ms ahead of the time here`)
    }
    if (age === 'unknowable') {
      const most = Math.max(0, Math.floor(windowMs - marginMs))
      throw new Refusal('key-too-old', `expected a key of at most ${most} ms, its message is ${now - enqueuedAt} ms old`)
    }
  }

  #isJson(headers: Headers): boolean {
    const encoding = headers.get('content-encoding')
    if (encoding !== null && encoding !== 'identity') {
      throw new Refusal('type-unsupported', 'expected a body without content-encoding')
    }
    const type = headers.get('content-type')?.split(';', 1)[0]!.trim().toLowerCase() ?? ''
    if (JSON_TYPE.test(type)) return true
    const { hasCodec } = this.#receiving
    if (hasCodec && type === BYTES_TYPE) return false
    throw new Refusal('type-unsupported', `expected application/json${hasCodec ? ` or ${BYTES_TYPE}` : ''}`)
  }

  get #bodyLimits(): BodyLimits {
    const { maxBodyBytes = this.#receiving.maxBodyBytes, timeoutMs, retryAfter } = this.#options
    const { clock } = this.#receiving
    return { room: this.#room, maxBytes: maxBodyBytes, timeoutMs, clock, retryAfter }
  }

  async #enqueue(id: string, body: unknown, client: string | undefined): Promise<Receipt> {
    if (this.#underWay.has(id)) {
      throw new Refusal('key-in-progress', 'a request with this key is not durable yet', { headers: COME_AGAIN })
    }
    this.#underWay.add(id)
    try {
      return await this.#queue.enqueue(body, client === undefined ? { id } : { id, headers: { client } })
    } finally {
      this.#underWay.delete(id)
    }
  }
}

function unknownClient(): Response {
  return problem('not-authorized', 'expected a client that is known here', { headers: { 'www-authenticate': 'Bearer' } })
}

function keyOf(headers: Headers): string {
  const key = headers.get('idempotency-key')
  if (key === null) throw new Refusal('key-missing', 'expected the header Idempotency-Key')
  const id = idOfKey(key)
  if (id !== undefined) return id
  throw new Refusal('key-invalid', 'expected one quoted string, such as "order-1", with % percent-encoded')
}
