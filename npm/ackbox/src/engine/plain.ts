/**
 * Objects on their way into the engine. The bindings differ in what they make of `undefined` and of
 * numbers that JSON does not know, so neither gets to see them.
 */

import { invalidOption } from '../errors.js'

/** A copy without properties that are `undefined`; a number that is not finite is refused. */
export function plain(value: unknown, where: string): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw invalidOption('a finite number', value, where)
  }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item, index) => plain(item, `${where}[${index}]`))
  const copy: Record<string, unknown> = {}
  for (const [name, item] of Object.entries(value)) {
    if (item !== undefined) copy[name] = plain(item, `${where}.${name}`)
  }
  return copy
}
