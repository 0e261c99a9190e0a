/**
 * The journal as its owner writes it. Every transaction first reads who the owner is, and does nothing if that is somebody
 * else by now: a tab that was frozen, or lost its lock while it slept, changes nothing when it wakes up.
 */

import { AckboxError } from '../../errors.js'
import { markFenced, type SegmentInfo } from '../storage.js'
import { listSegments } from './chunks.js'
import { type Database, type Journal, JOURNAL_STORES, OWNER, type Owner, type OwnerRow } from './database.js'
import { isQuotaError } from './room.js'

/** The browser's words for what a transaction promises. */
export type Strictness = 'strict' | 'relaxed'

/** What there is when the journal is opened. */
interface Found {
  readonly self: OwnerRow
  readonly segments: SegmentInfo[]
  /** Whether `self` is the owner by now, or only when the first transaction has found everything as it was. */
  readonly isClaimed: boolean
}

/**
 * Becomes the owner, by a strict transaction: what an owner before wrote, in a weaker mode perhaps, is as durable when it
 * is listed. Where there is no room for that, it is put off to the first transaction, for a box on a full disk opens.
 */
export async function ownJournal(database: Database, name: string, since: number): Promise<OwnedJournal> {
  try {
    return new OwnedJournal(database, name, await claim(database, since))
  } catch (error) {
    if (!isQuotaError(error)) throw error
    return new OwnedJournal(database, name, await look(database, since))
  }
}

async function claim(database: Database, since: number): Promise<Found> {
  const transaction = database.transaction(JOURNAL_STORES, 'readwrite', { durability: 'strict' })
  const undone = failureOf(transaction.done)
  try {
    const owner = transaction.objectStore('owner')
    const self = { epoch: (await epochIn(owner)) + 1, since }
    const segments = await listSegments(transaction.objectStore('journal'))
    await owner.put(self, OWNER)
    await transaction.done
    return { self, segments, isClaimed: true }
  } catch (error) {
    throw reasonOf(error, await undone)
  }
}

async function look(database: Database, since: number): Promise<Found> {
  const transaction = database.transaction(JOURNAL_STORES, 'readonly')
  const self = { epoch: (await epochIn(transaction.objectStore('owner'))) + 1, since }
  return { self, segments: await listSegments(transaction.objectStore('journal')), isClaimed: false }
}

export class OwnedJournal {
  /** What there was when it was opened. */
  readonly segments: SegmentInfo[]
  readonly #database: Database
  readonly #name: string
  readonly #self: OwnerRow
  #isClaimed: boolean

  constructor(database: Database, name: string, { self, segments, isClaimed }: Found) {
    this.#database = database
    this.#name = name
    this.#self = self
    this.segments = segments
    this.#isClaimed = isClaimed
  }

  /** Reads; `work` asks for nothing but the journal. */
  async read<T>(work: (journal: Journal<'readonly'>) => Promise<T>): Promise<T> {
    return work(this.#database.transaction(JOURNAL_STORES, 'readonly').objectStore('journal'))
  }

  /** Changes the journal in one transaction: it is as durable as asked when this resolves; when it rejects, nothing happened. */
  async write(durability: Strictness, work: (journal: Journal) => Promise<void>): Promise<void> {
    const transaction = this.#database.transaction(JOURNAL_STORES, 'readwrite', { durability })
    const undone = failureOf(transaction.done)
    try {
      const journal = transaction.objectStore('journal')
      const checked = this.#checkOwner(transaction.objectStore('owner'), journal)
      // What is asked for behind the check is undone by it, so its answer is not waited for.
      if (!this.#isClaimed) await checked
      await Promise.all([checked, work(journal)])
      transaction.commit()
      await transaction.done
      this.#isClaimed = true
    } catch (error) {
      abort(transaction)
      throw reasonOf(error, await undone)
    }
  }

  /** Throws unless this one is the owner, as `owner` tells in a transaction of its own. */
  async check(owner: Pick<Owner<IDBTransactionMode>, 'get'>): Promise<void> {
    if (((await owner.get(OWNER))?.epoch ?? 0) !== this.#self.epoch) throw this.#fenced()
  }

  close(): void {
    this.#database.close()
  }

  async #checkOwner(owner: Owner, journal: Journal): Promise<void> {
    const epoch = await epochIn(owner)
    if (this.#isClaimed) {
      if (epoch !== this.#self.epoch) throw this.#fenced()
      return
    }
    // If the owner before wrote on, what was read back since is not all.
    const isUnchanged = epoch === this.#self.epoch - 1 && isSame(await listSegments(journal), this.segments)
    if (!isUnchanged) throw this.#fenced()
    await owner.put(this.#self, OWNER)
  }

  #fenced(): AckboxError<'ERR_STORAGE_FAILED'> {
    const message = `database '${this.#name}': another tab owns it by now; nothing was written`
    return markFenced(new AckboxError('ERR_STORAGE_FAILED', message))
  }
}

/** The epoch of the owner; 0 before the first. */
async function epochIn(owner: Owner<IDBTransactionMode>): Promise<number> {
  return (await owner.get(OWNER))?.epoch ?? 0
}

/** Why a transaction was undone; nothing if it was not. Caught here, for nobody else may be waiting by then. */
async function failureOf(done: Promise<void>): Promise<unknown> {
  try {
    await done
    return undefined
  } catch (error) {
    return error
  }
}

/** A request that was undone with its transaction says no more than that; the transaction knows why. */
function reasonOf(error: unknown, failure: unknown): unknown {
  return (error as { name?: unknown } | null)?.name === 'AbortError' ? (failure ?? error) : error
}

function abort(transaction: { abort(): void }): void {
  try {
    transaction.abort()
  } catch {
    // It is over already.
  }
}

function isSame(one: readonly SegmentInfo[], other: readonly SegmentInfo[]): boolean {
  const text = (segments: readonly SegmentInfo[]): string => segments.map(({ segment, bytes }) => `${segment}:${bytes}`).join()
  return text(one) === text(other)
}
