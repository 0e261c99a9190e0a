/** Whether something that a user gives is a storage. */
import { invalidOption } from '../errors.js'
import { choice } from '../validate.js'
import type { Storage } from './storage.js'

const CALLS = ['open', 'append', 'read', 'truncate', 'remove', 'close'] as const

/** Refuses what lacks a call of the contract, or promises nothing that is known; `wanted` says what may come. */
export function checkStorage(target: unknown, wanted: string, where: string): asserts target is Storage {
  if (!hasFunctions(target, CALLS)) throw invalidOption(`${wanted} (an object with ${CALLS.join(', ')})`, target, where)
  choice((target as Storage).durability, ['power-loss', 'process-crash', 'none'], 'the durability of the storage', where)
}

/** Whether a value is an object that has these functions. */
export function hasFunctions(value: unknown, names: readonly string[]): value is object {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === 'function')
}
