/** What a worker limits and when it pauses: options as users give them, and their form in the engine. */
import type { BackoffFunction } from './backoff.js'
import { type GatedBreaker, isGatedBreaker } from './breaker-gate.js'
import { type BreakerOptions, checkBreakerNames, toEngineBreaker } from './breaker-options.js'
import type { CircuitBreaker } from './circuit-breaker.js'
import type { FailureJudge } from './end-report.js'
import type { BreakerOptions as EngineBreaker, Policies } from './engine/objects.js'
import { invalidOption } from './errors.js'
import type { Range } from './validate.js'
import type { CooldownFunctions } from './worker-cooldown.js'
import { checkNames, choice, duration, integer } from './validate.js'

/** How often something may start: `limit` at once after a rest, and then evenly spread over `perMs`. */
export interface RateOptions {
  /** 1 to 1,000,000. */
  readonly limit: number
  /** Milliseconds, 1 to a day. */
  readonly perMs: number
}

/** The rate of a worker. */
export interface WorkerRateOptions extends RateOptions {
  /**
   * `'queue'`: it counts over all workers of the queue that name the same rate; those of one `name` must do so. Workers
   * that name another one have that beside it, and when the rate is changed, the next goes on where the one before was.
   * `'worker'`: it counts for this worker alone, whatever the others have; after a restart or a close the next worker of
   * its `name` goes on where it was (after several: where the one was that owes most). Default `'queue'`.
   */
  readonly scope?: 'queue' | 'worker' | undefined
}

/**
 * The breaker of a worker. `isFailure` is asked about errors after which the message is tried again by the queue's
 * backoff; of all others the error or `classify` says whether they count, and a handler that took too long has failed.
 */
export type WorkerBreakerOptions = BreakerOptions

/** What holds for each destination. Messages without one are limited by none of it. */
export interface PerDestinationOptions {
  /** Handlers at once, 1 to 100,000. Default: as many as the worker has. */
  readonly concurrency?: number | undefined
  /** Default: none. */
  readonly rate?: RateOptions | undefined
  /**
   * Instead of the worker's `breaker`. Default: that. Each destination has a circuit of its own, so a
   * {@link CircuitBreaker}, which is one circuit for all, is refused here.
   */
  readonly breaker?: true | WorkerBreakerOptions | undefined
}

/** How many retries there may be among deliveries. */
export interface RetryBudgetOptions {
  /** Retries that each first attempt allows, 0 to 1. Default 0.2. */
  readonly ratio?: number | undefined
  /** Retries a second that are always allowed, 1 to 1,000,000. Default 10. */
  readonly minPerSecond?: number | undefined
  /** How long a first attempt counts, 1,000 to 3,600,000. Default 10,000. */
  readonly ttlMs?: number | undefined
}

/** Options of a worker about what it limits. None of them costs a message an attempt, `whenOpen` aside. */
export interface PolicyOptions {
  /**
   * A circuit breaker for each destination, and one for messages without a destination: while it is open, nothing of
   * them is delivered and no attempt is lost. `true`: with all defaults. `false`: none, even if the handler brings one
   * along. Default: that of the handler, or none.
   *
   * A {@link CircuitBreaker} is one gate for all messages of the worker. It may guard other workers, of other queues and
   * boxes too, and calls outside queues, and counts all of them. It is not kept in the box: `toJSON` is for that.
   */
  readonly breaker?: boolean | WorkerBreakerOptions | CircuitBreaker | undefined
  /**
   * Limits of each destination; destinations take turns, with `{}` too, which limits none. Default: none, messages in
   * their order. To tell destinations apart costs memory and time for each message; without this and `breaker` that
   * begins when the first of them asks for time (`RetryAfterError`).
   */
  readonly perDestination?: PerDestinationOptions | undefined
  /** How often handlers start. Default: as often as they can. */
  readonly rate?: WorkerRateOptions | undefined
  /**
   * What becomes of messages whose circuit is open. `'pause'`: they wait at no cost. `'dead-letter'`: they become dead
   * letters, reason `circuit-open`. `'reject'`: an attempt fails with `ERR_CIRCUIT_OPEN`, and the next comes
   * after the backoff, a millisecond later at the earliest. Of one `name`, all workers share the circuits and what becomes
   * of these messages. Default `'pause'`.
   */
  readonly whenOpen?: 'pause' | 'dead-letter' | 'reject' | undefined
  /**
   * The share of retries, 0 to 1, or more precisely; past it retries are put off, never dropped. One budget for all
   * workers of the queue that have this `name`; it starts anew with the first of them. Default: no limit.
   */
  readonly retryBudget?: number | RetryBudgetOptions | undefined
}

type NamedBreaker = Exclude<PolicyOptions['breaker'], false | undefined>

/** Names of all of them. */
export const POLICY_NAMES = ['breaker', 'perDestination', 'rate', 'whenOpen', 'retryBudget'] as const

const LIMIT: Range = { min: 1, max: 1_000_000 }
const PER_MS: Range = { min: 1, max: 86_400_000 }
const AT_ONCE: Range = { min: 1, max: 100_000 }
const TTL: Range = { min: 1_000, max: 3_600_000 }

