/**
 * What the end of a delivery says of what its handler called: told to the breaker of the user that gave leave, and to the
 * engine where its circuits would take it otherwise. The first end that is told counts.
 */
import type { Leave } from './breaker-gate.js'
import type { Driver } from './driver.js'

/** Whether an error is a failure of what was called. */
export type FailureJudge = (error: unknown) => boolean

/** Who wants to know. */
export interface EndListeners {
  readonly leave: Leave | undefined
  /** `undefined`: every error is a failure. */
  readonly isFailure: FailureJudge | undefined
  /** It failed in a way that counts. */
  readonly failed: ((error: unknown) => void) | undefined
}

export class EndReport {
  readonly #driver: Driver
  readonly #token: number
  readonly #leave: Leave | undefined
  readonly #listeners: EndListeners
  #isTold = false

  constructor(driver: Driver, token: number, listeners: EndListeners) {
    this.#driver = driver
    this.#token = token
    this.#leave = listeners.leave
    this.#listeners = listeners
  }

  acknowledged(): void {
    this.#tell(() => this.#leave?.succeeded())
  }

  /** It failed, and its message is tried again. */
  rejected(error: unknown): void {
    this.#tell(() => {
      const counts = this.#leave?.failed(error, false) === true
      const blameless = this.#listeners.isFailure?.(error) === false
      if (!blameless) this.#listeners.failed?.(error)
      this.#excuse(blameless, counts)
    })
  }

  /**
   * Somebody said that its message is to be tried again at no cost and not before `until`, if a time was named, and
   * whether that is a failure.
   */
  putOff(error: unknown, until: number | undefined, countsAsFailure: boolean): void {
    this.#tell(() => {
      if (until !== undefined) this.#leave?.heldUntil(until, countsAsFailure, error)
      else if (countsAsFailure) this.#leave?.failed(error, true)
      else this.#leave?.cancelled()
      if (!countsAsFailure) return
      this.#listeners.failed?.(error)
      this.#excuse(false, true)
    })
  }

  /** It took too long. */
  timedOut(error: unknown): void {
    this.#tell(() => {
      this.#leave?.timedOut()
      this.#listeners.failed?.(error)
      this.#excuse(false, true)
    })
  }

  /** Its message is dead: that is its own fault. */
  buried(): void {
    this.#tell(() => this.#leave?.ignored())
  }

  /** It was given up, or ended before anybody was asked. */
  cancelled(): void {
    this.#tell(() => this.#leave?.cancelled())
  }

  #tell(tell: () => void): void {
    if (this.#isTold) return
    this.#isTold = true
    tell()
  }

  /** A probe that failed costs no attempt. */
  #excuse(blameless: boolean, isFailure: boolean): void {
    const free = isFailure && this.#leave?.isProbe === true
    const token = this.#token
    if (blameless || free) this.#driver.post((input) => input.excused({ token, blameless, free, unasked: false }))
  }
}
