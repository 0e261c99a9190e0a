/** From a body and its options to the record that enqueues it: checked as a whole before anything is written. */
import type { Admission } from './admission.js'
import { encodeBody, encodeHeaders } from './codec.js'
import type { Enqueue } from './engine/wire.gen.js'
import { messageOf } from './error-info.js'
import { AckboxError } from './errors.js'
import { ATTEMPTS, ENDLESS_ATTEMPTS, type LocalOptions } from './queue-options.js'
import type { EnqueueOptions } from './types.js'
import type { Range } from './validate.js'
import { checkNames, duration, instant, integer, integerOrInfinity, MAX_MS, optionalSignal, text } from './validate.js'

const NAMES = ['id', 'delayMs', 'at', 'ttlMs', 'priority', 'group', 'destination', 'maxAttempts', 'headers']
/** Of one enqueue. */
export const ENQUEUE_NAMES: readonly string[] = [...NAMES, 'signal']
/** Of one with the sequence of a producer. */
export const NUMBERED_NAMES: readonly string[] = [...NAMES, 'sequence']
/** Of one that is staged. */
export const STAGED_NAMES: readonly string[] = NAMES
/** Of one item of many. */
export const ITEM_NAMES: readonly string[] = [...ENQUEUE_NAMES, 'body']

/** Bytes of an id, a group, a destination, a name. */
export const KEY_BYTES_MAX = 256

const DELAY: Range = { min: 0, max: MAX_MS }
const TTL: Range = { min: Number.MIN_VALUE, max: MAX_MS }
const PRIORITY: Range = { min: 0, max: 255 }

/** What the target queue contributes. */
export interface EnqueueTarget {
  readonly queue: number
  readonly local: LocalOptions
  readonly maxBodyBytes: number
  readonly admission: Admission
}

/** The record of one message without options: the usual case, kept short. */
export function plainRecord(target: EnqueueTarget, body: unknown, where: string): Enqueue {
  const { local } = target
  const encoded = encodeBody(body, local.codec, target.maxBodyBytes, where)
  return {
    ticket: 0,
    queue: target.queue,
    priority: 0,
    id: derived(local.id, body, 'id', where, true),
    group: derived(local.group, body, 'group', where, false),
    destination: derived(local.destination, body, 'destination', where, false),
    body: encoded,
  }
}

/** The record of one message with options. */
export function recordOf(
  target: EnqueueTarget,
  body: unknown,
  options: EnqueueOptions,
  names: readonly string[],
  where: string,
): Enqueue {
  checkNames(options, names, where)
  const { local } = target
  const { id, delayMs, at, ttlMs, priority, group, destination, maxAttempts, headers } = options
  optionalSignal(options.signal, where)
  if (delayMs !== undefined && at !== undefined) {
    throw new AckboxError('ERR_INVALID_OPTION', `${where}: expected either delayMs or at, got both`)
  }
  const encoded = encodeBody(body, local.codec, target.maxBodyBytes, where)
  return {
    ticket: 0,
    queue: target.queue,
    delayMs: delayMs === undefined ? undefined : duration(delayMs, DELAY, 'delayMs', where),
    at: at === undefined ? undefined : instant(at, 'at', where),
    ttlMs: ttlMs === undefined ? undefined : duration(ttlMs, TTL, 'ttlMs', where),
    priority: priority === undefined ? 0 : integer(priority, PRIORITY, 'priority', where),
    maxAttempts:
      maxAttempts === undefined
        ? undefined
        : integerOrInfinity(maxAttempts, ATTEMPTS, ENDLESS_ATTEMPTS, 'maxAttempts', where),
    id: id === undefined ? derived(local.id, body, 'id', where, true) : key(id, 'id', where),
    group: group === undefined ? derived(local.group, body, 'group', where, false) : key(group, 'group', where),
    destination:
      destination === undefined
        ? derived(local.destination, body, 'destination', where, false)
        : key(destination, 'destination', where),
    headers: encodeHeaders(headers, where),
    body: encoded,
  }
}

/** A key that a function of the queue takes from the body. What it cannot take from it is the fault of the body. */
function derived(
  from: ((body: never) => unknown) | undefined,
  body: unknown,
  name: string,
  where: string,
  required: boolean,
): string | undefined {
  if (from === undefined) return undefined
  let value: unknown
  try {
    value = from(body as never)
  } catch (cause) {
    throw new AckboxError('ERR_INVALID_BODY', `${where}: the queue's ${name} function threw: ${messageOf(cause)}`, { cause })
  }
  if (value === undefined && !required) return undefined
  try {
    return key(value, `what the queue's ${name} function gives`, where)
  } catch (cause) {
    throw new AckboxError('ERR_INVALID_BODY', messageOf(cause), { cause })
  }
}

function key(value: unknown, name: string, where: string): string {
  text(value, KEY_BYTES_MAX, name, where)
  return value
}
