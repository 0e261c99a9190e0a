/** Accepting messages: sheets of what is enqueued, and what the server says of them as receipts and refusals. */

import type { Clock } from '../../../clock.js'
import type { CallResult } from '../../../engine/engine.js'
import { type Enqueue, EventKind, MessageState } from '../../../engine/wire.gen.js'
import { AckboxError, type ErrorCode } from '../../../errors.js'
import type { RedisLedger } from '../redis-ledger.js'
import type { Sheet } from '../sheet.js'
import type { Accepted } from '../transitions.js'
import type { Answers } from './answers.js'
import type { RemoteQueue, RemoteQueues } from './queues.js'

type Failure = NonNullable<CallResult['failure']>

/** A message on its way to the server. */
export interface Prepared {
  readonly queue: RemoteQueue
  readonly sheet: Sheet
  readonly id: string
}

const NAME_BYTES_MAX = 256
const ATTEMPTS_MAX = 0xffff
/** Passes for any body. */
const ANY_BODY = Buffer.alloc(8)
/** One atomic unit. */
const UNIT_ITEMS_MAX = 10_000
const UNIT_BYTES_MAX = 8 << 20

export class Accepting {
  readonly #ledger: RedisLedger
  readonly #queues: RemoteQueues
  readonly #answers: Answers
  readonly #clock: Clock

  constructor(ledger: RedisLedger, queues: RemoteQueues, answers: Answers, clock: Clock) {
    this.#ledger = ledger
    this.#queues = queues
    this.#answers = answers
    this.#clock = clock
  }

  /** Accepts messages of one queue, all or none, and answers with a receipt for each. */
  async accept(ticket: number, records: readonly Enqueue[]): Promise<void> {
    const prepared = this.prepareAll(records)
    if (prepared.length === 0) return
    const { queue } = prepared[0]!
    await queue.known
    const results = await this.#ledger.enqueue(queue.name, prepared.map(({ sheet }) => sheet))
    this.answer(ticket, prepared, results)
  }

  /** Makes sheets of a unit; throws what it is refused for. */
  prepareAll(records: readonly Enqueue[]): Prepared[] {
    const prepared = records.map((record) => this.#prepare(record))
    const bytes = prepared.reduce((sum, { sheet }) => sum + sheet.body.length + (sheet.headers?.length ?? 0), 0)
    if (prepared.length > UNIT_ITEMS_MAX || (prepared.length > 1 && bytes > UNIT_BYTES_MAX)) {
      const got = `${prepared.length} of ${bytes} bytes`
      throw new AckboxError('ERR_BODY_TOO_LARGE', `expected a unit of at most ${UNIT_ITEMS_MAX} items and ${UNIT_BYTES_MAX} bytes, got ${got}`)
    }
    return prepared
  }

  /** Answers with receipts; throws what one of them was refused for. */
  answer(ticket: number, prepared: readonly Prepared[], results: readonly Accepted[]): void {
    const refused = results.findIndex((result) => result.status === 'refused' && result.why !== 'unit-refused')
    const first = refused < 0 ? results.findIndex((result) => result.status === 'refused') : refused
    if (first >= 0) throw refusal(results[first] as Accepted & { status: 'refused' }, prepared[first]!)
    prepared.forEach(({ id, queue }, index) => {
      const { status, state } = results[index] as Exclude<Accepted, { status: 'refused' }>
      const duplicate = status === 'duplicate'
      this.#answers.receipt(ticket, index, { id, state: MessageState[state], duplicate })
      const kind = duplicate ? EventKind.duplicate : EventKind.enqueued
      if ((queue.events & (1 << kind)) !== 0) this.#answers.event(plainEvent(kind, queue.number, id))
    })
  }

  #prepare(record: Enqueue): Prepared {
    const queue = this.#queues.at(record.queue)
    const body = bytesOf(record.body)
    check(queue, record, body)
    const named = this.#identify(queue, record.id, body)
    const maxAttempts = record.maxAttempts ?? queue.options.maxAttempts
    const sheet: { -readonly [K in keyof Sheet]: Sheet[K] } = { key: named.key, body, priority: record.priority, ...named.sheet }
    if (maxAttempts !== undefined && maxAttempts <= ATTEMPTS_MAX) sheet.maxAttempts = maxAttempts
    if (record.delayMs !== undefined) sheet.delayMs = record.delayMs
    if (record.at !== undefined) sheet.at = this.#ledger.remote(record.at)
    if (record.ttlMs !== undefined) sheet.ttlMs = record.ttlMs
    if (record.group) sheet.group = record.group
    if (record.destination) sheet.destination = record.destination
    const headers = record.headers === undefined ? '' : bytesOf(record.headers).toString()
    if (headers !== '') sheet.headers = headers
    return { queue, sheet, id: named.id }
  }

