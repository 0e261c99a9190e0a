/** Enqueueing: everything is checked and encoded before the engine gets the first byte of it. */
import type { BoxCore } from './box.js'
import { encodedBytes } from './codec.js'
import type { Enqueue, ReceiptView } from './engine/wire.gen.js'
import { ENQUEUE_NAMES, type EnqueueTarget, ITEM_NAMES, plainRecord, recordOf } from './enqueue-options.js'
import { AckboxError, invalidOption } from './errors.js'
import { unlessAborted, type Waiter } from './pending.js'
import { receiptOf } from './receipt.js'
import { validate } from './schema.js'
import type { EnqueueItem, EnqueueOptions, Receipt } from './types.js'
import { optionalSignal } from './validate.js'

/** One atomic unit. */
const ITEMS_MAX = 10_000
const UNIT_BYTES_MAX = 8 << 20

export function enqueueOne(
  core: BoxCore,
  target: EnqueueTarget,
  body: unknown,
  options: EnqueueOptions | undefined,
  where: string,
): Promise<Receipt> {
  if (options === undefined && target.local.schema === undefined && target.admission.isOpen) {
    return enqueuePlain(core, target, body, where)
  }
  const signal = options?.signal
  try {
    optionalSignal(signal, where)
  } catch (error) {
    return Promise.reject(error)
  }
  const receipt = new Promise<Receipt>((resolve, reject) => {
    core.checkAccepting(where)
    const build = (): Enqueue =>
      options === undefined ? plainRecord(target, body, where) : recordOf(target, body, options, ENQUEUE_NAMES, where)
    const { record, late } = target.local.schema === undefined ? { record: build() } : checkBody(target, body, where, build)
    signal?.throwIfAborted()
    if (late === undefined && target.admission.isOpen) {
      core.driver.enqueue(record!, new ReceiptWaiter(resolve, reject))
      return
    }
    const send = (): void => core.driver.enqueue(record!, new ReceiptWaiter(resolve, reject))
    sendInTurn(core, target, { late, signal, where }, send, reject)
  })
  return unlessAborted(receipt, signal)
}

/** The usual case, without anything that it does not need. */
function enqueuePlain(core: BoxCore, target: EnqueueTarget, body: unknown, where: string): Promise<Receipt> {
  return new Promise<Receipt>((resolve, reject) => {
    core.checkAccepting(where)
    core.driver.enqueue(plainRecord(target, body, where), new ReceiptWaiter(resolve, reject))
  })
}

export function enqueueAll(
  core: BoxCore,
  target: EnqueueTarget,
  items: Iterable<EnqueueItem<unknown>>,
  where: string,
): Promise<Receipt[]> {
  const signals = new Set<AbortSignal | undefined>()
  const receipts = new Promise<Receipt[]>((resolve, reject) => {
    core.checkAccepting(where)
    const { records, late } = readItems(target, items, signals, where)
    // The iterable may have closed the box.
    core.checkAccepting(where)
    const send = (): void =>
      core.driver.enqueueTogether(records, new ReceiptsWaiter(records.length, resolve, reject))
    if (records.length === 0 && late === undefined) resolve([])
    else if (late === undefined && target.admission.isOpen) send()
    else sendInTurn(core, target, { late, signal: undefined, where }, send, reject)
  })
  return givenUpWith(signals, receipts)
}

/** What one waits for until one of the signals aborts; usually it is one for all items, if any. */
export function givenUpWith<T>(signals: Iterable<AbortSignal | undefined>, promise: Promise<T>): Promise<T> {
  let waited = promise
  for (const signal of signals) waited = unlessAborted(waited, signal)
  return waited
}

/** The signal of an item. Throws its reason if it has aborted. */
export function signalOf({ signal }: EnqueueItem<unknown>, place: string): AbortSignal | undefined {
  optionalSignal(signal, place)
  signal?.throwIfAborted()
  return signal
}

/** One body, encoded as it is at this moment. */
export interface CheckedBody {
  /** Absent if it cannot be enqueued: `late` rejects then. */
  readonly record?: Enqueue
  /** What an asynchronous schema has to say: rejects if the body must not be enqueued. */
  readonly late?: Promise<void> | undefined
}

/** Asks the schema, then builds the record; what the schema has to say comes first, also if it comes late. */
export function checkBody(target: EnqueueTarget, body: unknown, where: string, build: () => Enqueue): CheckedBody {
  const { schema } = target.local
  const late = schema === undefined ? undefined : validate(schema, body, where)
  if (late === undefined) return { record: build(), late }
  // Whoever asked may be gone when it rejects.
  late.catch(() => {})
  try {
    return { record: keepBytes(build()), late }
  } catch (fault) {
    return { late: late.then(() => Promise.reject(fault)) }
  }
}

interface Wait {
  readonly late: Promise<void> | undefined
  readonly signal: AbortSignal | undefined
  readonly where: string
}

