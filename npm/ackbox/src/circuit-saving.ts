/** A circuit breaker as JSON, and back. */
import { type BreakerOptions, checkBreakerNames } from './breaker-options.js'
import type { CircuitSnapshot } from './engine/breaker.js'
import { invalidOption } from './errors.js'

/** What `toJSON` gives: the state, and the options that are plain data. */
export interface CircuitBreakerJson extends CircuitSnapshot {
  readonly options: BreakerOptions
}

/** The options without functions, which no JSON holds. */
export function savedOptions(options: BreakerOptions): BreakerOptions {
  const data = Object.entries(options).filter(([, value]) => value !== undefined && typeof value !== 'function')
  return Object.fromEntries(data)
}

/** What was saved, checked as far as the engine does not check it. */
export function savedState(json: unknown, where: string): CircuitBreakerJson {
  const saved: unknown = typeof json === 'string' ? parse(json, where) : json
  if (typeof saved !== 'object' || saved === null || Array.isArray(saved)) {
    throw invalidOption('what toJSON() gave', json, where)
  }
  const { options = {} } = saved as Partial<CircuitBreakerJson>
  checkBreakerNames(options, [], `${where}: options`)
  return { ...(saved as CircuitBreakerJson), options }
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidOption('the text of what toJSON() gave', text, where)
  }
}
