/** Options of circuit breakers: what they are, and their form in the engine. */
import { type Backoff, type BackoffFunction, constant, toEngineBackoff } from './backoff.js'
import type { BreakerOptions as EngineOptions } from './engine/objects.js'
import { invalidOption } from './errors.js'
import type { Range } from './validate.js'
import { callable, checkNames, choice, duration, integer, MAX_MS } from './validate.js'

/** When a circuit opens, for how long, and what closes it again. An option that says nothing in the chosen window is refused. */
export interface BreakerOptions {
  /**
   * What calls are judged by. `'consecutive'` (the default): failures in a row. `'count'`: the last `size` calls.
   * `'time'`: the calls of the last `windowMs`, in ten steps.
   */
  readonly window?: 'consecutive' | 'count' | 'time' | undefined
  /** Consecutive failures that open it, 1 or more. Default 5. */
  readonly failures?: number | undefined
  /** Calls in a `'count'` window, 1 to 65,536. Default 100. */
  readonly size?: number | undefined
  /** Length of a `'time'` window, 1 to a week. Default 10,000. */
  readonly windowMs?: number | undefined
  /** The share of failures that opens it, above 0 to 1: it opens at this share. Default 0.5. */
  readonly failureRate?: number | undefined
  /** Calls that the window must hold before shares count, 1 or more. Default 20, or the `size` if that is less. */
  readonly minCalls?: number | undefined
  /** Calls that take longer are slow; their share is judged by itself. Default: none are. */
  readonly slowMs?: number | undefined
  /** The share of slow calls that opens it, above 0 to 1. Default, with `slowMs`: 1. */
  readonly slowRate?: number | undefined
  /**
   * How long it stays open: milliseconds, or a backoff, which is asked for the number of openings in a row. Default
   * 30,000.
   */
  readonly cooldownMs?: number | Backoff | BackoffFunction | undefined
  /** Half-open: probes at once, 1 to 100. Default 1. */
  readonly probes?: number | undefined
  /** Half-open: successful probes that close it, 1 to 100. Default 1; one that fails or is slow opens it again. */
  readonly successes?: number | undefined
  /**
   * Half-open: a probe that has not returned by then counts as failed. Default 30,000; in a worker whose handlers may take
   * longer (`timeoutMs`, `maxRuntimeMs`) as long as they.
   */
  readonly probeTimeoutMs?: number | undefined
  /** Which errors count as failures. Others count as nothing. Default: every error. */
  readonly isFailure?: ((error: unknown) => boolean) | undefined
}

/** Names of all of them. */
export const BREAKER_NAMES = [
  'window', 'failures', 'size', 'windowMs', 'failureRate', 'minCalls', 'slowMs', 'slowRate', 'cooldownMs', 'probes',
  'successes', 'probeTimeoutMs', 'isFailure',
] as const

const COUNT: Range = { min: 1, max: 2 ** 32 - 1 }
const SIZE: Range = { min: 1, max: 65_536 }
const WINDOW: Range = { min: 1, max: 7 * 86_400_000 }
const TIME: Range = { min: 0, max: MAX_MS }
const DEADLINE: Range = { min: 1, max: MAX_MS }
const PROBES: Range = { min: 1, max: 100 }
const PPM = 1_000_000

/** The cooldown of one whose length a function tells after it began. */
const UNTIL_TOLD = constant(MAX_MS)

/** Checks options, of which the names are known to be right, and puts them in the engine's form. */
export function toEngineBreaker(options: BreakerOptions, where: string): EngineOptions {
  const { window, isFailure, cooldownMs } = options
  if (isFailure !== undefined) callable(isFailure, 'isFailure', where)
  const count = (name: 'failures' | 'size' | 'minCalls' | 'probes' | 'successes', range: Range) =>
    options[name] === undefined ? undefined : integer(options[name], range, name, where)
  const time = (name: 'windowMs' | 'slowMs' | 'probeTimeoutMs', range: Range) =>
    options[name] === undefined ? undefined : duration(options[name], range, name, where)
  return {
    window: window === undefined ? undefined : choice(window, ['consecutive', 'count', 'time'], 'window', where),
    failures: count('failures', COUNT),
    size: count('size', SIZE),
    windowMs: time('windowMs', WINDOW),
    failureRatePpm: share(options.failureRate, 'failureRate', where),
    minCalls: count('minCalls', COUNT),
    slowMs: time('slowMs', TIME),
    slowRatePpm: share(options.slowRate, 'slowRate', where),
    cooldown: cooldownMs === undefined ? undefined : cooldown(cooldownMs, where),
    probes: count('probes', PROBES),
    successes: count('successes', PROBES),
    probeTimeoutMs: time('probeTimeoutMs', DEADLINE),
  }
}

/** Checks the names of options. */
export function checkBreakerNames(options: unknown, others: readonly string[], where: string): void {
  checkNames(options, [...BREAKER_NAMES, ...others], where)
}

function cooldown(given: number | Backoff | BackoffFunction, where: string): EngineOptions['cooldown'] {
  if (typeof given === 'function') return toEngineBackoff(UNTIL_TOLD, where)
  if (typeof given === 'object' && given !== null) return toEngineBackoff(given, `${where}: cooldownMs`)
  return toEngineBackoff(constant(duration(given, TIME, 'cooldownMs', where)), where)
}

/** In millionths. What is reached at 2 of 3 calls must be reached at 2/3, so the last digit is cut off, not rounded. */
function share(value: unknown, name: string, where: string): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && value > 0 && value <= 1) return Math.max(1, Math.floor(value * PPM + 1e-3))
  throw invalidOption(`${name} to be a share above 0, at most 1`, value, where)
}
