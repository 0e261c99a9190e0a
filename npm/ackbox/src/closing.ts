/** What the closes of a box and of a worker share: an end that is known to all, and deadlines that can be brought forward. */
import { type Clock, MAX_TIMEOUT_MS, type TimerHandle } from './clock.js'
import type { CloseOptions } from './types.js'
import type { Range } from './validate.js'
import { checkNames, duration, MAX_MS, optionalSignal } from './validate.js'

const TIMEOUT: Range = { min: 0, max: MAX_MS }
const TIMEOUT_MS_DEFAULT = 25_000

/** A promise that tells the end, and never becomes an unhandled rejection. */
export class Ending {
  readonly promise: Promise<void>
  readonly #listeners = new Set<(error?: unknown) => void>()
  #resolve!: () => void
  #reject!: (error: unknown) => void
  #end: { readonly error?: unknown } | undefined

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.promise.catch(() => {})
  }

  resolve(): void {
    this.#resolve()
    this.#tell({})
  }

  reject(error: unknown): void {
    this.#reject(error)
    this.#tell({ error })
  }

  get isOver(): boolean {
    return this.#end !== undefined
  }

  /** Like the promise, for those who may not wait until then: returns what takes the listener away. */
  onEnd(listener: (error?: unknown) => void): () => void {
    if (this.#end === undefined) this.#listeners.add(listener)
    else listener(this.#end.error)
    return () => this.#listeners.delete(listener)
  }

  #tell(end: { readonly error?: unknown }): void {
    this.#end ??= end
    for (const listener of this.#listeners) listener(end.error)
    this.#listeners.clear()
  }
}

/** Throws if the options are wrong. */
export function checkCloseOptions(options: CloseOptions, where: string): void {
  checkNames(options, ['timeoutMs', 'signal'], where)
  const { timeoutMs, signal } = options
  if (timeoutMs !== undefined && timeoutMs !== Infinity) duration(timeoutMs, TIMEOUT, 'timeoutMs', where)
  optionalSignal(signal, where)
}

/** How long handlers may finish: until the earliest deadline of all calls of `close`. */
export class Deadlines {
  readonly #clock: Clock
  readonly #expire: () => void
  readonly #off: (() => void)[] = []
  #over = false

  constructor(clock: Clock, expire: () => void) {
    this.#clock = clock
    this.#expire = expire
  }

  /** Adds the deadline of one close, whose options were checked. */
  add({ timeoutMs = TIMEOUT_MS_DEFAULT, signal }: CloseOptions): void {
    if (this.#over) return
    if (timeoutMs === 0 || signal?.aborted === true) return this.#expire()
    if (signal !== undefined) {
      signal.addEventListener('abort', this.#expire)
      this.#off.push(() => signal.removeEventListener('abort', this.#expire))
    }
    if (timeoutMs !== Infinity) this.#wait(this.#clock.now() + timeoutMs)
  }

  /** What they limit is over: forgets them, and takes no more. */
  end(): void {
    this.#over = true
    for (const off of this.#off.splice(0)) off()
  }

  /** In pieces that a timer can hold. */
  #wait(until: number): void {
    let timer: TimerHandle
    const wait = (): void => {
      const left = until - this.#clock.now()
      if (left <= 0) this.#expire()
      else timer = this.#clock.setTimeout(wait, Math.min(left, MAX_TIMEOUT_MS))
    }
    wait()
    this.#off.push(() => this.#clock.clearTimeout(timer))
  }
}
