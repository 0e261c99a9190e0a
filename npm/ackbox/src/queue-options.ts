/** Options of a queue: what they are, and how they split into what the engine keeps and what lives in this process. */
import { exponential, toEngineBackoff, type Backoff, type BackoffFunction } from './backoff.js'
import { checkCodec, type Codec } from './codec.js'
import type { QueueOptions as EngineOptions } from './engine/objects.js'
import { KEY_BYTES_MAX } from './enqueue-options.js'
import { checkSchema } from './schema.js'
import type { StandardSchemaV1 } from './standard-schema.js'
import type { DeathNotice, Guarantee } from './types.js'
import type { Range } from './validate.js'
import { callable, checkNames, choice, duration, integer, integerOrInfinity, MAX_MS, text } from './validate.js'

/**
 * Options of `queue`, for bodies that are enqueued as `T` and delivered as `Out`. Named, they apply from now on and
 * survive reopening; functions, `codec` and `schema` do not survive. Options that are not named, or are `undefined`,
 * change nothing: what was named is replaced by naming something else, never by leaving it out. An `id` function, a
 * `codec` or a `schema` therefore stays until the box is closed; a `group` or `destination` function that gives
 * `undefined` is as good as none.
 */
export interface QueueOptions<T = unknown, Out = T> {
  /**
   * Default `'at-least-once'`. With `'exactly-once'` every message needs an id of its own or of the queue's `id` function,
   * else `ERR_ID_REQUIRED`. A queue cannot become that while it holds unfinished messages or dead letters without one:
   * `box.queue` throws `ERR_ID_REQUIRED` and changes nothing.
   */
  readonly guarantee?: Guarantee | undefined
  /** Deliveries of one message at most, 1 or more, or `Infinity`. Default 6. */
  readonly maxAttempts?: number | undefined
  /** No retry later than this after the first delivery, or `Infinity`. Default: none. */
  readonly maxRetryMs?: number | undefined
  /**
   * Default `exponential()`: 1, 2, 4, 8, 16 s, at most 5 minutes, 10 % jitter. A policy replaces a function and the
   * other way round. A function is asked when a handler throws or a delivery is rejected; the default applies where
   * it is not there to be asked: after a lease that ran out, and in a run that does not name it.
   */
  readonly backoff?: Backoff | BackoffFunction | undefined
  /**
   * Exclusive claim of a delivery, 1 or more; extended while a handler runs, not for `dequeue`. One that runs out ends its
   * attempt like any that failed: the backoff follows. Default 30,000.
   */
  readonly leaseMs?: number | undefined
  /**
   * The id of a message, so that all producers agree; the `id` of an enqueue goes first. A body from which it gives none
   * or for which it throws is `ERR_INVALID_BODY`, as with `group` and `destination`. Default: generated.
   */
  readonly id?: ((body: T) => string) | undefined
  /** The ordering key of a message; `undefined` for none. The `group` of an enqueue goes first. */
  readonly group?: ((body: T) => string | undefined) | undefined
  /** What a message goes to; `undefined` for none. The `destination` of an enqueue goes first. */
  readonly destination?: ((body: T) => string | undefined) | undefined
  /** Each member is an option of its own: one that is not named changes nothing. */
  readonly dedup?: DedupOptions | undefined
  /** Messages at most, dead letters included. Default 10,000,000. */
  readonly maxDepth?: number | undefined
  /** Bytes of messages at most, dead letters included, or `Infinity`. Default: none. */
  readonly maxBytes?: number | undefined
  /** Bytes of one encoded body at most, up to 8 MiB. Default 1 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** Bytes of one encoded result at most, up to 8 MiB. Default 64 KiB. */
  readonly maxResultBytes?: number | undefined
  /** `'block'`: a group waits until its dead letter is redriven or removed. Default `'continue'`. */
  readonly groupOnDead?: 'continue' | 'block' | undefined
  /**
   * The name of a queue that gets a {@link DeathNotice} for every dead letter, durable with it: for compensation that
   * nothing loses. It is created when there is none. Where it is full, the dead letter stands alone and a `warning` tells.
   * Another queue, and no row of queues that leads back here; `null`: none again. Default: none.
   */
  readonly deadLetterTo?: string | null | undefined
  /** `retainMs`: how long dead letters are kept, or `Infinity`. Default: until they are removed. */
  readonly dead?: { readonly retainMs?: number | undefined } | undefined
  /**
   * How long the past attempts of completed messages are kept, for `get(id).history`, and of how many messages at most:
   * the latest. They go with the id, so not beyond `dedup.windowMs`. Both members have to be named; `windowMs: 0` keeps
   * none. Default: none.
   */
  readonly history?: { readonly windowMs?: number | undefined; readonly maxEntries?: number | undefined } | undefined
  /** How bodies become bytes. Default: JSON. */
  readonly codec?: Codec<T> | undefined
  /**
   * Any Standard Schema (Zod, Valibot, ArkType and others). Bodies are checked before they are enqueued, and stored as
   * they were given; what it refuses rejects with `ERR_INVALID_BODY` and its `issues`. Handlers get its output, parsed
   * at delivery; what it refuses then is dead-lettered as `invalid`. If it throws or rejects, which says nothing about
   * the body, an enqueue rejects and a delivery is tried again as if the handler had thrown.
   *
   * Where it is asynchronous, enqueues keep the order of their calls: each waits for those before it, in this queue
   * and this process. Default: none.
   */
  readonly schema?: StandardSchemaV1<T, Out> | undefined
}

