/** Enqueueing: everything is checked and encoded before the engine gets the first byte of it. */
import type { BoxCore } from './box.js'
import { encodedBytes } from './codec.js'
import { type Enqueue, messageStateNames, type ReceiptView } from './engine/wire.gen.js'
import { ENQUEUE_NAMES, type EnqueueTarget, ITEM_NAMES, plainRecord, recordOf } from './enqueue-options.js'
import { AckboxError, invalidOption } from './errors.js'
import { unlessAborted, type Waiter } from './pending.js'
import type { EnqueueItem, EnqueueOptions, MessageState, Receipt } from './types.js'

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
  const receipt = new Promise<Receipt>((resolve, reject) => {
    core.checkAccepting(where)
    const record =
      options === undefined ? plainRecord(target, body, where) : recordOf(target, body, options, ENQUEUE_NAMES, where)
    options?.signal?.throwIfAborted()
    core.driver.enqueue(record, new ReceiptWaiter(resolve, reject))
  })
  return unlessAborted(receipt, options?.signal)
}

export function enqueueAll(
  core: BoxCore,
  target: EnqueueTarget,
  items: Iterable<EnqueueItem<unknown>>,
  where: string,
): Promise<Receipt[]> {
  return new Promise<Receipt[]>((resolve, reject) => {
    core.checkAccepting(where)
    const records = readItems(target, items, where)
    // The iterable may have closed the box.
    core.checkAccepting(where)
    if (records.length === 0) resolve([])
    else core.driver.enqueueTogether(records, new ReceiptsWaiter(records.length, resolve, reject))
  })
}

function readItems(target: EnqueueTarget, items: Iterable<EnqueueItem<unknown>>, where: string): Enqueue[] {
  if (typeof items !== 'object' || items === null || typeof items[Symbol.iterator] !== 'function') {
    throw invalidOption('an iterable of { body } objects', items, where)
  }
  const records: Enqueue[] = []
  let bytes = 0
  for (const item of items) {
    const place = `${where}: item ${records.length}`
    if (typeof item !== 'object' || item === null) throw invalidOption('an object with a body', item, place)
    const record = recordOf(target, item.body, item, ITEM_NAMES, place)
    // The next item may be encoded into the very same bytes.
    if (record.body instanceof Uint8Array) record.body = record.body.slice()
    bytes += encodedBytes(record.body ?? '') + encodedBytes(record.headers ?? '')
    records.push(record)
    if (records.length > ITEMS_MAX) throw tooLarge(`more than ${ITEMS_MAX} items`, where)
    if (bytes > UNIT_BYTES_MAX) throw tooLarge(`${bytes} bytes after ${records.length} items`, where)
  }
  return records
}

function tooLarge(got: string, where: string): AckboxError {
  return new AckboxError(
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

function receiptOf(view: ReceiptView): Receipt {
  return {
    id: view.id(),
    status: view.duplicate ? 'duplicate' : 'accepted',
    state: messageStateNames[view.state] as MessageState,
  }
}
