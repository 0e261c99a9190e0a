/**
 * What a receiver needs of the queue that it feeds, and users do not see. Under a symbol, which is the same in every copy
 * of this package: `ackbox/http` may come from another one than the box.
 */
import type { Clock } from './clock.js'
import type { DedupOptions } from './queue-options.js'

/** Under this key a queue holds its side of a receiver. */
export const RECEIVING: unique symbol = Symbol.for('ackbox.receiving') as never

/** A queue, as its receiver sees it. */
export interface Receiving {
  readonly clock: Clock
  /** Bytes of one encoded body at most. */
  readonly maxBodyBytes: number
  /** Whether it has a codec; without one, bodies are JSON. */
  readonly hasCodec: boolean
  /**
   * Names what was never named of how ids are remembered, without a warning.
   *
   * @throws `ERR_CLOSED`, and `ERR_UNSUPPORTED` in a box that is only looked at
   */
  nameDedup(options: Readonly<Pick<DedupOptions, 'windowMs' | 'whenFull'>>, where: string): void
  /** For how long after its end an id is known for certain: less than configured where ids were forgotten for lack of room. */
  windowMs(): number
  /** Whether ids outlive their messages: `dedup.windowMs: 0` forgets each as its message finishes. */
  remembersIds(): boolean
  warn(message: string, cause: unknown): void
}

/** The queue's side, or `undefined` for what is no queue. */
export function receivingOf(queue: unknown): Receiving | undefined {
  if (typeof queue !== 'object' || queue === null) return undefined
  return (queue as { readonly [RECEIVING]?: Receiving })[RECEIVING]
}
