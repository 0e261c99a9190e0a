/** Reads what scripts answer: codes of one character, and messages as they are stored. */

import type { MessageKey } from './message-key.js'
import { readMessage } from './sheet.js'
import { readHistory, readToken, readTrack } from './track.js'
import type { Accepted, ClaimedMessage, Inspected } from './transitions.js'
import type { Reply } from './transport.js'

/** As `lua/lib/accepting.lua` has them. */
const STATES = { R: 'ready', S: 'scheduled', L: 'leased', C: 'completed', D: 'dead', X: 'cancelled' } as const
const REFUSALS = { c: 'id-conflict', f: 'queue-full', u: 'dedup-full', x: 'unit-refused', e: 'fenced', o: 'too-far-ahead' } as const

/** What became of an enqueue. */
export function readAccepted(code: string): Accepted {
  if (code === 'a') return { status: 'accepted', state: 'ready' }
  if (code === 's') return { status: 'accepted', state: 'scheduled' }
  if (code === 't') return { status: 'duplicate', state: 'completed' }
  if (code in STATES) return { status: 'duplicate', state: STATES[code as keyof typeof STATES] }
  return { status: 'refused', why: REFUSALS[code as keyof typeof REFUSALS] }
}

/** What became of a settlement. */
export function readSettled(code: string): 'settled' | 'lost' {
  return code === 'k' ? 'settled' : 'lost'
}

/** A message that was leased: key, head and bytes as `claim` gives them. */
export function readClaimed(key: Buffer, head: Buffer, bytes: Buffer): ClaimedMessage {
  return {
    ...readMessage(key, bytes),
    token: readToken(head, 0),
    attempt: head.readUInt16BE(8),
    deaths: head.readUInt16BE(10),
    firstClaimAt: head.readUIntBE(12, 6),
    hasSteps: head[18] === 1,
  }
}

/** What `inspect` tells of one message; undefined: nothing is known. */
export function readInspected(key: MessageKey, [code, message, track, history, end]: Buffer[]): Inspected | undefined {
  if (code!.length === 0) return undefined
  const state = STATES[String(code) as keyof typeof STATES]
  if (message!.length === 0) {
    return { state, end: { at: end!.readUIntBE(1, 6), attempt: end!.readUInt16BE(15), result: end!.subarray(17) } }
  }
  return {
    state,
    message: readMessage(key, message!),
    ...(track!.length === 0 ? {} : { track: readTrack(track!) }),
    ...(history!.length === 0 ? {} : { history: readHistory(history!) }),
    ...(end!.length === 0 ? {} : { dueAt: Number(end) }),
  }
}

/** The codes of a reply, one for each item. */
export function codes(reply: Reply): string[] {
  return [...(reply as Buffer).toString('latin1')]
}
