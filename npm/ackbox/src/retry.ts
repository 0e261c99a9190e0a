/** Trying a call again outside any queue: nothing is durable here, and the caller waits. */
import { type Backoff, type BackoffFunction, exponential, toEngineBackoff } from './backoff.js'
import { type Clock, MAX_TIMEOUT_MS, systemClock } from './clock.js'
import { checkSeed, delayOf } from './delay.js'
import type { Backoff as EngineBackoff } from './engine/objects.js'
import { invalidOption } from './errors.js'
import { unlessAborted } from './pending.js'
import { ATTEMPTS } from './queue-options.js'
import { callable, checkNames, duration, integerOrInfinity, MAX_MS, optionalSignal } from './validate.js'
import { type Consequence, consequenceOf, consequenceOfVerdict, type ErrorVerdict, isOpenToClassify } from './verdict.js'

/** Options of {@link retry}. */
export interface RetryOptions {
  /** How long to wait after each attempt. Default: `exponential()`, that of queues. */
  readonly backoff?: Backoff | BackoffFunction | undefined
  /** Calls at most, 1 or more, or `Infinity`. Default 6. */
  readonly maxAttempts?: number | undefined
  /** Ends it: the promise rejects with the signal's reason, and a call under way is not waited for. */
  readonly signal?: AbortSignal | undefined
  /** Says what follows from an error, `httpErrors()` for one. Default: every error is tried again. */
  readonly classify?: ((error: unknown, message: never) => ErrorVerdict) | undefined
  /** Source of time. Default: the system's. */
  readonly clock?: Clock | undefined
  /** Fixes the jitter. Default: random. */
  readonly seed?: string | number | undefined
}

/** What a call is told that may be tried again. */
export interface RetryContext {
  /** Number of this call, from 1, without those that cost none. */
  readonly attempt: number
  /** That of the options; one that never aborts, if there is none. */
  readonly signal: AbortSignal
}

const NAMES = ['backoff', 'maxAttempts', 'signal', 'classify', 'clock', 'seed']

/**
 * Calls a function until it succeeds, for calls outside any queue.
 *
 * ```ts
 * const response = await retry(({ signal }) => fetch(url, { signal }), { maxAttempts: 3, signal })
 * ```
 *
 * Errors mean what they mean in a handler: a `RetryAfterError` waits until its time, or as the backoff says if that has
 * passed, and costs no attempt unless it says so, a `PermanentError` ends it at once. The last error is what the promise rejects with.
 */
export async function retry<R>(fn: (context: RetryContext) => R | PromiseLike<R>, options: RetryOptions = {}): Promise<R> {
  const { backoff, maxAttempts, signal, classify, clock, seed } = checkOptions(fn, options)
  const context = { signal: signal ?? new AbortController().signal }
  // Calls that run beside each other are as different as messages.
  const identity = { seed, id: seed === undefined ? crypto.randomUUID() : '' }
  for (let attempt = 1; ; ) {
    signal?.throwIfAborted()
    let delayMs: number
    try {
      return await unlessAborted(start(fn, { ...context, attempt }), signal)
    } catch (error) {
      signal?.throwIfAborted()
      const consequence = consequenceFor(error, classify, clock)
      const isFree = consequence.kind === 'later' && !consequence.costsAttempt
      if (consequence.kind === 'dead' || (!isFree && attempt >= maxAttempts)) throw error
      const floorMs = consequence.kind === 'later' ? consequence.delayMs : undefined
      delayMs = delayAfter(backoff, attempt, error, identity, floorMs)
      if (!isFree) attempt++
    }
    await pause(clock, delayMs, signal)
  }
}

interface CheckedOptions extends Pick<RetryOptions, 'signal' | 'classify' | 'seed'> {
  readonly backoff: EngineBackoff | BackoffFunction
  readonly maxAttempts: number
  readonly clock: Clock
}

function checkOptions(fn: unknown, options: RetryOptions): CheckedOptions {
  const where = 'retry'
  callable(fn, 'the function', where)
  checkNames(options, NAMES, where)
  const { backoff = exponential(), maxAttempts = 6, signal, classify, clock = systemClock(), seed } = options
  optionalSignal(signal, where)
  if (classify !== undefined) callable(classify, 'classify', where)
  checkSeed(seed, where)
  const { now, setTimeout, clearTimeout } = (clock as Partial<Clock> | null) ?? {}
  if (![now, setTimeout, clearTimeout].every((call) => typeof call === 'function')) {
    throw invalidOption('clock to have now, setTimeout and clearTimeout', clock, where)
  }
  return {
    backoff: typeof backoff === 'function' ? backoff : toEngineBackoff(backoff, where),
    maxAttempts: integerOrInfinity(maxAttempts, ATTEMPTS, Infinity, 'maxAttempts', where),
    signal,
    classify,
    clock,
    seed,
  }
}

async function start<R>(fn: (context: RetryContext) => R | PromiseLike<R>, context: RetryContext): Promise<R> {
  return fn(context)
}

function consequenceFor(error: unknown, classify: RetryOptions['classify'], clock: Clock): Consequence {
  const own = consequenceOf(error, clock.now())
  if (classify === undefined || !isOpenToClassify(error)) return own
  return consequenceOfVerdict(classify(error, undefined as never), 'retry: classify') ?? own
}

function delayAfter(
  backoff: EngineBackoff | BackoffFunction,
  attempt: number,
  error: unknown,
  identity: { seed: string | number | undefined; id: string },
  floorMs: number | undefined,
): number {
  if (typeof backoff !== 'function') return delayOf(backoff, attempt, identity, floorMs)
  if (floorMs !== undefined) return delayOf(toEngineBackoff(exponential(), 'retry'), attempt, identity, floorMs)
  return duration(backoff(attempt, error), { min: 0, max: MAX_MS }, 'the delay of the backoff function', 'retry: backoff')
}

/** Waits, for longer than timers can if need be; never without letting others in. */
async function pause(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  const until = clock.now() + delayMs
  let leftMs = delayMs
  do {
    let timer!: ReturnType<Clock['setTimeout']>
    const passed = new Promise<void>((resolve) => (timer = clock.setTimeout(resolve, Math.min(leftMs, MAX_TIMEOUT_MS))))
    try {
      await unlessAborted(passed, signal)
    } finally {
      clock.clearTimeout(timer)
    }
    leftMs = until - clock.now()
  } while (leftMs > 0)
}
