/**
 * Room that is kept for settlements. No browser tells how much there is (Chromium reports a quota of its own invention), so a
 * part is taken in advance: bytes without a meaning, which are given up when nothing else finds room. From the first append
 * that finds none, new messages are refused until the ballast could be taken again; by then what was worked off has been
 * removed.
 */

import { platform } from '../../clock.js'
import { BALLAST, type Database } from './database.js'
import type { OwnedJournal } from './owned-journal.js'
import { isQuotaError } from './room.js'

/** Thousands of settlements, and what cleaning writes meanwhile. */
const BYTES = 512 << 10
/** A page asks whether there is room before each message; the browser is asked at most so often. */
const TRY_EVERY_MS = 1000
/** What `getRandomValues` gives at once. */
const RANDOM_BYTES_MAX = 65_536

export class Ballast {
  readonly #database: Database
  /** Tells who owns both. */
  readonly #journal: OwnedJournal
  #isHeld = false
  #isShort = false
  #trying: Promise<void> | undefined
  #triedAt = Number.NEGATIVE_INFINITY

  constructor(database: Database, journal: OwnedJournal) {
    this.#database = database
    this.#journal = journal
  }

  /** Whether new messages are refused: there was no room, and there has been none for the ballast since. */
  get isShort(): boolean {
    if (this.#isShort && platform.monotonicNow() - this.#triedAt >= TRY_EVERY_MS) void this.take()
    return this.#isShort
  }

  /** Takes the ballast, unless it is there; without room for it, the journal is short from now on. Never rejects. */
  take(): Promise<void> {
    this.#triedAt = platform.monotonicNow()
    return (this.#trying ??= this.#take().finally(() => {
      this.#trying = undefined
    }))
  }

  /** An append of so many bytes found no room. True if it should be tried again: the ballast was given up for it. */
  async makeRoom(bytes: number): Promise<boolean> {
    const wasShort = this.#isShort
    this.#isShort = true
    this.#triedAt = platform.monotonicNow()
    // The first time it may be new messages that are refused; from then on there are none.
    if (!wasShort || !this.#isHeld || bytes >= BYTES) return false
    const transaction = this.#database.transaction(['owner', 'reserve'], 'readwrite', { durability: 'relaxed' })
    transaction.done.catch(() => {})
    // There is no room for a fence.
    await this.#journal.check(transaction.objectStore('owner'))
    await Promise.all([transaction.objectStore('reserve').delete(BALLAST), transaction.done])
    this.#isHeld = false
    return true
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#trying
  }

  async #take(): Promise<void> {
    try {
      if ((await this.#database.count('reserve', BALLAST)) === 0) await this.#put()
      this.#isHeld = true
      this.#isShort = false
    } catch (error) {
      // Anything else, the next append will meet as well, and report.
      this.#isShort ||= isQuotaError(error)
    }
  }

  async #put(): Promise<void> {
    const transaction = this.#database.transaction(['owner', 'reserve'], 'readwrite', { durability: 'relaxed' })
    const done = transaction.done.then(
      () => undefined,
      (error: unknown) => error ?? new Error('the transaction was aborted'),
    )
    const asked = [this.#journal.pass(transaction.objectStore('owner')), transaction.objectStore('reserve').put(noise(), BALLAST)]
    transaction.commit()
    await Promise.all(asked)
    const undone = await done
    if (undone !== undefined) throw undone
  }
}

/** Bytes that no compression makes fewer. */
function noise(): Uint8Array {
  const bytes = new Uint8Array(BYTES)
  for (let at = 0; at < BYTES; at += RANDOM_BYTES_MAX) crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES_MAX))
  return bytes
}
