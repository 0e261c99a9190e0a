/** What the engine refuses or fails with, as errors of the contract. */
import type { Failure } from './engine/engine.js'
import { messageOf } from './error-info.js'
import { AckboxError, type ErrorCode } from './errors.js'

/** A refusal; `storageError` is what the storage last failed with. */
export function refusal({ code, message, id, ids, segment, offset }: Failure, storageError: unknown): AckboxError {
  const details: Record<string, unknown> = {}
  if (id !== undefined) details['id'] = id
  if (ids !== undefined) details['ids'] = Object.freeze(ids)
  if (segment !== undefined) details['segment'] = segment
  if (offset !== undefined) details['offset'] = offset
  const cause = code === 'ERR_STORAGE_FAILED' || code === 'ERR_STORAGE_FULL' ? storageError : undefined
  // The engine knows no more than that there is no room; the storage may know how much there was.
  const text = code === 'ERR_STORAGE_FULL' && AckboxError.is(cause, code) ? `${message}: ${cause.message}` : message
  return new AckboxError(code as ErrorCode as 'ERR_ENGINE', text, { details, cause } as never)
}

/** The end of an engine. */
export function engineFailure(cause: unknown): AckboxError {
  if (AckboxError.is(cause, 'ERR_ENGINE')) return cause
  return new AckboxError('ERR_ENGINE', `the engine failed and its box is unusable: ${messageOf(cause)}`, { cause })
}
