/**
 * The one error class of the package: a frozen table of codes, and typed details for each code.
 *
 * Errors are told apart by `code`, never by their text. The class carries a brand that is shared by all copies of the
 * package in a process (two versions installed side by side, two realms), so use `AckboxError.is(error)` rather than
 * `instanceof`.
 */

import { hasBrand } from './brand.js'
import type { StandardSchemaV1 } from './standard-schema.js'

/** Every code an `AckboxError` can have. */
export const ERROR_CODES = Object.freeze([
  'ERR_ALREADY_SETTLED',
  'ERR_BODY_TOO_LARGE',
  'ERR_CIRCUIT_OPEN',
  'ERR_CLOSED',
  'ERR_CORRUPT',
  'ERR_DEDUP_FULL',
  'ERR_ENGINE',
  'ERR_FENCED',
  'ERR_ID_CONFLICT',
  'ERR_ID_REQUIRED',
  'ERR_INVALID_BODY',
  'ERR_INVALID_OPTION',
  'ERR_LEASE_LOST',
  'ERR_LOCKED',
  'ERR_NEWER_FORMAT',
  'ERR_NOT_FOUND',
  'ERR_QUEUE_FULL',
  'ERR_STORAGE_FAILED',
  'ERR_STORAGE_FULL',
  'ERR_TIMEOUT',
  'ERR_UNAVAILABLE',
  'ERR_UNSUPPORTED',
] as const)

/** A code of the public contract. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/** What a code carries beside its message. A code that is not listed carries nothing. */
export interface ErrorDetailsByCode {
  /** When the circuit lets the next call through, in milliseconds since 1970. */
  ERR_CIRCUIT_OPEN: { readonly retryAt: number }
  /** The damaged place: number of the segment, and offset in it in bytes. */
  ERR_CORRUPT: { readonly segment: number; readonly offset: number }
  /** What the schema found, in its own words; absent when it was not the schema that refused. */
  ERR_INVALID_BODY: { readonly issues?: readonly StandardSchemaV1.Issue[] }
  ERR_LOCKED: LockedDetails
  /**
   * Of an enqueue whose outcome is unknown: the id of the message, or of the first; with `enqueueMany` of several also
   * `ids`, one for each item in their order. Enqueueing again with them is safe.
   */
  ERR_STORAGE_FAILED: { readonly id?: string; readonly ids?: readonly string[] }
}

/** Who owns the box. */
export interface LockedDetails {
  /** Process id of the owner, as its own pid namespace counts; absent where the platform has none. */
  readonly pid?: number
  /** Since when, in milliseconds since 1970; absent if the lock could not be read. */
  readonly since?: number
  /** True if the owner is this very process. */
  readonly sameProcess: boolean
}

/** The details of one code. */
export type ErrorDetails<C extends ErrorCode> = C extends keyof ErrorDetailsByCode
  ? ErrorDetailsByCode[C]
  : Readonly<Record<never, never>>

/** An `AckboxError` of one of the codes `C`, as a union that `switch (error.code)` narrows. */
export type AckboxErrorOf<C extends ErrorCode> = C extends ErrorCode ? AckboxError<C> : never

/** What an `AckboxError` is made with; `details` is required where the code has required ones. */
export type AckboxErrorInit<C extends ErrorCode> = { cause?: unknown } & (object extends ErrorDetails<C>
  ? { details?: ErrorDetails<C> }
  : { details: ErrorDetails<C> })

const BRAND = Symbol.for('ackbox.error')

/** The one error class of the package. */
export class AckboxError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'AckboxError'
  /** What went wrong, for programs. */
  readonly code: C
  /** What the code carries; an empty object for most. */
  readonly details: ErrorDetails<C>

  constructor(
    code: C,
    message: string,
    ...[init]: object extends AckboxErrorInit<C> ? [init?: AckboxErrorInit<C>] : [init: AckboxErrorInit<C>]
  ) {
    super(message, init?.cause === undefined ? undefined : { cause: init.cause })
    this.code = code
    this.details = Object.freeze({ ...init?.details }) as ErrorDetails<C>
  }

  /**
   * True if `error` is an `AckboxError` (of any copy of this package), and has `code` if one is given.
   *
   * ```ts
   * if (AckboxError.is(error, 'ERR_LOCKED')) console.log(error.details.pid)
   * ```
   */
  static is<C extends ErrorCode = ErrorCode>(error: unknown, code?: C): error is AckboxErrorOf<C> {
    return hasBrand(error, BRAND) && (code === undefined || (error as AckboxError).code === code)
  }
}
Object.defineProperty(AckboxError.prototype, BRAND, { value: true })
