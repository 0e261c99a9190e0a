/** What a circuit breaker tells its listeners. */
import type { CircuitChange, CircuitReason, CircuitState } from './engine/breaker.js'
import { defaultReport, Emitter } from './events.js'

/** Events of a circuit breaker. Times are milliseconds since 1970. */
export interface CircuitEvents {
  /** Calls are let through no more, until `retryAt`. */
  open: { readonly from: CircuitState; readonly why: CircuitReason; readonly at: number; readonly retryAt: number }
  /** The cooldown is over: the next call is a probe. Told when somebody calls or looks. */
  'half-open': { readonly from: CircuitState; readonly why: CircuitReason; readonly at: number }
  /** All calls are let through again. */
  close: { readonly from: CircuitState; readonly why: CircuitReason; readonly at: number }
  /** A call was not let through. `retryAt` is infinite while the circuit is isolated. */
  rejected: { readonly state: CircuitState; readonly retryAt: number }
  /** Any change of state, those that somebody decided included; told after the event of its own name. */
  change: CircuitChange
}

const NAMES = ['open', 'half-open', 'close', 'rejected', 'change'] as const

/** For the listeners of one breaker. What a listener throws is reported as a warning of the process. */
export function circuitEmitter(where: string): Emitter<CircuitEvents> {
  return new Emitter<CircuitEvents>(where, NAMES, ({ message, cause }) => defaultReport(message, cause))
}

/** Tells of one change. */
export function tellChange(emitter: Emitter<CircuitEvents>, change: CircuitChange): void {
  const { from, to, why, at, retryAt } = change
  if (to === 'open') emitter.emit('open', { from, why, at, retryAt: retryAt! })
  if (to === 'half-open') emitter.emit('half-open', { from, why, at })
  if (to === 'closed') emitter.emit('close', { from, why, at })
  emitter.emit('change', change)
}
