/**
 * Room that is kept for settlements. No browser tells how much there is (Chromium reports a quota of its own invention), so a
 * part is taken in advance: bytes without a meaning, which are given up when nothing else finds room. From the first append
 * that finds none, new messages are refused until the ballast could be taken again; by then what was worked off has been
 * removed.
 */

import { platform } from '../../clock.js'
import { BALLAST, type Database } from './database.js'
import { isQuotaError } from './room.js'

/** Thousands of settlements, and what cleaning writes meanwhile. */
const BYTES = 512 << 10
/** A page asks whether there is room before each message; the browser is asked at most so often. */
const TRY_EVERY_MS = 1000
/** What `getRandomValues` gives at once. */
const RANDOM_BYTES_MAX = 65_536

export class Ballast {
  readonly #database: Database
  #isHeld = false
  #isShort = false
  #trying: Promise<void> | undefined
  #triedAt = Number.NEGATIVE_INFINITY

  constructor(database: Database) {
    this.#database = database
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
    this.#isHeld = false
    await this.#database.delete('reserve', BALLAST)
    return true
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#trying
  }

  async #take(): Promise<void> {
    try {
      const transaction = this.#database.transaction('reserve', 'readwrite', { durability: 'relaxed' })
      transaction.done.catch(() => {})
      if ((await transaction.store.count(BALLAST)) === 0) await transaction.store.put(noise(), BALLAST)
      await transaction.done
      this.#isHeld = true
      this.#isShort = false
    } catch (error) {
      // Anything else, the next append will meet as well, and report.
      this.#isShort ||= isQuotaError(error)
    }
  }
}

/** Bytes that no compression makes fewer. */
function noise(): Uint8Array {
  const bytes = new Uint8Array(BYTES)
  for (let at = 0; at < BYTES; at += RANDOM_BYTES_MAX) crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES_MAX))
  return bytes
}
