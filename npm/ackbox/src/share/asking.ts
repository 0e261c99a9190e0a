/**
 * Whether the tab that drives is awake. Whoever has work asks, and asks again a while after each answer: timers of tabs that
 * nobody looks at are late, so it is not the one that drives that says by itself that it is there. Who says nothing for a
 * second is silent, if it is still the same who has the lock.
 */
import { type Clock, eventLoopTurn, type TimerHandle } from '../clock.js'
import type { StorageOwner } from '../storage/storage.js'

export interface AskingHost {
  /** Whether there is anything to ask for. */
  readonly isConcerned: () => boolean
  readonly ask: () => void
  readonly owner: () => Promise<StorageOwner>
  /** The owner has said nothing. */
  readonly silent: (owner: StorageOwner) => void
}

/** No word of the driver for so long: it is frozen. */
const SILENCE_MS = 1_000
/** Who waits for an answer much longer was not there itself. */
const ASLEEP_MS = 3 * SILENCE_MS
/** Together with the silence less than the two seconds in which a box is handed over. */
const ASK_AGAIN_MS = 500

interface Question {
  readonly askedAt: number
  readonly owner: Promise<StorageOwner>
}

export class Asking {
  readonly #clock: Clock
  readonly #host: AskingHost
  /** Not answered yet. */
  #question: Question | undefined
  #timer: TimerHandle | undefined

  constructor(clock: Clock, host: AskingHost) {
    this.#clock = clock
    this.#host = host
  }

  /** Asks, unless that is under way. */
  begin(): void {
    if (this.#question !== undefined || !this.#host.isConcerned()) return
    const question = (this.#question = { askedAt: this.#clock.now(), owner: this.#owner() })
    this.#host.ask()
    this.#after(SILENCE_MS, () => void this.#lookForAnswer(question))
  }

  /** A word of the driver: it is there. */
  heard(): void {
    if (this.#question === undefined) return
    this.#question = undefined
    this.#after(ASK_AGAIN_MS, () => this.begin())
  }

  /** Asks no more, until it begins again. */
  end(): void {
    this.#question = undefined
    this.#clearTimer()
  }

  async #lookForAnswer(question: Question): Promise<void> {
    // What was sent may wait behind the timer.
    await eventLoopTurn()
    if (this.#question !== question) return
    const [before, owner] = await Promise.all([question.owner, this.#owner()])
    if (this.#question !== question) return
    this.#question = undefined
    const wasAsleep = this.#clock.now() - question.askedAt > ASLEEP_MS
    // Who has got the lock since was not asked for a second.
    if (wasAsleep || owner.client !== before.client) this.begin()
    else this.#host.silent(owner)
  }

  async #owner(): Promise<StorageOwner> {
    try {
      return await this.#host.owner()
    } catch {
      // Of a page that is going away.
      return { client: undefined, isExclusive: false }
    }
  }

  #after(ms: number, then: () => void): void {
    this.#clearTimer()
    this.#timer = this.#clock.setTimeout(then, ms)
    this.#timer.unref()
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
