/**
 * Virtual time for tests: a clock that moves only when it is told to.
 */

import { BUSY, type BusyClock, type BusyProbe, type TimerHandle } from '../clock.js'
import { invalidOption } from '../errors.js'
import { checkNames } from '../validate.js'

/** A clock that a test moves. */
export interface ManualClock extends BusyClock {
  /**
   * Moves time by `ms` (0 or more; default 0) and fires what falls due on the way, in order and each at its own
   * time. Resolves when all that is due ran and its handlers settled. A handler that waits for something else (a
   * later time, a promise of the test, a socket) is not waited for.
   */
  advance(ms?: number): Promise<void>
  /** Moves time to the earliest timer and fires it. Resolves with the milliseconds passed; `undefined`: no timer is set. */
  next(): Promise<number | undefined>
}

/** Options of `manualClock`. */
export interface ManualClockOptions {
  /** First time it tells: milliseconds since 1970 or a Date. Default: 2030-01-01T00:00:00Z. */
  start?: number | Date
}

/**
 * A handler that awaits only promises, the box and the turn of the event loop settles within this many idle turns.
 * More would be slower and no safer: what takes longer waits for something outside.
 */
const IDLE_TURNS = 16

class ManualTimer implements TimerHandle {
  readonly at: number
  readonly fire: () => void

  constructor(at: number, fire: () => void) {
    this.at = at
    this.fire = fire
  }

  ref(): void {}
  unref(): void {}
}

/**
 * ```ts
 * const clock = manualClock()
 * const box = await open(memoryStorage(), { clock })
 * await clock.advance(30_000)
 * ```
 */
export function manualClock(options: ManualClockOptions = {}): ManualClock {
  checkNames(options, ['start'], 'manualClock')
  let time = startTime(options.start ?? Date.UTC(2030, 0, 1))
  const timers = new Set<ManualTimer>()
  const probes = new Set<BusyProbe>()
  let moves: Promise<unknown> = Promise.resolve()

  async function moveTo(target: number): Promise<void> {
    await quiet(probes)
    for (;;) {
      const timer = earliest(timers)
      if (timer === undefined || timer.at > target) break
      time = Math.max(time, timer.at)
      timers.delete(timer)
      timer.fire()
      await quiet(probes)
    }
    time = Math.max(time, target)
  }

  async function moveToNext(): Promise<number | undefined> {
    await quiet(probes)
    const timer = earliest(timers)
    if (timer === undefined) return undefined
    const before = time
    await moveTo(Math.max(timer.at, before))
    return time - before
  }

  /** One move after the other, also when a test forgets to await one. */
  function inTurn<T>(move: () => Promise<T>): Promise<T> {
    const moved = moves.then(move)
    moves = moved.catch(() => {})
    return moved
  }

  return {
    [BUSY]: probes,
    now: () => time,
    setTimeout(fn, ms) {
      const timer = new ManualTimer(time + Math.max(0, Math.ceil(ms)), fn)
      timers.add(timer)
      return timer
    },
    clearTimeout(handle) {
      timers.delete(handle as ManualTimer)
    },
    advance(ms = 0) {
      if (!Number.isFinite(ms) || ms < 0) {
        return Promise.reject(invalidOption('milliseconds from 0', ms, 'manualClock: advance'))
      }
      return inTurn(() => moveTo(time + ms))
    },
    next: () => inTurn(moveToNext),
  }
}

function startTime(start: number | Date): number {
  const time = Number(start)
  if (!Number.isFinite(time))
    throw invalidOption('milliseconds since 1970 or a valid Date', start, 'manualClock: start')
  return time
}

/** Timers of the same time fire in the order in which they were set: a set keeps it, and `<` takes the first. */
function earliest(timers: Set<ManualTimer>): ManualTimer | undefined {
  let first: ManualTimer | undefined
  for (const timer of timers) {
    if (first === undefined || timer.at < first.at) first = timer
  }
  return first
}

/** Resolves when no probe has been busy for `IDLE_TURNS` turns of the event loop. */
async function quiet(probes: Set<BusyProbe>): Promise<void> {
  for (let idle = 0; idle < IDLE_TURNS; idle++) {
    await turn()
    for (let busy = busyWith(probes); busy.length > 0; busy = busyWith(probes)) {
      idle = 0
      await Promise.allSettled(busy)
    }
  }
}

function busyWith(probes: Set<BusyProbe>): PromiseLike<unknown>[] {
  return [...probes].map((probe) => probe()).filter((promise) => promise !== undefined)
}

/** One turn of the event loop: all promise jobs run, and input and output that is ready is taken. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') {
      setImmediate(resolve)
      return
    }
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
}