/** Checks options, of which the names are known to be right, and puts them in the engine's form. */
export function toEnginePolicies(options: PolicyOptions, name: string, where: string): Policies {
  const { perDestination, rate, whenOpen = 'pause', retryBudget } = options
  const breaker = breakerOf(options)
  return {
    name,
    breaker: breaker === undefined || isGatedBreaker(breaker) ? undefined : toBreaker(breaker, `${where}: breaker`),
    asksCooldown: cooldownOf(breaker) !== undefined,
    perDestination: perDestination === undefined ? undefined : toLimits(perDestination, `${where}: perDestination`),
    rate: rate === undefined ? undefined : toWorkerRate(rate, `${where}: rate`),
    whenOpen: choice(whenOpen, ['pause', 'dead-letter', 'reject'], 'whenOpen', where),
    retryBudget: retryBudget === undefined ? undefined : toBudget(retryBudget, where),
  }
}

/** The one gate in front of all messages of a worker. */
export function gateOf({ breaker }: PolicyOptions): GatedBreaker | undefined {
  return isGatedBreaker(breaker) ? breaker : undefined
}

function breakerOf({ breaker }: PolicyOptions): NamedBreaker | undefined {
  return breaker === false ? undefined : breaker
}

/** Whether an error of a handler is a failure of its destination; `undefined`: every error is. */
export function judgesOf(options: PolicyOptions): Judges | undefined {
  const without = isFailureOf(breakerOf(options))
  const own = options.perDestination?.breaker
  const judges = { without, of: own === undefined ? without : isFailureOf(own) }
  return judges.without === undefined && judges.of === undefined ? undefined : judges
}

/** For messages without a destination, and for those of a destination. */
export interface Judges {
  readonly without: FailureJudge | undefined
  readonly of: FailureJudge | undefined
}

/** What says how long openings take; `undefined`: the engine knows. */
export function cooldownsOf(options: PolicyOptions): CooldownFunctions | undefined {
  const without = cooldownOf(breakerOf(options))
  const own = options.perDestination?.breaker
  const functions = { without, of: own === undefined ? without : cooldownOf(own) }
  return functions.without === undefined && functions.of === undefined ? undefined : functions
}

function cooldownOf(breaker: NamedBreaker | undefined): BackoffFunction | undefined {
  if (breaker === true || breaker === undefined || isGatedBreaker(breaker)) return undefined
  const { cooldownMs } = breaker as BreakerOptions
  return typeof cooldownMs === 'function' ? cooldownMs : undefined
}

function isFailureOf(breaker: NamedBreaker | undefined): FailureJudge | undefined {
  // One that stands alone asks its own.
  if (breaker === true || breaker === undefined || isGatedBreaker(breaker)) return undefined
  return (breaker as BreakerOptions).isFailure
}

function toBreaker(given: unknown, where: string): EngineBreaker {
  if (given === true) return {}
  if (isGatedBreaker(given)) {
    throw invalidOption('true or options: a CircuitBreaker is one gate for all messages of a worker', given, where)
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidOption('true, false, an object with options or a CircuitBreaker', given, where)
  }
  const options = given as BreakerOptions
  checkBreakerNames(options, [], where)
  return toEngineBreaker(options, where)
}

function toLimits(given: PerDestinationOptions, where: string): NonNullable<Policies['perDestination']> {
  checkNames(given, ['concurrency', 'rate', 'breaker'], where)
  const { concurrency, rate, breaker } = given
  return {
    concurrency: concurrency === undefined ? undefined : integer(concurrency, AT_ONCE, 'concurrency', where),
    rate: rate === undefined ? undefined : toRate(rate, [], `${where}: rate`),
    breaker: breaker === undefined ? undefined : toBreaker(breaker, `${where}: breaker`),
    asksCooldown: cooldownOf(breaker) !== undefined,
  }
}

function toWorkerRate(given: WorkerRateOptions, where: string): NonNullable<Policies['rate']> {
  const rate = toRate(given, ['scope'], where)
  const { scope = 'queue' } = given
  return { rate, scope: choice(scope, ['queue', 'worker'], 'scope', where) }
}

function toRate(given: RateOptions, others: readonly string[], where: string): { limit: number; perMs: number } {
  checkNames(given, ['limit', 'perMs', ...others], where)
  const limit = integer(given.limit, LIMIT, 'limit', where)
  return { limit, perMs: duration(given.perMs, PER_MS, 'perMs', where) }
}

function toBudget(given: number | RetryBudgetOptions, where: string): NonNullable<Policies['retryBudget']> {
  const isShare = typeof given === 'number'
  const options = isShare ? { ratio: given } : given
  const inside = isShare ? where : `${where}: retryBudget`
  checkNames(options, ['ratio', 'minPerSecond', 'ttlMs'], inside)
  const { ratio = 0.2, minPerSecond = 10, ttlMs = 10_000 } = options as RetryBudgetOptions
  if (typeof ratio !== 'number' || !(ratio >= 0 && ratio <= 1)) {
    throw invalidOption(`${isShare ? 'retryBudget' : 'ratio'} to be a share from 0 to 1`, ratio, inside)
  }
  return {
    ratioMilli: Math.round(ratio * 1_000),
    minPerSecond: integer(minPerSecond, LIMIT, 'minPerSecond', inside),
    ttlMs: duration(ttlMs, TTL, 'ttlMs', inside),
  }
}
