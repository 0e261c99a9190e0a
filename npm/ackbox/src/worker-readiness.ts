/**
 * Whether a worker may start handlers now, as its options say.
 *
 * `ready` is asked before handlers start, so that nothing is asked of a worker that has nothing to do; while it thinks,
 * all that want to start wait for the same answer. While the answer is no, the worker claims nothing, and is asked again
 * every second. A platform that tells when it goes on and off line is believed at once, and not asked in between. A page
 * that is seen again asks at once, for timers of hidden pages are late. Going on is nothing but claiming again: backoff and
 * circuits hold back what they held back before.
 */
import type { Clock, TimerHandle } from './clock.js'
import { isOffline, tellsOnline } from './network.js'
import { isThenable } from './validate.js'

/** Options of a worker about when it pauses. */
export interface ReadinessOptions {
  /**
   * Asked before a handler starts; `false` pauses claiming, at no cost, and it is asked again every second until it gives
   * `true`. Calls never overlap. One that fails counts as `false`, and is told of by `warning`. Default: none.
   */
  readonly ready?: (() => boolean | Promise<boolean>) | undefined
  /**
   * `'online'`: claiming pauses while the platform says that it is offline (`navigator.onLine`), and goes on with its event
   * `online`; one without such events is asked every second. Default: `'online'` where the platform says whether it is
   * online, in pages and workers of browsers, else `'always'`.
   */
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
  /** The platform's, if it tells. */
  readonly #network: NetworkEvents | undefined
  readonly #page = page()
  #isHeld = false
  #isOver = false
  #timer: TimerHandle | undefined
  /** An answer that is awaited. */
  #asking: Promise<boolean> | undefined

  constructor(options: ReadinessOptions, host: Host) {
    this.#options = options
    this.#host = host
    this.#network = options.networkMode === 'online' ? networkEvents() : undefined
    this.#network?.addEventListener('online', this.#wentOnline)
    this.#network?.addEventListener('offline', this.#wentOffline)
    this.#page?.addEventListener('visibilitychange', this.#wasSeen)
  }

  /** Whether claiming is paused. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  /** Whether a handler may start; if not, claiming pauses. */
  ask(): boolean | Promise<boolean> {
    if (this.#asking !== undefined) return this.#asking
    const answer = this.#look()
    if (typeof answer === 'boolean') return this.#answered(answer)
    return (this.#asking = answer.then((may) => {
      this.#asking = undefined
      return this.#answered(may)
    }))
  }

  /** Nothing is asked any more. */
  end(): void {
    this.#isOver = true
    this.#clear()
    this.#network?.removeEventListener('online', this.#wentOnline)
    this.#network?.removeEventListener('offline', this.#wentOffline)
    this.#page?.removeEventListener('visibilitychange', this.#wasSeen)
  }

  readonly #wentOnline = (): void => {
    if (this.#isHeld) this.#askAgain()
  }

  readonly #wasSeen = (): void => {
    if (this.#isHeld && this.#page?.visibilityState === 'visible') this.#askAgain()
  }

  readonly #wentOffline = (): void => {
    this.#answered(false)
  }

  #answered(may: boolean): boolean {
    if (this.#isOver) return may
    this.#clear()
    if (may === this.#isHeld) {
      this.#isHeld = !may
      this.#host.changed(this.#isHeld)
    }
    if (this.#isHeld && !this.#isToldLater) this.#timer = this.#host.clock.setTimeout(this.#askAgain, ASK_AGAIN_MS)
    return may
  }

  readonly #askAgain = (): void => {
    void this.ask()
  }

  /** The platform will tell when it is worth asking. */
  get #isToldLater(): boolean {
    return this.#network !== undefined && isOffline()
  }

  #clear(): void {
    if (this.#timer !== undefined) this.#host.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #look(): boolean | Promise<boolean> {
    if (this.#options.networkMode === 'online' && isOffline()) return false
    try {
      const answer = this.#options.ready?.() ?? true
      if (!isThenable(answer)) return Boolean(answer)
      return Promise.resolve(answer).then(
        (may) => Boolean(may),
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

/** Those of a platform that tells when it goes on and off line. */
type NetworkEvents = Pick<EventTarget, 'addEventListener' | 'removeEventListener'>

function networkEvents(): NetworkEvents | undefined {
  const { addEventListener, removeEventListener } = globalThis as Partial<Window & typeof globalThis>
  if (!tellsOnline() || typeof addEventListener !== 'function' || typeof removeEventListener !== 'function') return undefined
  return {
    addEventListener: addEventListener.bind(globalThis),
    removeEventListener: removeEventListener.bind(globalThis),
  }
}

/** Of a page, which may be hidden. */
type Page = Pick<Document, 'addEventListener' | 'removeEventListener' | 'visibilityState'>

function page(): Page | undefined {
  const { document } = globalThis as { document?: Partial<Page> }
  return typeof document?.visibilityState === 'string' ? (document as Page) : undefined
}

/** The mode where none is named. */
export function defaultNetworkMode(): 'online' | 'always' {
  return tellsOnline() ? 'online' : 'always'
}
