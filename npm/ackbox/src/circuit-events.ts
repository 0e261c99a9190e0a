/** What a circuit breaker tells its listeners. */
import type { CircuitChange, CircuitReason, CircuitState } from './engine/breaker.js'
import { defaultReport, Emitter, type ListenOptions } from './events.js'

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

/** What tells them; listeners that act on the breaker cause more to be told. */
export class CircuitTeller {
  readonly #emitter: Emitter<CircuitEvents>
  /** What is to be told, in order. */
  readonly #queue: (() => void)[] = []
  #isTelling = false

  /** What a listener throws is reported as a warning of the process. */
  constructor(where: string) {
    this.#emitter = new Emitter<CircuitEvents>(where, NAMES, ({ message, cause }) => defaultReport(message, cause))
  }

  on<K extends keyof CircuitEvents>(
    event: K,
    listener: (details: CircuitEvents[K]) => void,
    options?: ListenOptions,
  ): () => void {
    return this.#emitter.on(event, listener, options)
  }

  /** Changes, in the order in which they happened. */
  changed(changes: readonly CircuitChange[]): void {
    for (const change of changes) this.#queue.push(() => this.#tellChange(change))
    this.#tell()
  }

  /** A call was not let through. */
  rejected(state: CircuitState, retryAt: number): void {
    if (!this.#emitter.has('rejected')) return
    this.#queue.push(() => this.#emitter.emit('rejected', { state, retryAt }))
    this.#tell()
  }

  /** One after the other: what a listener causes comes after what is being told, to every listener. */
  #tell(): void {
    if (this.#isTelling) return
    this.#isTelling = true
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next()
    } finally {
      this.#isTelling = false
    }
  }

  #tellChange(change: CircuitChange): void {
    const { from, to, why, at, retryAt } = change
    if (to === 'open') this.#emitter.emit('open', { from, why, at, retryAt: retryAt! })
    if (to === 'half-open') this.#emitter.emit('half-open', { from, why, at })
    if (to === 'closed') this.#emitter.emit('close', { from, why, at })
    this.#emitter.emit('change', change)
  }
}
