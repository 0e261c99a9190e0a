/**
 * Whether a worker may start handlers now, as its options say: asked before each start, so that nothing is asked of a
 * worker that has nothing to do. While the answer is no, the worker claims nothing, and is asked again every second.
 */
import type { Clock, TimerHandle } from './clock.js'
import { isThenable } from './validate.js'

/** Options of a worker about when it pauses. */
export interface ReadinessOptions {
  /** Asked before a handler starts; `false` pauses claiming until it gives `true` again. One that fails counts as `false`. */
  readonly ready?: (() => boolean | Promise<boolean>) | undefined
  /** `'online'`: claiming pauses while the platform says that it is offline. Default: `'online'` in browsers, else `'always'`. */
  readonly networkMode?: 'online' | 'always' | undefined
}

/** How long a worker that may not start waits before it asks again. */
const ASK_AGAIN_MS = 1_000

interface Host {
  readonly clock: Clock
  /** Claiming is to pause, or to go on. */
  changed(isHeld: boolean): void
  failed(cause: unknown): void
}

export class Readiness {
  readonly #options: ReadinessOptions
  readonly #host: Host
  #timer: TimerHandle | undefined
  #isOver = false

  constructor(options: ReadinessOptions, host: Host) {
    this.#options = options
    this.#host = host
  }

  /** Whether claiming is paused. */
  get isHeld(): boolean {
    return this.#timer !== undefined
  }

  /** Whether a handler may start; if not, claiming pauses. */
  ask(): boolean | Promise<boolean> {
    const answer = this.#look()
    if (typeof answer !== 'boolean') return answer.then((may) => this.#answered(may))
    return this.#answered(answer)
  }

  /** Nothing is asked any more. */
  end(): void {
    this.#isOver = true
    this.#clear()
  }

  #answered(may: boolean): boolean {
    if (!may && !this.#isOver && this.#timer === undefined) {
      this.#wait()
      this.#host.changed(true)
    }
    return may
  }

  #wait(): void {
    this.#timer = this.#host.clock.setTimeout(() => {
      const answer = this.#look()
      if (typeof answer === 'boolean') this.#askedAgain(answer)
      else void answer.then((may) => this.#askedAgain(may))
    }, ASK_AGAIN_MS)
  }

  #askedAgain(may: boolean): void {
    if (this.#isOver) return
    this.#clear()
    if (may) this.#host.changed(false)
    else this.#wait()
  }

  #clear(): void {
    if (this.#timer !== undefined) this.#host.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #look(): boolean | Promise<boolean> {
    if (this.#options.networkMode === 'online' && isOffline()) return false
    try {
      const answer = this.#options.ready?.() ?? true
      if (!isThenable(answer)) return answer
      return Promise.resolve(answer).then(
        (may) => may,
        (cause: unknown) => this.#failed(cause),
      )
    } catch (cause) {
      return this.#failed(cause)
    }
  }

  #failed(cause: unknown): false {
    this.#host.failed(cause)
    return false
  }
}

/** Where the platform can tell; Node cannot. */
function isOffline(): boolean {
  return (globalThis as { navigator?: { onLine?: boolean } }).navigator?.onLine === false
}

/** The mode where none is named. */
export function defaultNetworkMode(): 'online' | 'always' {
  return typeof (globalThis as { window?: unknown }).window === 'object' ? 'online' : 'always'
}
