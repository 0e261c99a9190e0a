/** What every storage says when it is asked for something that it cannot do. */

import { AckboxError } from '../errors.js'

/** A call before `open` or after `close`. */
export function notOpen(what: string, call: string): AckboxError<'ERR_CLOSED'> {
  return new AckboxError('ERR_CLOSED', `${what}: expected it to be open for ${call}, but it is closed`)
}

/** A call about a segment that does not exist. */
export function missingSegment(what: string, segment: number): AckboxError<'ERR_STORAGE_FAILED'> {
  return new AckboxError('ERR_STORAGE_FAILED', `${what}: expected segment ${segment} to exist, but there is none`)
}

/** A read past the end. */
export function shortRead(
  what: string,
  segment: number,
  offset: number,
  wanted: number,
  came: number,
): AckboxError<'ERR_STORAGE_FAILED'> {
  return new AckboxError(
    'ERR_STORAGE_FAILED',
    `${what}: expected ${wanted} bytes at offset ${offset} of segment ${segment}, but ${came} came`,
  )
}
