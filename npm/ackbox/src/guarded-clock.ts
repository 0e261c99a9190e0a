/** The clock of a user, of which the box survives nothing: what it throws or gives wrongly is told once, never lost. */
import { BUSY, type BusyClock, type BusyProbe, type Clock, type TimerHandle } from './clock.js'
import { messageOf } from './error-info.js'
import { AckboxError, describe } from './errors.js'

const NO_TIMER: TimerHandle = Object.freeze({ ref() {}, unref() {} })

/** Passes calls on. Until somebody is told of failures it throws them; then time stands still with the first one. */
export class GuardedClock implements Clock {
  readonly #clock: Clock
  #tell: ((error: AckboxError) => void) | undefined
  #last = 0
  #hasFailed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Those who are asked before time goes on, if the clock asks. */
  get [BUSY](): Set<BusyProbe> | undefined {
    return (this.#clock as Partial<BusyClock>)[BUSY]
  }

  /** From now on a failure is told, and no call throws. */
  guard(tell: (error: AckboxError) => void): void {
    this.#tell = tell
  }

  now(): number {
    return this.#attempt('now', this.#last, () => {
      const now: unknown = this.#clock.now()
      if (typeof now === 'number' && Number.isFinite(now) && now >= 0) return (this.#last = now)
      throw new TypeError(`expected milliseconds since 1970, got ${describe(now)}`)
    })
  }

  setTimeout(fn: () => void, ms: number): TimerHandle {
    return this.#attempt('setTimeout', NO_TIMER, () => {
      const handle: unknown = this.#clock.setTimeout(fn, ms)
      const { ref, unref } = (handle ?? {}) as Partial<TimerHandle>
      if (typeof ref === 'function' && typeof unref === 'function') return handle as TimerHandle
      throw new TypeError(`expected a handle with ref and unref, got ${describe(handle)}`)
    })
  }

  clearTimeout(handle: TimerHandle): void {
    if (handle !== NO_TIMER) this.#attempt('clearTimeout', undefined, () => this.#clock.clearTimeout(handle))
  }

  #attempt<T>(call: string, otherwise: T, perform: () => T): T {
    if (this.#hasFailed) return otherwise
    try {
      return perform()
    } catch (cause) {
      const error = new AckboxError('ERR_ENGINE', `clock.${call} failed: ${messageOf(cause)}`, { cause })
      if (this.#tell === undefined) throw error
      this.#hasFailed = true
      this.#tell(error)
      return otherwise
    }
  }
}
