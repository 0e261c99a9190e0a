/**
 * The reserve: the last part of the room is left to settlements and cleaning, which make room again. New messages are
 * refused while no more than that is free.
 */

import type { Clock } from '../clock.js'
import { defaultReport } from '../events.js'
import type { Room } from './storage.js'

/** The reserve is so much, or so large a part of the whole if that is less. */
const RESERVE_BYTES = 64 * 1024 * 1024
const RESERVE_PART = 0.05
/** Asking takes its time; between two answers the bytes appended are counted. */
const CHECK_EVERY_MS = 1000


/** Watches the room that is left. */
export class Reserve {
  readonly #ask: () => Promise<Room | undefined>
  readonly #clock: Pick<Clock, 'now'>
  readonly #complaint: string
  #room: Room | undefined
  #freeBytes = Number.POSITIVE_INFINITY
  #reserveBytes = 0
  #checkedAt = Number.NEGATIVE_INFINITY
  #checking: Promise<void> | undefined
  #hasComplained = false

  /** `ask` gives nothing where room has no end; `complaint` is said, once, when it fails. */
  constructor(ask: () => Promise<Room | undefined>, clock: Pick<Clock, 'now'>, complaint: string) {
    this.#ask = ask
    this.#clock = clock
    this.#complaint = complaint
  }

  /** True while no more than the reserve is free. While it is, asks again in the background, at most once a second. */
  get full(): boolean {
    if (this.#freeBytes > this.#reserveBytes) return false
    this.#checkIfDue()
    return this.#freeBytes <= this.#reserveBytes
  }

  /** What the last answer said. */
  get room(): Room | undefined {
    return this.#room
  }

  /** So many bytes were taken. */
  took(bytes: number): void {
    this.#freeBytes -= bytes
    this.#checkIfDue()
  }

  /** Asks now. What cannot tell has no reserve; the first time that is told by a warning. */
  async check(): Promise<void> {
    try {
      this.#checkedAt = this.#clock.now()
      const room = (this.#room = await this.#ask())
      if (room === undefined) return
      this.#freeBytes = room.freeBytes
      this.#reserveBytes = Math.min(RESERVE_BYTES, room.bytes * RESERVE_PART)
    } catch (cause) {
      this.#doWithout(cause)
    }
  }

  /** Resolves when no check is under way. */
  async settled(): Promise<void> {
    await this.#checking
  }

  #checkIfDue(): void {
    if (this.#checking !== undefined || !this.#isDue()) return
    this.#checking = this.check().finally(() => {
      this.#checking = undefined
    })
  }

  #isDue(): boolean {
    try {
      return this.#clock.now() - this.#checkedAt >= CHECK_EVERY_MS
    } catch (cause) {
      this.#doWithout(cause)
      return false
    }
  }

  /** Nothing tells how much is left: refusing what may well find room would be worse than no reserve. */
  #doWithout(cause: unknown): void {
    this.#room = undefined
    this.#freeBytes = Number.POSITIVE_INFINITY
    if (this.#hasComplained) return
    this.#hasComplained = true
    defaultReport(this.#complaint, cause)
  }
}
