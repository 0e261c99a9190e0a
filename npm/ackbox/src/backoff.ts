/**
 * Delays between attempts, as plain data: the engine computes them, so that the same seed, message and attempt
 * give the same delay everywhere. No delay exceeds its cap, and capping never removes the jitter.
 */
import type { Backoff as EngineBackoff, Jitter as EngineJitter } from './engine/objects.js'
import { delayOf, type DelayOptions } from './delay.js'
import { invalidOption } from './errors.js'
import type { Range } from './validate.js'
import { checkNames, choice, duration, MAX_MS } from './validate.js'

/**
 * How a delay `d` is spread: a fraction `j` gives `[d, d·(1+j)]`, `'full'` gives `[0, d]`, `'equal'` gives
 * `[d/2, d]`, `'none'` gives `d`. `'decorrelated'`, for growing delays only, gives anything from the base to 1.5 · factor
 * times the delay before.
 *
 * Where somebody else names the time (`RetryAfterError`), jitter only ever adds to it: up to the fraction, up to a
 * tenth with `'full'`, `'equal'` and `'decorrelated'`.
 */
export type Jitter = number | 'full' | 'equal' | 'decorrelated' | 'none'

/** A schedule that can be asked without a queue. */
export interface Delays {
  /**
   * Milliseconds to wait after the attempt with this number, from 1, has failed. Node computes it at once; a browser
   * needs an open box or `await ready()` before.
   */
  delay(attempt: number, options?: DelayOptions): number
}

/** `baseMs · factor^n` before the retry n (from 0), at most `capMs`. */
export interface ExponentialBackoff {
  readonly kind: 'exponential'
  readonly baseMs: number
  readonly factor: number
  readonly capMs: number
  readonly jitter: Jitter
}

/** The same delay before every retry. */
export interface ConstantBackoff {
  readonly kind: 'constant'
  readonly ms: number
  readonly jitter: FixedJitter
}

/** One delay for each retry, the last one for all later ones. */
export interface ScheduleBackoff {
  readonly kind: 'schedule'
  readonly delaysMs: readonly number[]
  readonly jitter: FixedJitter
}

/** How delays are spread that do not grow. */
export type FixedJitter = Exclude<Jitter, 'decorrelated'>

/** The delay in ms after a failed attempt (from 1); asked in this process when the handler threw. */
export type BackoffFunction = (attempt: number, error: unknown) => number

/** When a failed message is tried again. */
export type Backoff = ExponentialBackoff | ConstantBackoff | ScheduleBackoff

const DELAY: Range = { min: 0, max: MAX_MS }
const CAP: Range = { min: 1, max: MAX_MS }
/** Beyond this a factor reaches every cap at the first retry. */
const FACTOR_MAX = 1_000
/** Delays of a schedule that a description shows. */
const DESCRIBED_MAX = 10
const SCHEDULE_MAX = 1_000
const EXPONENTIAL = 'exponential()'

/** Options of {@link exponential}. */
export interface ExponentialOptions {
  /** Delay before the first retry. Default 1,000. */
  readonly baseMs?: number | undefined
  /** By what each delay grows, 1 to 1,000. Default 2. */
  readonly factor?: number | undefined
  /** No delay is longer, its jitter included; 1 or more. Default 300,000. */
  readonly capMs?: number | undefined
  /** Default 0.1. */
  readonly jitter?: Jitter | undefined
}

/** Options of {@link constant} and {@link schedule}. */
export interface JitterOptions {
  /** Default `'none'`. */
  readonly jitter?: FixedJitter | undefined
}

/** Growing delays: 1, 2, 4, 8, 16 s and so on up to 5 minutes with 10 % jitter, unless told otherwise. */
export function exponential(options: ExponentialOptions = {}): ExponentialBackoff & Delays {
  const where = EXPONENTIAL
  checkNames(options, ['baseMs', 'factor', 'capMs', 'jitter'], where)
  const { baseMs = 1_000, factor = 2, capMs = 300_000, jitter = 0.1 } = options
  const base = duration(baseMs, DELAY, 'baseMs', where)
  const cap = duration(capMs, CAP, 'capMs', where)
  if (typeof factor !== 'number' || !(factor >= 1 && factor <= FACTOR_MAX)) {
    throw invalidOption(`factor to be a number from 1 to ${FACTOR_MAX}`, factor, where)
  }
  if (jitter !== 'decorrelated') checkJitter(jitter, where)
  return withDelays({ kind: 'exponential', baseMs: base, factor, capMs: cap, jitter })
}

