/**
 * Time as the package sees it: one `Clock`, injected. Nothing else in the package reads a clock or sets a timer.
 */
/** A timer that was set. */
export interface TimerHandle {
  /** The timer keeps the process alive (the default). */
  ref(): unknown
  /** The timer does not keep the process alive. Without effect where nothing can. */
  unref(): unknown
}

/** Source of time and timers. */
export interface Clock {
  /** Milliseconds since 1970, whole; never less than what it returned before. */
  now(): number
  /** Calls `fn` once, `ms` milliseconds from now, or after `MAX_TIMEOUT_MS` if that is less. */
  setTimeout(fn: () => void, ms: number): TimerHandle
  /** Forgets a timer; without effect once it fired. */
  clearTimeout(handle: TimerHandle): void
}

/** The longest delay the timers of JavaScript can hold; who waits longer sets the timer again. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1

/**
 * Time and timers of the platform as they were when the package was loaded. Fake timers of test runners are installed
 * later, and stand still until a test moves them: a box must not hang on them. Time that tests move is injected as a
 * `Clock`.
 *
 * @internal
 */
export const platform = Object.freeze({
  wallNow: Date.now.bind(Date),
  monotonicNow: performance.now.bind(performance),
  setTimeout: setTimeout.bind(globalThis),
  clearTimeout: clearTimeout.bind(globalThis),
  setInterval: setInterval.bind(globalThis),
  clearInterval: clearInterval.bind(globalThis),
  queueMicrotask: queueMicrotask.bind(globalThis),
  /** Of Node alone. */
  setImmediate: (globalThis as { setImmediate?: (fn: () => void) => unknown }).setImmediate?.bind(globalThis),
  MessageChannel: globalThis.MessageChannel,
})

/** One turn of the event loop: all promise jobs run, and input and output that is ready is taken. Keeps the process alive. */
export function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (platform.setImmediate !== undefined) {
      platform.setImmediate(resolve)
      return
    }
    const { port1, port2 } = new platform.MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
}

/** A wall clock this far ahead means that the machine slept; less is only drift between the two clocks. */
const SUSPEND_MS = 1000

/**
 * The real time: wall-clock milliseconds, counted by a monotonic clock from one reading of the wall clock, so that
 * a wall clock that is set back moves nothing. A monotonic clock may stand still while the machine sleeps: when the
 * wall clock is more than a second ahead, time jumps forward to it.
 */
export function systemClock(): Clock {
  const { wallNow, monotonicNow, setTimeout, clearTimeout } = platform
  let wallAnchor = wallNow()
  let monotonicAnchor = monotonicNow()

  function now(): number {
    const wall = wallNow()
    const monotonic = monotonicNow()
    const counted = wallAnchor + Math.floor(monotonic - monotonicAnchor)
    if (wall - counted <= SUSPEND_MS) return counted
    wallAnchor = wall
    monotonicAnchor = monotonic
    return wall
  }

  return {
    now,
    setTimeout: (fn, ms) => new SystemTimer(setTimeout(fn, Math.min(ms, MAX_TIMEOUT_MS))),
    clearTimeout: (handle) => {
      if (handle instanceof SystemTimer) clearTimeout(handle.id)
    },
  }
}

/** Node's timers are objects that can be unreferenced, those of browsers are numbers. */
class SystemTimer implements TimerHandle {
  readonly id: ReturnType<typeof globalThis.setTimeout>

  constructor(id: ReturnType<typeof globalThis.setTimeout>) {
    this.id = id
  }

  ref(): void {
    ;(this.id as { ref?(): unknown }).ref?.()
  }

  unref(): void {
    ;(this.id as { unref?(): unknown }).unref?.()
  }
}

/**
 * Under this key a clock that is moved by hand holds the set of its busy probes: it asks them all before time goes on.
 */
export const BUSY: unique symbol = Symbol.for('ackbox.busy') as never

/**
 * Says whether there is work under way that ends by itself, without any more time passing: an engine step that is
 * scheduled, a storage call that was not answered yet. Returns a promise that settles when that has changed, or
 * `undefined` when there is none. A handler that runs is not such work: it may wait for the clock or for the test.
 */
export type BusyProbe = () => PromiseLike<unknown> | undefined

/** A clock that waits for those who run on it. */
export interface BusyClock extends Clock {
  readonly [BUSY]: Set<BusyProbe>
}

/** Registers a probe with the clock, if it is one that asks; returns what takes it back. */
export function registerBusy(clock: Clock, probe: BusyProbe): () => void {
  const probes = (clock as Partial<BusyClock>)[BUSY]
  probes?.add(probe)
  return () => probes?.delete(probe)
}
