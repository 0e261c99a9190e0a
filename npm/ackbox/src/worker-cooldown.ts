/** How long a circuit of a worker stays open, where functions of the user say it: each opening is asked about once. */
import type { BackoffFunction } from './backoff.js'
import type { Warning } from './events.js'
import { duration, MAX_MS } from './validate.js'

/** The functions for messages without a destination, and for those of a destination. */
export interface CooldownFunctions {
  readonly without: BackoffFunction | undefined
  readonly of: BackoffFunction | undefined
}

/** What is taken where a function fails. */
const COOLDOWN_MS_DEFAULT = 30_000
/** Destinations of which the last error is remembered until an opening asks for it. */
const ERRORS_MAX = 1_024

export class Cooldowns {
  readonly #functions: CooldownFunctions
  readonly #where: string
  readonly #warn: (warning: Warning) => void
  /** The last failure of each destination, oldest first. */
  readonly #errors = new Map<string, unknown>()

  constructor(functions: CooldownFunctions, where: string, warn: (warning: Warning) => void) {
    this.#functions = functions
    this.#where = `${where}: cooldownMs`
    this.#warn = warn
  }

  /** A delivery failed: that may open the circuit of its destination. */
  note(destination: string | undefined, error: unknown): void {
    const key = destination ?? ''
    this.#errors.delete(key)
    this.#errors.set(key, error)
    if (this.#errors.size > ERRORS_MAX) this.#errors.delete(this.#errors.keys().next().value!)
  }

  /** The milliseconds of an opening; `''` stands for messages without a destination. */
  ask(destination: string, openings: number): number {
    const ask = destination === '' ? this.#functions.without : this.#functions.of
    const error = this.#errors.get(destination)
    this.#errors.delete(destination)
    try {
      const ms = duration(ask?.(openings, error), { min: 0, max: MAX_MS }, 'the delay of the function', this.#where)
      return Math.ceil(ms)
    } catch (cause) {
      this.#warn({ message: `${this.#where} failed, ${COOLDOWN_MS_DEFAULT} ms are taken`, cause })
      return COOLDOWN_MS_DEFAULT
    }
  }
}
