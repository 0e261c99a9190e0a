/**
 * The journal as its owner writes it. Every transaction does nothing if the owner is somebody else by now: a tab that was
 * frozen, or lost its lock while it slept, changes nothing when it wakes up.
 */

import { AckboxError } from '../../errors.js'
import { markFenced, type SegmentInfo } from '../storage.js'
import { listSegments } from './chunks.js'
import { type Database, type Journal, JOURNAL_STORES, OWNER, type Owner, type OwnerRow } from './database.js'
import { passFence, raiseFence } from './fence.js'
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
    await Promise.all([owner.put(self, OWNER), raiseFence(owner, self)])
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
    const transaction = this.#database.transaction(JOURNAL_STORES, 'readonly')
    const checked = this.check(transaction.objectStore('owner'))
    const working = work(transaction.objectStore('journal'))
    // What is missing because somebody else removed it is said by the check.
    working.catch(() => {})
    await checked
    return working
  }

  /** Counts up with each owner. */
  get epoch(): number {
    return this.#self.epoch
  }

  /**
   * Changes the journal in one transaction: it is as durable as asked when this resolves; when it rejects, nothing happened.
   * `ask` asks for all of it at once.
   */
  async write(durability: Strictness, ask: (journal: Journal) => Promise<unknown>): Promise<void> {
    if (!this.#isClaimed) return this.rewrite(durability, ask)
    await this.#transact(durability, async (journal, owner, commit) => {
      const asked = [this.pass(owner), ask(journal)]
      commit()
      await Promise.all(asked)
    })
  }

  /** The same for what reads before it writes. */
  async rewrite(durability: Strictness, work: (journal: Journal) => Promise<unknown>): Promise<void> {
    await this.#transact(durability, async (journal, owner, commit) => {
      const checked = this.#isClaimed ? this.pass(owner) : this.#claim(owner, journal)
      // What is asked for behind the fence is undone with it; a claim looks at what there is.
      if (!this.#isClaimed) await checked
      await Promise.all([checked, work(journal)])
      commit()
    })
    this.#isClaimed = true
  }

  /** The same for what only removes: it makes room, and so may not need any. */
  async discard(durability: Strictness, ask: (journal: Journal) => Promise<unknown>): Promise<void> {
    try {
      await this.write(durability, ask)
    } catch (error) {
      if (!isQuotaError(error)) throw error
      await this.#transact(durability, async (journal, owner, commit) => {
        await this.check(owner)
        await ask(journal)
        commit()
      })
    }
  }

  /** Undoes a transaction unless this one is the owner. */
  async pass(owner: Pick<Owner, 'add' | 'delete'>): Promise<void> {
    await passFence(owner, this.#self, () => this.#fenced())
  }

  /** Throws unless this one is the owner, or may still become it, as `owner` tells in a transaction of its own. */
  async check(owner: Pick<Owner<IDBTransactionMode>, 'get'>): Promise<void> {
    const expected = this.#isClaimed ? this.#self.epoch : this.#self.epoch - 1
    if (((await owner.get(OWNER))?.epoch ?? 0) !== expected) throw this.#fenced()
  }

  close(): void {
    this.#database.close()
  }

  async #transact(
    durability: Strictness,
    work: (journal: Journal, owner: Owner<'readwrite'>, commit: () => void) => Promise<void>,
  ): Promise<void> {
    const transaction = this.#database.transaction(JOURNAL_STORES, 'readwrite', { durability })
    const undone = failureOf(transaction.done)
    try {
      await work(transaction.objectStore('journal'), transaction.objectStore('owner'), () => transaction.commit())
      await transaction.done
    } catch (error) {
      abort(transaction)
      throw reasonOf(error, await undone)
    }
  }

  /** Becomes the owner, if everything is as it was found: if the owner before wrote on, what was read back is not all. */
  async #claim(owner: Owner<'readwrite'>, journal: Journal): Promise<void> {
    const isUnchanged = (await epochIn(owner)) === this.#self.epoch - 1 && isSame(await listSegments(journal), this.segments)
    if (!isUnchanged) throw this.#fenced()
    await Promise.all([owner.put(this.#self, OWNER), raiseFence(owner, this.#self)])
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
