/**
 * Handlers that were told to stop and have not returned, of all boxes of this process. While a box is open its engine
 * keeps their messages back; a box that is opened again knows nothing of them, and asks here.
 *
 * A handler is known from when it was told to stop until it returned, or a lease has passed since.
 */
import { type Clock, MAX_TIMEOUT_MS } from './clock.js'

/** A handler that runs on. */
export interface Outliving {
  readonly returned: Promise<void>
  /** How long its message waits for it at most, from now. */
  leftMs(): number
}

/** By the runs that they are, in about the order in which their leases pass. */
const handlers = new Map<string, Outliving>()

/** Notes that the handler of a run was told to stop just now; what it gives is to be called when the handler returned. */
export function outlive(run: string, clock: Clock, leaseMs: number): () => void {
  forgetPassed()
  const until = clock.now() + leaseMs
  let end!: () => void
  const returned = new Promise<void>((resolve) => (end = resolve))
  const handler: Outliving = { returned, leftMs: () => until - clock.now() }
  handlers.set(run, handler)
  return () => {
    if (handlers.get(run) === handler) handlers.delete(run)
    end()
  }
}

/** The handler of an earlier delivery of the same message, if it is still to be waited for. */
export function outliving(run: () => string): Outliving | undefined {
  if (handlers.size === 0) return undefined
  const handler = handlers.get(run())
  return handler !== undefined && handler.leftMs() > 0 ? handler : undefined
}

/** Starts that wait until the handler of an earlier delivery of their message is to be waited for no longer. */
export class DelayedStarts {
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `start` once, which looks again whether there is something to wait for. */
  add(handler: Outliving, start: () => void): void {
    const once = (): void => {
      if (!this.#waiting.delete(once)) return
      this.#clock.clearTimeout(timer)
      start()
    }
    const timer = this.#clock.setTimeout(once, Math.min(handler.leftMs(), MAX_TIMEOUT_MS))
    this.#waiting.add(once)
    void handler.returned.then(once)
  }

  /** Nothing starts any more, which those who wait are to see at once. */
  flush(): void {
    for (const start of [...this.#waiting]) start()
  }
}

/** Handlers that never return must not be kept for ever. */
function forgetPassed(): void {
  for (const [run, handler] of handlers) {
    if (handler.leftMs() > 0) return
    handlers.delete(run)
  }
}
