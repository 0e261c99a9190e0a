/**
 * Enqueues of a tab that does not drive: each is left in the inbox of the database, in a strict transaction, and answered
 * when the hub has moved it. Where no hub answers within two seconds, what is on the disk is `stored`: it is moved some time,
 * by whoever drives then.
 */
import type { Clock, TimerHandle } from '../clock.js'
import type { Failure } from '../engine/engine.js'
import { messageOf } from '../error-info.js'
import { AckboxError } from '../errors.js'
import { isCleanFailure, type SharedInbox } from '../storage/storage.js'
import type { ReceiptOf } from './protocol.js'
import { type Row, ROW_FORMAT, type RowItem } from './row.js'
import { tabMessageId } from './tab-message-id.js'

/** How one left row ends. */
export interface Leaving {
  moved(receipts: readonly ReceiptOf[]): void
  stored(ids: readonly string[]): void
  refused(failure: Failure): void
}

interface Waiting {
  readonly leaving: Leaving
  readonly ids: readonly string[]
  /** It resolves as stored then. */
  timer: TimerHandle | undefined
}

const STORED_AFTER_MS = 2_000

export class Outgoing {
  readonly #tab: string
  readonly #clock: Clock
  readonly #inbox: SharedInbox
  /** Tells the hub that there is something. */
  readonly #left: () => void
  readonly #waiting = new Map<number, Waiting>()
  /** Verdicts that were faster than the answer of the transaction. */
  readonly #early = new Map<number, readonly ReceiptOf[]>()
  /** Transactions under way. */
  readonly #writing = new Set<Promise<void>>()
  /** The last key that something was left under. */
  #lastKey = 0
  /** The browser took the database away. */
  #loss: Failure | undefined

  constructor(tab: string, clock: Clock, inbox: SharedInbox, left: () => void) {
    this.#tab = tab
    this.#clock = clock
    this.#inbox = inbox
    this.#left = left
  }

  /** Whether somebody waits for a verdict. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0 || this.#writing.size > 0
  }

  /** The last key under which this tab left something; `undefined` while it is not known. */
  get lastKey(): number | undefined {
    return this.#writing.size > 0 ? undefined : this.#lastKey
  }

  /** Leaves these in one transaction, each a unit of its own. */
  leave(units: readonly { readonly items: readonly RowItem[]; readonly leaving: Leaving }[]): void {
    const writing = this.#write(units).finally(() => this.#writing.delete(writing))
    this.#writing.add(writing)
  }

  /** Resolves when everything that was left is on the disk, or refused. */
  async settled(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing)
  }

  /** The hub has moved a row. */
  moved(key: number, receipts: readonly ReceiptOf[]): void {
    const waiting = this.#take(key)
    if (waiting !== undefined) waiting.leaving.moved(receipts)
    else if (this.#writing.size > 0) this.#early.set(key, receipts)
  }

  /** The hub of this epoch has refused a row. Whether its owner was told: then the row is gone. */
  async refused(key: number, epoch: number, failure: Failure): Promise<boolean> {
    if (this.#writing.size > 0) await this.settled()
    // Nobody else answers from now on: who was told that it is stored must not lose it.
    const waiting = this.#take(key)
    if (waiting === undefined) return false
    const isTakenBack = await this.#inbox.takeBack(key, epoch).catch(() => false)
    if (isTakenBack) waiting.leaving.refused(failure)
    else waiting.leaving.stored(waiting.ids)
    return isTakenBack
  }

  /** The browser took the database away, and what was left with it, for all that is known. */
  lose(failure: Failure): void {
    this.#loss = failure
    for (const key of [...this.#waiting.keys()]) {
      const { leaving, ids } = this.#take(key)!
      leaving.refused(about(failure, ids))
    }
  }

  /** Nobody waits any more: what was left is on the disk. */
  end(): void {
    for (const key of [...this.#waiting.keys()]) {
      const waiting = this.#take(key)
      waiting?.leaving.stored(waiting.ids)
    }
    this.#inbox.close()
  }

  async #write(units: readonly { readonly items: readonly RowItem[]; readonly leaving: Leaving }[]): Promise<void> {
    const leftAt = this.#clock.now()
    const rows = units.map(({ items }): Row => {
      return { format: ROW_FORMAT, tab: this.#tab, leftAt, items: items.map((item) => named(item, leftAt)) }
    })
    let keys: number[]
    try {
      keys = await this.#inbox.add(rows)
      if (this.#loss !== undefined) throw new AckboxError(this.#loss.code as 'ERR_STORAGE_FAILED', this.#loss.message)
    } catch (error) {
      const failure = failureOf(error)
      units.forEach(({ leaving }, at) => leaving.refused(about(failure, idsOf(rows[at]!))))
      return
    }
    this.#lastKey = Math.max(this.#lastKey, ...keys)
    this.#left()
    const left = Math.max(0, leftAt + STORED_AFTER_MS - this.#clock.now())
    keys.forEach((key, at) => this.#await(key, units[at]!.leaving, idsOf(rows[at]!), left))
    // Of the others under way there may be early ones too.
    if (this.#writing.size === 1) this.#early.clear()
  }

  #await(key: number, leaving: Leaving, ids: readonly string[], ms: number): void {
    const early = this.#early.get(key)
    this.#early.delete(key)
    if (early !== undefined) return leaving.moved(early)
    const timer = this.#clock.setTimeout(() => this.#take(key)?.leaving.stored(ids), ms)
    this.#waiting.set(key, { leaving, ids, timer })
  }

  #take(key: number): Waiting | undefined {
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) return undefined
    this.#waiting.delete(key)
    if (waiting.timer !== undefined) this.#clock.clearTimeout(waiting.timer)
    return waiting
  }
}

/** With an id: a receipt may come before the engine has heard of it. */
function named(item: RowItem, now: number): RowItem {
  if (item.record['id'] !== undefined) return item
  return { ...item, record: { ...item.record, id: tabMessageId(now) }, hasOwnId: true }
}

function idsOf({ items }: Row): string[] {
  return items.map(({ record }) => record['id'] as string)
}

/** A failure of which nobody knows what it left behind: enqueueing again with these ids is safe. */
function about(failure: Failure, ids: readonly string[]): Failure {
  if (failure.code !== 'ERR_STORAGE_FAILED') return failure
  return ids.length === 1 ? { ...failure, id: ids[0]! } : { ...failure, ids: [...ids] }
}

function failureOf(error: unknown): Failure {
  if (isCleanFailure(error)) return { code: 'ERR_STORAGE_FULL', message: messageOf(error) }
  if (AckboxError.is(error)) return { code: error.code, message: error.message }
  return { code: 'ERR_STORAGE_FAILED', message: `the message could not be left for the tab that drives the box: ${messageOf(error)}` }
}
