/** What scripts publish: a hint each, which may be lost. Whoever waits for one looks by itself now and then. */

import type { MessageKey } from './message-key.js'

/** What was told. */
export type Wake =
  /** There is something to claim. */
  | { readonly kind: 'work'; readonly queue: string }
  /** A message ended that somebody watches. */
  | { readonly kind: 'end'; readonly queue: string; readonly key: MessageKey }
  /** A worker parked a destination until then, or found it well again (0). */
  | { readonly kind: 'circuit'; readonly queue: string; readonly destination: string; readonly until: number }

const KEY_BYTES = 16

/** Reads a message of the channel; undefined: it is of a kind that a newer version tells. */
export function readWake(message: Buffer): Wake | undefined {
  const space = message.indexOf(' ')
  const kind = message.toString('latin1', 0, space)
  const rest = message.subarray(space + 1)
  if (kind === 'work') return { kind, queue: rest.toString() }
  if (kind === 'end') return { kind, key: Buffer.from(rest.subarray(0, KEY_BYTES)), queue: rest.toString('utf8', KEY_BYTES) }
  if (kind !== 'circuit') return undefined
  const digits = rest.indexOf(' ')
  const length = Number(rest.toString('latin1', 0, digits))
  const queue = rest.toString('utf8', digits + 1, digits + 1 + length)
  const tail = rest.toString('utf8', digits + 2 + length)
  const gap = tail.indexOf(' ')
  return { kind, queue, until: Number(tail.slice(0, gap)), destination: tail.slice(gap + 1) }
}
