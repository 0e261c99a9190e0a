/** Definitions of queues, shared by those who enqueue and those who handle. */
import type { Queue } from './api.js'
import { KEY_BYTES_MAX } from './enqueue-options.js'
import { invalidOption } from './errors.js'
import { type QueueOptions, splitQueueOptions } from './queue-options.js'
import { checkNames, text } from './validate.js'

/** Where a definition carries the types of its queue. It never has a value. */
declare const types: unique symbol

/** Name, options and types of a queue, independent of any box. Made by {@link defineQueue}. */
export interface QueueDefinition<T = unknown, R = void, Out = T> {
  readonly name: string
  readonly options: QueueOptions<T, Out>
  /** Never there: only for the compiler. */
  readonly [types]?: Queue<T, R, Out>
}

/** The type of the queue that a definition gives: `QueueOf<typeof orders>`. */
export type QueueOf<D> = D extends QueueDefinition<infer T, infer R, infer Out> ? Queue<T, R, Out> : never

/**
 * Defines a queue for bodies of type `T` and handlers that give `R`, once for everybody who uses it:
 * `box.queue(definition)` in each program gives the same queue with the same types. Options are checked here, so a wrong
 * one throws `ERR_INVALID_OPTION` where it is written.
 */
export function defineQueue<T = unknown, R = void, Out = T>(
  name: string,
  options: QueueOptions<T, Out> = {},
): QueueDefinition<T, R, Out> {
  text(name, KEY_BYTES_MAX, 'the name of a queue', 'defineQueue')
  splitQueueOptions(options as unknown as QueueOptions<never, unknown>, `queue '${name}'`)
  return Object.freeze({ name, options: Object.freeze({ ...options }) })
}

/** Name and options of a queue, given apart or as a definition. */
export function nameAndOptions(
  given: unknown,
  options: unknown,
  where: string,
): { readonly name: string; readonly options: QueueOptions<never, unknown> } {
  let name = given
  let named = options
  if (typeof given === 'object' && given !== null) {
    if (options !== undefined) throw invalidOption('no options beside those of the definition', options, where)
    checkNames(given, ['name', 'options'], where)
    ;({ name, options: named } = given as Partial<QueueDefinition>)
  }
  text(name, KEY_BYTES_MAX, 'the name of a queue', where)
  return { name, options: (named === undefined ? {} : named) as QueueOptions<never, unknown> }
}
