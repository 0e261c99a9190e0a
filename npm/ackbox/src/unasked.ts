/** Errors that were thrown before anybody was asked: they say nothing of what the handler calls. */
import { hasBrand } from './brand.js'

/** The same in every copy of this package. */
const UNASKED = Symbol.for('ackbox.unasked')

/** Marks an error as one that was thrown before the call. */
export function unasked<E extends Error>(error: E): E {
  Object.defineProperty(error, UNASKED, { value: true })
  return error
}

/** Whether it was thrown before the call. */
export function isUnasked(error: unknown): boolean {
  return hasBrand(error, UNASKED)
}
