/**
 * A circuit breaker of the engine: numbers on the way of every call, objects for what is rare.
 */
import type { Guard } from './bound-engine.js'
import { plain } from './plain.js'

/** How a call went, as the engine counts it. */
export const OUTCOME = Object.freeze({ success: 0, failure: 1, timeout: 2, ignored: 3, cancelled: 4 })

/** What somebody decides. */
export const DECISION = Object.freeze({ reset: 0, isolate: 1, disable: 2 })

/** Bits of what a report gives. */
const REPORT_CHANGED = 1
const REPORT_CALM = 2

/** Is added to a permit if there are changes to take. */
const CHANGED = 2 ** 50

/** Whether calls are let through. */
export type CircuitState = 'closed' | 'open' | 'half-open' | 'isolated' | 'disabled'

/** What changed a state. */
export type CircuitReason =
  | 'cooled-down'
  | 'failures'
  | 'manual'
  | 'probe-failed'
  | 'probe-timeout'
  | 'recovered'
  | 'slow-calls'

/**
 * When a circuit may let something through again, as everybody is told it: the engine knows an instant or none, and of
 * one that is isolated there is none that comes.
 */
export function retryAtOf(state: CircuitState, retryAt: number | undefined): number | undefined {
  return state === 'isolated' ? Infinity : retryAt
}

/** A change of state. */
export interface CircuitChange {
  readonly from: CircuitState
  readonly to: CircuitState
  readonly why: CircuitReason
  /** When it happened, in milliseconds since 1970. A deadline that passed unseen happened when it passed. */
  readonly at: number
  /** When an open circuit lets the first probe through, in milliseconds since 1970; infinite if it is isolated. */
  readonly retryAt?: number
}

/** What a breaker has seen since it was made or restored. */
export interface CircuitStats {
  readonly state: CircuitState
  /** When to ask again; absent while calls are let through, infinite while only `reset()` can change that. */
  readonly retryAt?: number
  /** Openings in a row, without a close between them. */
  readonly openings: number
  /** Probes under way. */
  readonly probes: number
  /** What the window holds; of consecutive failures, those. */
  readonly window: { readonly calls: number; readonly failures: number; readonly slow: number }
  readonly successes: number
  /** Those that took too long included. */
  readonly failures: number
  readonly timeouts: number
  /** Calls whose callee asked for a pause. */
  readonly throttled: number
  readonly ignored: number
  readonly cancelled: number
  /** Calls that were not let through. Nothing else counts them. */
  readonly rejected: number
  /** Successes of an earlier period, which changed nothing. */
  readonly lateSuccesses: number
  /** Failures of an earlier period, which changed nothing. */
  readonly lateFailures: number
  /** Probes that did not return by their deadline. */
  readonly expiredProbes: number
  /** How often it opened. */
  readonly opened: number
}

/** What of a breaker outlives its process; times in milliseconds since 1970. */
export interface CircuitSnapshot {
  /** Of this form. */
  readonly version: number
  readonly state: CircuitState
  /** Counts the changes of state: of two snapshots of one breaker, the higher one is the later. */
  readonly epoch: number
  readonly openings: number
  /** Failures in a row. */
  readonly failures: number
  readonly savedAt: number
  readonly openedAt?: number
  readonly openUntil?: number
  readonly pausedUntil?: number
}

/** The methods that both bindings export under the same names. Times are milliseconds since 1970. */
export interface BreakerBinding {
  permit(nowMs: number, limitMs: number | undefined): number
  report(permit: number, outcome: number, tookMs: number, nowMs: number, successes: number): number
  reportSuccesses(permit: number, times: number, nowMs: number): number
  throttle(permit: number, untilMs: number, failed: boolean, nowMs: number): boolean
  advance(nowMs: number): boolean
  decide(decision: number, nowMs: number): boolean
  coolDownFor(ms: number): void
  retryAt(nowMs: number): number
  changes(): unknown
  stats(nowMs: number): unknown
  snapshot(nowMs: number): unknown
}

/**
 * A breaker over a binding. Each method that may change the state says whether it did: then `changes` gives what
 * happened, before anything else is asked.
 */
export class EngineBreaker {
  /** Whether the last `permit` came with changes. */
  hasChanged = false
  /** Whether successes of the permit of the last report may be told later and together, without any difference. */
  isCalm = false
  readonly #binding: BreakerBinding
  readonly #guard: Guard

  constructor(binding: BreakerBinding, guard: Guard) {
    this.#binding = binding
    this.#guard = guard
  }

  /** A permit from 0, or -1. As a probe the call has `limitMs` at least, where no option says how long one may take. */
  permit(now: number, limitMs?: number): number {
    const answer = this.#guard(() => this.#binding.permit(now, limitMs))
    this.hasChanged = answer >= CHANGED - 1
    return this.hasChanged ? answer - CHANGED : answer
  }

  /** Tells how a permitted call went, one of `OUTCOME`, and that so many of the same permit succeeded before it. */
  report(permit: number, outcome: number, tookMs: number, now: number, successes: number): boolean {
    return this.#told(this.#guard(() => this.#binding.report(permit, outcome, tookMs, now, successes)))
  }

  /** Tells of several successes of one permit. */
  reportSuccesses(permit: number, times: number, now: number): boolean {
    return this.#told(this.#guard(() => this.#binding.reportSuccesses(permit, times, now)))
  }

  /** Tells that the callee of a permitted call asked for a pause, and whether that is a failure. */
  throttle(permit: number, until: number, failed: boolean, now: number): boolean {
    return this.#guard(() => this.#binding.throttle(permit, until, failed, now))
  }

  /** Lets time pass. */
  advance(now: number): boolean {
    return this.#guard(() => this.#binding.advance(now))
  }

  /** Somebody decides; one of `DECISION`. */
  decide(decision: number, now: number): boolean {
    return this.#guard(() => this.#binding.decide(decision, now))
  }

  /** Sets how long the present cooldown takes, from its beginning. */
  coolDownFor(ms: number): void {
    this.#guard(() => this.#binding.coolDownFor(ms))
  }

  /** When the next permit can be had: `undefined` for now, infinite for never. */
  retryAt(now: number): number | undefined {
    const at = this.#guard(() => this.#binding.retryAt(now))
    return at < 0 ? undefined : at
  }

  /** What happened since this was asked before, in order. */
  changes(): readonly CircuitChange[] {
    const changes = this.#guard(() => this.#binding.changes()) as CircuitChange[]
    return changes.map((change) => withRetryAt(change, change.to))
  }

  stats(now: number): CircuitStats {
    const stats = this.#guard(() => this.#binding.stats(now)) as CircuitStats
    return withRetryAt(stats, stats.state)
  }

  #told(bits: number): boolean {
    this.isCalm = (bits & REPORT_CALM) !== 0
    return (bits & REPORT_CHANGED) !== 0
  }

  snapshot(now: number): CircuitSnapshot {
    return this.#guard(() => this.#binding.snapshot(now)) as CircuitSnapshot
  }
}

function withRetryAt<I extends { readonly retryAt?: number }>(info: I, state: CircuitState): I {
  const retryAt = retryAtOf(state, info.retryAt)
  return retryAt === undefined ? info : { ...info, retryAt }
}

/** What a breaker is made of. */
export interface BreakerSeed {
  /** 16 random bytes. */
  readonly entropy: Uint8Array
  /** Decides the jitter in their place. */
  readonly text: string | undefined
}

/** A snapshot of users, which may hold anything, as a binding takes it. */
export function plainSnapshot(snapshot: object | undefined): unknown {
  return snapshot === undefined ? undefined : plain(snapshot, 'the snapshot')
}
