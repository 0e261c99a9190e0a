/** Delays without a queue: the numbers of the engine, for a seed, a message and an attempt. */
import type { Backoff } from './engine/objects.js'
import { standaloneEngine } from './engine/standalone.js'
import { invalidOption } from './errors.js'
import type { Range } from './validate.js'
import { checkNames, integer } from './validate.js'

/** Which delay it is. Equal values give equal delays, in every engine. */
export interface DelayOptions {
  /** That of a box; fixes the jitter. Default: random, if there is no `id` either; drawn once a process, if there is one. */
  readonly seed?: string | number | undefined
  /** That of a message, or whatever else tells one thing that is tried again from another. Default: `''`. */
  readonly id?: string | undefined
}

const ATTEMPT: Range = { min: 1, max: 2 ** 32 - 1 }

/** The seed of those who name none. */
const processSeed = crypto.randomUUID()

/** Milliseconds after the attempt with this number, from 1; `floorMs` at least and spread from there, if it is given. */
export function delayOf(backoff: Backoff, attempt: number, options: DelayOptions = {}, floorMs?: number): number {
  const where = 'delay'
  checkNames(options, ['seed', 'id'], where)
  const number = integer(attempt, ATTEMPT, 'the attempt', where)
  const { seed, id } = options
  checkSeed(seed, where)
  if (id !== undefined && typeof id !== 'string') throw invalidOption('id to be a string', id, where)
  const isRandom = seed === undefined && id === undefined
  const message = isRandom ? crypto.randomUUID() : (id ?? '')
  return standaloneEngine().backoffDelay(backoff, String(seed ?? processSeed), message, number, floorMs)
}

/** A seed of jitter, or none. */
export function checkSeed(seed: unknown, where: string): void {
  if (seed === undefined || typeof seed === 'string' || Number.isFinite(seed)) return
  throw invalidOption('seed to be a string or a number', seed, where)
}