/** Always the same delay. */
export function constant(ms: number, options: JitterOptions = {}): ConstantBackoff & Delays {
  const where = 'constant()'
  checkNames(options, ['jitter'], where)
  const { jitter = 'none' } = options
  const delay = duration(ms, DELAY, 'ms', where)
  checkJitter(jitter, where)
  return withDelays({ kind: 'constant', ms: delay, jitter })
}

/** One delay for each retry, 1 to 1,000 of them; the last one for all later retries. */
export function schedule(delaysMs: readonly number[], options: JitterOptions = {}): ScheduleBackoff & Delays {
  const where = 'schedule()'
  checkNames(options, ['jitter'], where)
  const { jitter = 'none' } = options
  if (!Array.isArray(delaysMs) || delaysMs.length === 0 || delaysMs.length > SCHEDULE_MAX) {
    throw invalidOption(`delaysMs to be an array of 1 to ${SCHEDULE_MAX} delays in ms`, delaysMs, where)
  }
  const delays = delaysMs.map((ms, index) => duration(ms, DELAY, `delaysMs[${index}]`, where))
  checkJitter(jitter, where)
  return withDelays({ kind: 'schedule', delaysMs: Object.freeze(delays), jitter })
}

/** Plain data, which is what is compared, shown and stored; what can be asked of it lies on its prototype. */
function withDelays<const B extends Backoff>(backoff: B): B & Delays {
  return Object.freeze(Object.assign(Object.create(DELAYS) as Delays, backoff))
}

const DELAYS: Delays = Object.freeze({
  delay(this: Backoff, attempt: number, options?: DelayOptions): number {
    return delayOf(toEngineBackoff(this, 'delay'), attempt, options)
  },
})

/** Checks a backoff, written by hand or by a builder, and puts it in the engine's form. */
export function toEngineBackoff(backoff: unknown, where: string): EngineBackoff {
  if (typeof backoff !== 'object' || backoff === null) {
    throw invalidOption('backoff to be exponential(), constant(), schedule() or a function', backoff, where)
  }
  const { kind, ...rest } = backoff as Backoff
  choice(kind, ['exponential', 'constant', 'schedule'], 'backoff.kind', where)
  switch (kind) {
    case 'exponential': {
      const { baseMs, factor, capMs, jitter } = exponential(rest as ExponentialOptions)
      return { kind, baseMs, factorMilli: Math.round(factor * 1_000), capMs, jitter: toEngineJitter(jitter) }
    }
    case 'constant': {
      const { ms, ...options } = rest as ConstantBackoff
      const checked = constant(ms, options)
      return { kind, ms: checked.ms, jitter: toEngineJitter(checked.jitter) }
    }
    case 'schedule': {
      const { delaysMs, ...options } = rest as ScheduleBackoff
      const checked = schedule(delaysMs, options)
      return { kind, delaysMs: [...checked.delaysMs], jitter: toEngineJitter(checked.jitter) }
    }
  }
}

/** A backoff of the engine as the call that gives it, for people. */
export function describeBackoff(backoff: EngineBackoff): string {
  const jitter = typeof backoff.jitter === 'string' ? `'${backoff.jitter}'` : backoff.jitter.fraction / 1_000
  const options = backoff.jitter === 'none' ? '' : `, { jitter: ${jitter} }`
  switch (backoff.kind) {
    case 'exponential': {
      const { baseMs, factorMilli, capMs } = backoff
      return `exponential({ baseMs: ${baseMs}, factor: ${factorMilli / 1_000}, capMs: ${capMs}, jitter: ${jitter} })`
    }
    case 'constant':
      return `constant(${backoff.ms}${options})`
    case 'schedule': {
      const first = backoff.delaysMs.slice(0, DESCRIBED_MAX).join(', ')
      return `schedule([${first}${backoff.delaysMs.length > DESCRIBED_MAX ? ', ...' : ''}]${options})`
    }
  }
}

function checkJitter(jitter: unknown, where: string): void {
  if (jitter === 'full' || jitter === 'equal' || jitter === 'none') return
  if (typeof jitter === 'number' && jitter >= 0 && jitter <= 1) return
  const words = where === EXPONENTIAL ? "'full', 'equal', 'decorrelated' or 'none'" : "'full', 'equal' or 'none'"
  throw invalidOption(`jitter to be a fraction from 0 to 1, ${words}`, jitter, where)
}

function toEngineJitter(jitter: Jitter): EngineJitter {
  return typeof jitter === 'number' ? { fraction: Math.round(jitter * 1_000) } : jitter
}