/** Sends once the schema agreed and all that were called before are in; whatever ends the wait frees the turn. */
function sendInTurn(
  core: BoxCore,
  target: EnqueueTarget,
  { late, signal, where }: Wait,
  send: () => void,
  reject: (error: unknown) => void,
): void {
  const { tickets } = core.driver
  const turn = target.admission.take()
  let waiting = true
  const giveUp = (error: unknown): void => {
    if (!waiting) return
    end()
    reject(error)
    turn.giveUp()
  }
  // The end of the box refuses all who hold a ticket.
  const ticket = tickets.open({ answered() {}, refused: giveUp })
  const abort = (): void => giveUp(signal?.reason)
  signal?.addEventListener('abort', abort)
  const end = (): void => {
    waiting = false
    tickets.close(ticket)
    signal?.removeEventListener('abort', abort)
  }
  const enter = (): void => {
    if (!waiting) return
    end()
    try {
      core.checkAccepting(where)
      send()
    } catch (error) {
      reject(error)
    }
  }
  if (late === undefined) turn.enter(enter)
  else late.then(() => turn.enter(enter), giveUp)
}

/** Items with their places, as far as the iterable gives them: not more than one unit holds. */
export function* eachItem(
  items: Iterable<EnqueueItem<unknown>>,
  where: string,
): Generator<{ item: EnqueueItem<unknown>; place: string }> {
  if (typeof items !== 'object' || items === null || typeof items[Symbol.iterator] !== 'function') {
    throw invalidOption('an iterable of { body } objects', items, where)
  }
  let count = 0
  for (const item of items) {
    const place = `${where}: item ${count++}`
    if (typeof item !== 'object' || item === null) throw invalidOption('an object with a body', item, place)
    checkUnit(count, 0, where)
    yield { item, place }
  }
}

function readItems(
  target: EnqueueTarget,
  items: Iterable<EnqueueItem<unknown>>,
  signals: Set<AbortSignal | undefined>,
  where: string,
): { records: Enqueue[]; late: Promise<void> | undefined } {
  const records: Enqueue[] = []
  const verdicts: Promise<void>[] = []
  let count = 0
  let bytes = 0
  for (const { item, place } of eachItem(items, where)) {
    const { record, late } = checkBody(target, item.body, place, () =>
      recordOf(target, item.body, item, ITEM_NAMES, place),
    )
    signals.add(signalOf(item, place))
    if (late !== undefined) verdicts.push(late)
    if (record !== undefined) {
      records.push(late === undefined ? keepBytes(record) : record)
      bytes += encodedBytes(record.body ?? '') + encodedBytes(record.headers ?? '')
    }
    count++
    checkUnit(count, bytes, where)
  }
  return { records, late: verdicts.length === 0 ? undefined : inOrder(verdicts) }
}

/** All of them; the first one of the list that rejects is the one that is told. */
async function inOrder(verdicts: readonly Promise<void>[]): Promise<void> {
  for (const verdict of verdicts) verdict.catch(() => {})
  for (const verdict of verdicts) await verdict
}

/** The next body may be encoded into the very same bytes. */
export function keepBytes(record: Enqueue): Enqueue {
  if (record.body instanceof Uint8Array) record.body = record.body.slice()
  return record
}

/** Whether so much may be one atomic unit. */
export function checkUnit(items: number, bytes: number, where: string): void {
  if (items <= ITEMS_MAX && bytes <= UNIT_BYTES_MAX) return
  const got = items > ITEMS_MAX ? `more than ${ITEMS_MAX} items` : `${bytes} bytes after ${items} items`
  throw new AckboxError(
    'ERR_BODY_TOO_LARGE',
    `${where}: expected at most ${ITEMS_MAX} items of ${UNIT_BYTES_MAX} bytes together, got ${got}`,
  )
}

class ReceiptWaiter implements Waiter {
  readonly #resolve: (receipt: Receipt) => void
  readonly refused: (error: Error) => void

  constructor(resolve: (receipt: Receipt) => void, reject: (error: Error) => void) {
    this.#resolve = resolve
    this.refused = reject
  }

  receipt(view: ReceiptView): boolean {
    this.#resolve(receiptOf(view))
    return true
  }

  answered(): void {}
}

class ReceiptsWaiter implements Waiter {
  readonly #receipts: Receipt[] = []
  readonly #resolve: (receipts: Receipt[]) => void
  readonly refused: (error: Error) => void
  #missing: number

  constructor(count: number, resolve: (receipts: Receipt[]) => void, reject: (error: Error) => void) {
    this.#missing = count
    this.#resolve = resolve
    this.refused = reject
  }

  receipt(view: ReceiptView): boolean {
    this.#receipts[view.index] = receiptOf(view)
    this.#missing--
    if (this.#missing > 0) return false
    this.#resolve(this.#receipts)
    return true
  }

  answered(): void {}
}