  #identify(queue: RemoteQueue, given: string | undefined, body: Buffer): { key: Buffer; id: string; sheet: Partial<Sheet> } {
    const { keys } = this.#ledger
    if (given === undefined || given === '') {
      const key = keys.generate(this.#clock.now())
      return { key, id: keys.idOf(key, queue.name), sheet: {} }
    }
    const { key, generated } = keys.keyOf(given, queue.name)
    if (generated) return { key, id: given, sheet: { passedBack: true } }
    const fingerprint = queue.options.dedup?.compare === 'id' ? ANY_BODY : keys.fingerprint(body)
    return { key, id: given, sheet: { id: given, fingerprint } }
  }
}

/** An event that tells nothing but of which message. */
export function plainEvent(event: number, queue: number, id: string) {
  return { event, queue, id, attempt: 0, waitMs: 0, handleMs: 0, at: 0, reason: 0, circuitFrom: 0, circuitTo: 0, error: '' }
}

/** Bytes of a part of a record. */
export function bytesOf(part: string | Uint8Array | undefined): Buffer {
  if (part === undefined) return Buffer.alloc(0)
  return typeof part === 'string' ? Buffer.from(part) : Buffer.from(part.buffer, part.byteOffset, part.byteLength)
}

/** What the engine checks where it accepts messages itself. */
function check({ name, options }: RemoteQueue, { id, group, destination }: Enqueue, body: Buffer): void {
  if (!id && options.guarantee === 'exactly-once') {
    throw new AckboxError('ERR_ID_REQUIRED', `queue '${name}' is exactly-once: expected an id of the caller's, got none`)
  }
  for (const [option, text] of Object.entries({ id, group, destination })) {
    const length = Buffer.byteLength(text ?? '')
    if (length > NAME_BYTES_MAX) {
      throw new AckboxError('ERR_INVALID_OPTION', `${option}: expected at most ${NAME_BYTES_MAX} bytes, got ${length} (queue '${name}')`)
    }
  }
  const { maxBodyBytes = Infinity } = options
  if (body.length > maxBodyBytes) {
    throw new AckboxError('ERR_BODY_TOO_LARGE', `expected a body of at most ${maxBodyBytes} bytes, got ${body.length} (queue '${name}')`)
  }
}

const REFUSALS: Record<string, readonly [ErrorCode, string]> = {
  'id-conflict': ['ERR_ID_CONFLICT', 'its id is taken by a message with another body'],
  'queue-full': ['ERR_QUEUE_FULL', 'the queue has no room for it (maxDepth, maxBytes)'],
  'dedup-full': ['ERR_DEDUP_FULL', 'the index of ids has no room for its id (dedup.maxEntries)'],
  'unit-refused': ['ERR_QUEUE_FULL', 'another message of its unit was refused'],
  fenced: ['ERR_FENCED', 'a newer handle of the producer was opened'],
  'too-far-ahead': ['ERR_INVALID_OPTION', 'sequence: expected at most 1,024 above those that are accepted without one'],
}

function refusal({ why }: Accepted & { status: 'refused' }, { id, queue }: Prepared): AckboxError {
  const [code, text] = REFUSALS[why]!
  const failure: Failure = { code, message: `message '${id}' is not accepted by queue '${queue.name}': ${text}` }
  return new AckboxError(failure.code as 'ERR_QUEUE_FULL', failure.message)
}
