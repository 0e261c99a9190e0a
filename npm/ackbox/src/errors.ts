/** Errors of the public contract, what handlers throw, and how refusals are put into words. */

export { AckboxError, ERROR_CODES } from './ackbox-error.js'
export type {
  AckboxErrorInit,
  AckboxErrorOf,
  ErrorCode,
  ErrorDetails,
  ErrorDetailsByCode,
  LockedDetails,
} from './ackbox-error.js'
export { describe, expected, invalidOption, unknownOption } from './error-messages.js'
export { PermanentError, RetryAfterError } from './handler-errors.js'
export type { PermanentOptions, RetryAfterOptions } from './handler-errors.js'
export type { HeadersLike } from './retry-after.js'
