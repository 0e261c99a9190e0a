/**
 * A circuit breaker of the user as workers see it: a gate that gives leave to each handler, is told how that went, and
 * tells how it stands. Calls outside queues go through the same breaker, so it may stand otherwise at any time.
 */
import type { Clock } from './clock.js'
import type { CircuitChange, CircuitState } from './engine/breaker.js'
import { hasBrand } from './brand.js'

/** Under this key a breaker has its gate. The same in every copy of this package. */
export const GATE: unique symbol = Symbol.for('ackbox.breaker-gate') as never

/** Leave to run one handler; told once how that went. */
export interface Leave {
  /** Whether the others may follow depends on it. */
  readonly isProbe: boolean
  succeeded(): void
  /** It threw, and its message is tried again; `isCertain`: nobody is asked whether that is a failure. Gives whether it was one. */
  failed(error: unknown, isCertain: boolean): boolean
  timedOut(): void
  /** What it called asked for time until this instant, in milliseconds since 1970; `failed`: which is a failure. */
  heldUntil(until: number, failed: boolean, error: unknown): void
  /** It ended in a way that says nothing of what it called. */
  ignored(): void
  /** It was given up. */
  cancelled(): void
}

/** How a gate stands. */
export interface GateStanding {
  /** `broken`: what is behind it is known to fail; `waiting`: it asked for time. */
  readonly level: 'open' | 'probing' | 'broken' | 'waiting'
  /** Probing: handlers that may run. */
  readonly places: number
  /** When it may stand otherwise, as far as time alone decides. */
  readonly until?: number
}

export interface BreakerGate {
  readonly clock: Clock
  /** `undefined`: not now. `limitMs`: what the handler may take, where its worker limits that. */
  enter(limitMs: number | undefined): Leave | undefined
  standing(): GateStanding
  /** Calls whenever it stands otherwise, or may; what it returns ends that. */
  watch(changed: () => void): () => void
}

/** A breaker, as far as a worker needs it. */
export interface GatedBreaker {
  readonly [GATE]: BreakerGate
  readonly state: CircuitState
  readonly retryAt: number | undefined
  stats(): { readonly openings: number }
  /** Calls with each change of its state, in order; what it returns ends that. */
  on(event: 'change', listener: (change: CircuitChange) => void): () => void
  isolate(): void
  reset(): void
}

/** Whether something is a breaker of this package, of any of its copies. */
export function isGatedBreaker(value: unknown): value is GatedBreaker {
  return hasBrand(value, GATE)
}
