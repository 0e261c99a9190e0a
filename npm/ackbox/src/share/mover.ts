/**
 * Moves what tabs left in the inbox into the journal, in the order of its keys, many in one append. Each record of a move
 * is in one frame with its messages, so nothing is moved twice; rows are removed once that is durable.
 *
 * A refusal holds up what is behind it until whoever left the row was told and took it back. One who is gone, or was told
 * `stored`, cannot be refused any more: the row becomes a dead letter. Where there is no room, nothing is moved: what is left
 * of it is for settlements. Whoever left something then is refused; who cannot be, waits.
 *
 * What was refused once is claimed before it is tried again, for who left it may still be taking it back. What this version
 * cannot read is never deleted: a row of a newer version ends this driver, a damaged one is set aside.
 */
import type { Clock, TimerHandle } from '../clock.js'
import type { Driver } from '../driver.js'
import type { Failure } from '../engine/engine.js'
import { AckboxError } from '../errors.js'
import { isCleanFailure, type OwnedInbox } from '../storage/storage.js'
import { RowMoves } from './move-rows.js'
import type { ReceiptOf } from './protocol.js'
import { bytesOf, isNewerRow, isRow, type Row } from './row.js'

/** What the mover needs of the tab that drives. */
export interface MoverHost {
  /** Whether there is no room for new messages. */
  isFull(): boolean
  moved(tab: string, key: number, receipts: readonly ReceiptOf[]): void
  refused(tab: string, key: number, failure: Failure): void
  warned(message: string): void
  failed(error: unknown): void
}

/** How long a tab has to say whether it took back what was refused. */
const ANSWER_MS = 1_000
/** What has no room is tried again then. */
const RETRY_MS = 1_000
/** Of bodies, in one go: less than the engine takes in front of one append. */
const BYTES_AT_ONCE = 8 << 20
/** These end the box, or this tab's driving of it. */
const FINAL: readonly string[] = ['ERR_STORAGE_FAILED', 'ERR_ENGINE', 'ERR_CLOSED']
const NO_ROOM: Failure = { code: 'ERR_STORAGE_FULL', message: 'the space that is left is kept for settlements' }

/** What the inbox has under one key. */
interface Kept {
  readonly key: number
  readonly row: unknown
}

/** The same, read. */
interface Read {
  readonly key: number
  readonly row: Row
}

export class Mover {
  readonly #clock: Clock
  readonly #inbox: OwnedInbox
  readonly #host: MoverHost
  readonly #moves: RowMoves
  /** Those who did not answer when they were asked, until they are heard again. */
  readonly #silent = new Set<string>()
  readonly #asked = new Map<number, (takenBack: boolean) => void>()
  /** Keys of what was refused, and is there still. */
  readonly #refused = new Set<number>()
  #moved: number
  /** New keys of this inbox are behind those that were moved. */
  #isBegun = false
  /** All that was there when the box was opened is moved. */
  #isClear = false
  /** Something was left since the last look. */
  #isDue = true
  #running: Promise<void> | undefined
  #ended = false
  /** What waits for a time. */
  readonly #pauses = new Map<TimerHandle, () => void>()

  constructor(driver: Driver, inbox: OwnedInbox, moved: number, host: MoverHost) {
    this.#clock = driver.clock
    this.#moves = new RowMoves(driver)
    this.#inbox = inbox
    this.#moved = moved
    this.#host = host
  }