/** How ids are remembered. */
export interface DedupOptions {
  /** For how long after a message finished. Default 86,400,000: a day. */
  readonly windowMs?: number | undefined
  /** Ids at most. Default 4,000,000. */
  readonly maxEntries?: number | undefined
  /**
   * `'reject'`: `ERR_DEDUP_FULL`. `'shorten'`: the earliest finished are forgotten, with a warning. Default `'reject'` in
   * exactly-once, else `'shorten'`.
   */
  readonly whenFull?: 'reject' | 'shorten' | undefined
  /** What makes two enqueues with one id the same. Default `'body'`; `'id'` ignores the body. */
  readonly compare?: 'body' | 'id' | undefined
}

/** The part of the options that lives in this process. */
export interface LocalOptions {
  readonly id?: (body: never) => unknown
  readonly group?: (body: never) => unknown
  readonly destination?: (body: never) => unknown
  readonly codec?: Codec<never>
  readonly schema?: StandardSchemaV1
  readonly backoff?: BackoffFunction | undefined
}

/** Stands for "without limit" in the engine. */
export const ENDLESS_ATTEMPTS = 2 ** 32 - 1
export const ATTEMPTS: Range = { min: 1, max: 1_000_000_000 }

const TIME: Range = { min: 0, max: MAX_MS }
const LEASE: Range = { min: 1, max: MAX_MS }
const COUNT: Range = { min: 1, max: Number.MAX_SAFE_INTEGER }
const ENTRIES: Range = { min: 0, max: Number.MAX_SAFE_INTEGER }
const BODY: Range = { min: 1, max: 8 << 20 }
const RESULT: Range = { min: 0, max: 8 << 20 }

const ENGINE_NAMES = [
  'guarantee', 'maxAttempts', 'maxRetryMs', 'backoff', 'leaseMs', 'dedup', 'maxDepth', 'maxBytes', 'maxBodyBytes',
  'maxResultBytes', 'groupOnDead', 'dead', 'history', 'deadLetterTo',
] as const
const LOCAL_NAMES = ['id', 'group', 'destination', 'codec', 'schema'] as const
const NAMES = [...ENGINE_NAMES, ...LOCAL_NAMES]

/** Checks the options and splits them; options that are not named are absent in both parts. */
export function splitQueueOptions(options: QueueOptions<never, unknown>, where: string): { engine: EngineOptions; local: LocalOptions } {
  checkNames(options, NAMES, where)
  return { engine: engineOptions(options, where), local: localOptions(options, where) }
}

