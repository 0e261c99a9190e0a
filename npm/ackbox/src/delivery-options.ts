/** What the calls of a delivery are given, checked. */
import type { RejectOptions } from './api.js'
import { AckboxError } from './errors.js'
import type { Range } from './validate.js'
import { checkNames, duration, flag, MAX_MS } from './validate.js'

/** Of a rejection, and of what a backoff function gives. */
export const DELAY: Range = { min: 0, max: MAX_MS }
const EXTENSION: Range = { min: 1, max: MAX_MS }

/** How a delivery is rejected. */
export interface CheckedReject {
  readonly delayMs: number | undefined
  readonly dead: boolean
}

export function checkReject(options: RejectOptions, where: string): CheckedReject {
  checkNames(options, ['delayMs', 'dead'], where)
  const delayMs = options.delayMs === undefined ? undefined : duration(options.delayMs, DELAY, 'delayMs', where)
  const dead = flag(options.dead, 'dead', where)
  if (dead && delayMs !== undefined) {
    throw new AckboxError('ERR_INVALID_OPTION', `${where}: expected either delayMs or dead, got both`)
  }
  return { delayMs, dead }
}

export function checkExtension(ms: unknown, where: string): number {
  return duration(ms, EXTENSION, 'ms', where)
}

/** Where a call of a delivery stands, for its errors. */
export function placeOf(queue: string, id: string, call: string): string {
  return `queue '${queue}', message '${id}': ${call}`
}