  /** Before anything is accepted: what an owner before has moved goes, and it is seen whether there is more. */
  async begin(): Promise<void> {
    if (await this.#hasBegun()) this.#isClear = (await this.#inbox.rows(this.#moved)).length === 0
  }

  /** Something was left, or may have been. */
  look(): void {
    this.#isDue = true
    if (this.#running !== undefined || this.#ended) return
    this.#running = this.#run()
      .catch((error: unknown) => {
        if (!this.#ended) this.#host.failed(error)
      })
      .finally(() => {
        this.#running = undefined
        if (this.#isDue && !this.#ended) this.look()
      })
  }

  /** Whether all is moved that was there when the box was opened, and up to this key. */
  hasMoved(key: number): boolean {
    return this.#isClear && key <= this.#moved
  }

  /** A tab says what became of what was refused. */
  answered(tab: string, key: number, takenBack: boolean): void {
    this.#silent.delete(tab)
    this.#asked.get(key)?.(takenBack)
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#running
  }

  end(): void {
    this.#ended = true
    for (const [timer, goOn] of this.#pauses) {
      this.#clock.clearTimeout(timer)
      goOn()
    }
    this.#pauses.clear()
  }

  async #run(): Promise<void> {
    while (!this.#ended) {
      this.#isDue = false
      const isFull = this.#host.isFull() || !(await this.#hasBegun())
      const kept = this.#ended ? [] : await this.#inbox.rows(this.#moved)
      if (this.#ended) return
      if (isFull) await this.#waitForRoom(kept)
      else if (kept.length > 0) await this.#roomy(() => this.#move(kept))
      else {
        this.#isClear = true
        if (!this.#isDue) return
      }
    }
  }

  /** Makes sure that the keys of this inbox are behind those that were moved; false if there is no room for that. */
  async #hasBegun(): Promise<boolean> {
    try {
      if (!this.#isBegun && this.#moved > 0) await this.#inbox.begin(this.#moved)
      return (this.#isBegun = true)
    } catch (error) {
      if (isCleanFailure(error)) return false
      throw error
    }
  }

  /** Does what may find no room, and then waits a while. */
  async #roomy(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!isCleanFailure(error)) throw error
      await this.#pause(RETRY_MS)
    }
  }

  async #waitForRoom(kept: readonly Kept[]): Promise<void> {
    const asked = kept.map(async ({ key, row }) => {
      if (this.#refused.has(key) || !isRow(row)) return
      this.#refused.add(key)
      await this.#wasTakenBack(row.tab, key, NO_ROOM)
    })
    await Promise.all(asked)
    await this.#pause(RETRY_MS)
  }

  /** Moves the first of these, as many as go in at once. */
  async #move(kept: readonly Kept[]): Promise<void> {
    const [first] = kept
    if (isNewerRow(first!.row)) throw newerRow()
    if (!isRow(first!.row)) return this.#setAside(first!.key, 'no version of ackbox left')
    const rows = await this.#toMove(kept)
    // They are looked at one behind the other: a refusal makes the engine refuse what is behind it.
    let after = this.#moved
    const verdicts = rows.map(({ key, row }) => {
      const verdict = this.#moves.move(after, key, row)
      after = key
      return verdict
    })
    const before = this.#moved
    let refused: { readonly at: Read; readonly failure: Failure } | undefined
    for (const [index, at] of rows.entries()) {
      const verdict = await verdicts[index]!
      if (refused !== undefined) continue
      if ('failure' in verdict) refused = { at, failure: verdict.failure }
      else this.#over(at, verdict.receipts)
    }
    if (this.#moved > before) await this.#inbox.remove(this.#moved)
    if (refused !== undefined) await this.#refuse(refused.at, refused.failure)
  }

  /** Those that may be moved together. */
  async #toMove(kept: readonly Kept[]): Promise<Read[]> {
    const rows: Read[] = []
    let bytes = 0
    for (const { key, row } of kept) {
      if (!isRow(row)) break
      bytes += bytesOf(row)
      if (rows.length > 0 && bytes > BYTES_AT_ONCE) break
      // Who left it may be taking it back.
      if (!this.#refused.has(key) || (await this.#inbox.claim(key))) rows.push({ key, row })
      else this.#refused.delete(key)
    }
    return rows
  }

  #over({ key, row }: Read, receipts: readonly ReceiptOf[]): void {
    this.#moved = key
    this.#refused.delete(key)
    this.#host.moved(row.tab, key, receipts)
  }

  /** Whoever left it is told, or it becomes a dead letter. */
  async #refuse(at: Read, failure: Failure): Promise<void> {
    if (this.#ended) return
    checkGoesOn(failure)
    const { key, row } = at
    this.#refused.add(key)
    if (await this.#wasTakenBack(row.tab, key, failure)) return
    if (this.#ended) return
    if (failure.code === NO_ROOM.code) return this.#pause(RETRY_MS)
    if (await this.#inbox.claim(key)) await this.#bury(at, failure)
    else this.#refused.delete(key)
  }

  async #bury(at: Read, failure: Failure): Promise<void> {
    const verdict = await this.#moves.bury(this.#moved, at.key, at.row, failure)
    if ('receipts' in verdict) {
      this.#over(at, verdict.receipts)
      return this.#inbox.remove(at.key)
    }
    if (this.#ended) return
    checkGoesOn(verdict.failure)
    if (verdict.failure.code === NO_ROOM.code) await this.#pause(RETRY_MS)
    else await this.#setAside(at.key, `cannot even be a dead letter (${verdict.failure.message})`)
  }

  /** Out of the way, but not lost. */
  async #setAside(key: number, why: string): Promise<void> {
    await this.#inbox.setAside(key)
    this.#refused.delete(key)
    this.#host.warned(`the inbox holds something under key ${key} that ${why}; it is set aside, and kept in the database under key ${-key}`)
  }

  async #wasTakenBack(tab: string, key: number, failure: Failure): Promise<boolean> {
    if (this.#silent.has(tab)) return false
    const answer = new Promise<boolean>((resolve) => this.#asked.set(key, resolve))
    this.#host.refused(tab, key, failure)
    const silence = this.#pause(ANSWER_MS).then(() => undefined)
    const takenBack = await Promise.race([answer, silence])
    this.#asked.delete(key)
    if (takenBack === undefined) this.#silent.add(tab)
    if (takenBack === true) this.#refused.delete(key)
    return takenBack === true
  }

  /** Resolves then, or when nothing is moved any more. */
  #pause(ms: number): Promise<void> {
    if (this.#ended) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => {
        this.#pauses.delete(timer)
        resolve()
      }, ms)
      timer.unref()
      this.#pauses.set(timer, resolve)
    })
  }
}

/** Throws if a refusal is about the whole box. */
function checkGoesOn({ code, message }: Failure): void {
  if (FINAL.includes(code)) throw new AckboxError(code as 'ERR_STORAGE_FAILED', message)
}

function newerRow(): AckboxError<'ERR_NEWER_FORMAT'> {
  const message = 'a newer version of ackbox left messages for this box; load this page again to get that version'
  return new AckboxError('ERR_NEWER_FORMAT', message)
}
