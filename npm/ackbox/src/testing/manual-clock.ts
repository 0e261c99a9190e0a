/**
 * Virtual time for tests: a clock that moves only when it is told to.
 */

import { BUSY, type BusyClock, type BusyProbe, eventLoopTurn, type TimerHandle } from '../clock.js'
import { invalidOption } from '../errors.js'
import { checkNames, instant } from '../validate.js'

/** A clock that a test moves. */
export interface ManualClock extends BusyClock {
  /**
   * Moves time by `ms` (0 or more; default 0) and fires what falls due on the way, in order and each at its own
   * time. Resolves when all that is due ran and its handlers settled: those that wait for promises, the box, or (in
   * Node) files. A handler that waits for something else (a later time, a promise of the test, a socket) is not waited
   * for.
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

/** How Node calls requests, as opposed to handles that stay. */
const REQUEST = /(Req(Callback|Promise|Wrap)?|ConnectWrap|WriteWrap|ShutdownWrap)$/

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
  let time = options.start === undefined ? Date.UTC(2030, 0, 1) : instant(options.start, 'start', 'manualClock')
  const timers = new Set<ManualTimer>()
  const probes = new Set<BusyProbe>()
  const pending = requestsUnderWay()
  let moves: Promise<unknown> = Promise.resolve()

  async function moveTo(target: number): Promise<void> {
    await quiet(probes, pending)
    for (;;) {
      const timer = earliest(timers)
      if (timer === undefined || timer.at > target) break
      time = Math.max(time, timer.at)
      timers.delete(timer)
      timer.fire()
      await quiet(probes, pending)
    }
    time = Math.max(time, target)
  }

  async function moveToNext(): Promise<number | undefined> {
    await quiet(probes, pending)
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

/** Timers of the same time fire in the order in which they were set: a set keeps it, and `<` takes the first. */
function earliest(timers: Set<ManualTimer>): ManualTimer | undefined {
  let first: ManualTimer | undefined
  for (const timer of timers) {
    if (first === undefined || timer.at < first.at) first = timer
  }
  return first
}

/**
 * Resolves when for `IDLE_TURNS` turns of the event loop no probe has been busy and the platform has been asked for
 * nothing more than `pending` requests.
 */
async function quiet(probes: Set<BusyProbe>, pending: number): Promise<void> {
  for (let idle = 0; idle < IDLE_TURNS; idle++) {
    await eventLoopTurn()
    for (let busy = busyWith(probes); busy.length > 0; busy = busyWith(probes)) {
      idle = 0
      await Promise.allSettled(busy)
    }
    if (requestsUnderWay() > pending) idle = 0
  }
}

/**
 * Requests that the platform answers by itself, where it tells: files, names, connections that are being made. Sockets
 * that are open are none of them: they may stay silent for ever.
 */
function requestsUnderWay(): number {
  const { process } = globalThis as { process?: { getActiveResourcesInfo?(): string[] } }
  return process?.getActiveResourcesInfo?.().filter((name) => REQUEST.test(name)).length ?? 0
}

function busyWith(probes: Set<BusyProbe>): PromiseLike<unknown>[] {
  return [...probes].map((probe) => probe()).filter((promise) => promise !== undefined)
}