function engineOptions(options: QueueOptions<never, unknown>, where: string): EngineOptions {
  const engine: EngineOptions = {}
  const { guarantee, maxAttempts, maxRetryMs, backoff, dedup, dead, history, maxBytes, groupOnDead, deadLetterTo } = options
  if (guarantee !== undefined) {
    engine.guarantee = choice(guarantee, ['at-most-once', 'at-least-once', 'exactly-once'], 'guarantee', where)
  }
  if (maxAttempts !== undefined) {
    engine.maxAttempts = integerOrInfinity(maxAttempts, ATTEMPTS, ENDLESS_ATTEMPTS, 'maxAttempts', where)
  }
  if (backoff !== undefined) {
    engine.backoff = toEngineBackoff(typeof backoff === 'function' ? exponential() : backoff, where)
  }
  if (maxRetryMs !== undefined) engine.maxRetryMs = endlessDuration(maxRetryMs, 'maxRetryMs', where)
  if (options.leaseMs !== undefined) engine.leaseMs = duration(options.leaseMs, LEASE, 'leaseMs', where)
  if (options.maxDepth !== undefined) engine.maxDepth = integer(options.maxDepth, COUNT, 'maxDepth', where)
  if (maxBytes !== undefined) {
    engine.maxBytes = integerOrInfinity(maxBytes, COUNT, Number.MAX_SAFE_INTEGER, 'maxBytes', where)
  }
  if (options.maxBodyBytes !== undefined) engine.maxBodyBytes = integer(options.maxBodyBytes, BODY, 'maxBodyBytes', where)
  if (options.maxResultBytes !== undefined) {
    engine.maxResultBytes = integer(options.maxResultBytes, RESULT, 'maxResultBytes', where)
  }
  if (deadLetterTo !== undefined) {
    if (deadLetterTo !== null) text(deadLetterTo, KEY_BYTES_MAX, 'deadLetterTo', where)
    engine.deadLetterTo = deadLetterTo ?? ''
  }
  if (groupOnDead !== undefined) engine.groupOnDead = choice(groupOnDead, ['continue', 'block'], 'groupOnDead', where)
  if (dedup !== undefined) engine.dedup = dedupOptions(dedup, `${where}: dedup`)
  if (dead !== undefined) {
    checkNames(dead, ['retainMs'], `${where}: dead`)
    if (dead.retainMs !== undefined) engine.dead = { retainMs: endlessDuration(dead.retainMs, 'dead.retainMs', where) }
  }
  if (history !== undefined) engine.history = historyOptions(history, `${where}: history`)
  return engine
}

function historyOptions(history: QueueOptions['history'] & object, where: string): EngineOptions['history'] {
  checkNames(history, ['windowMs', 'maxEntries'], where)
  const { windowMs, maxEntries } = history
  const engine: EngineOptions['history'] = {}
  if (windowMs !== undefined) engine.windowMs = duration(windowMs, TIME, 'windowMs', where)
  if (maxEntries !== undefined) engine.maxEntries = integer(maxEntries, ENTRIES, 'maxEntries', where)
  return engine
}

/** A hundred years stand for "never" in the engine, which keeps options that were named. */
function endlessDuration(value: unknown, name: string, where: string): number {
  return duration(value === Infinity ? MAX_MS : value, TIME, name, where)
}

function dedupOptions(dedup: DedupOptions, where: string): EngineOptions['dedup'] {
  checkNames(dedup, ['windowMs', 'maxEntries', 'whenFull', 'compare'], where)
  const engine: EngineOptions['dedup'] = {}
  const { windowMs, maxEntries, whenFull, compare } = dedup
  if (windowMs !== undefined) engine.windowMs = duration(windowMs, TIME, 'windowMs', where)
  if (maxEntries !== undefined) engine.maxEntries = integer(maxEntries, COUNT, 'maxEntries', where)
  if (whenFull !== undefined) engine.whenFull = choice(whenFull, ['reject', 'shorten'], 'whenFull', where)
  if (compare !== undefined) engine.compare = choice(compare, ['body', 'id'], 'compare', where)
  return engine
}

function localOptions(options: QueueOptions<never, unknown>, where: string): LocalOptions {
  const local: { -readonly [K in keyof LocalOptions]: LocalOptions[K] } = {}
  for (const name of ['id', 'group', 'destination'] as const) {
    const given = options[name]
    if (given === undefined) continue
    callable(given, name, where)
    local[name] = given
  }
  if (options.codec !== undefined) {
    checkCodec(options.codec, where)
    local.codec = options.codec
  }
  if (options.schema !== undefined) {
    checkSchema(options.schema, where)
    local.schema = options.schema
  }
  if (options.backoff !== undefined) local.backoff = typeof options.backoff === 'function' ? options.backoff : undefined
  return local
}
