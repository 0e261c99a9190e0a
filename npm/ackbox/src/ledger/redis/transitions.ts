/** What transitions of a ledger on Redis are asked with, and what they tell. */

import type { MessageKey } from './message-key.js'
import type { Settlement } from './settlement.js'
import type { Sheet, StoredMessage } from './sheet.js'
import type { AttemptEnd, Track } from './track.js'

/** Options of a queue that the server has to know. Numbers; 0 stands for none. */
export interface QueueSettings {
  readonly maxDepth?: number
  readonly maxBytes?: number
  readonly windowMs?: number
  readonly dedupMax?: number
  /** 1: with no room for ids the earliest that ended are forgotten; 0: the enqueue is refused. */
  readonly dedupShortens?: 0 | 1
  /** 1: a dead letter holds its group back. */
  readonly groupBlocks?: 0 | 1
}

/** What became of an enqueue. Only `accepted` and `scheduled` brought a message. */
export type Accepted =
  | { readonly status: 'accepted'; readonly state: 'ready' | 'scheduled' }
  | { readonly status: 'duplicate'; readonly state: 'ready' | 'scheduled' | 'leased' | 'completed' | 'dead' | 'cancelled' }
  | { readonly status: 'refused'; readonly why: 'id-conflict' | 'queue-full' | 'dedup-full' | 'unit-refused' | 'fenced' | 'too-far-ahead' }

/** What a claim asks for. */
export interface ClaimRequest {
  readonly max: number
  readonly leaseMs: number
  /** Of all messages together; one is always given. Default 8 MiB. */
  readonly maxBytes?: number
  /** Settles what it gives. */
  readonly atMostOnce?: boolean
  /** The caller waits if it gets less than it asked for: it is woken when there is more. */
  readonly wait?: boolean
  /** Over all workers of the queue. */
  readonly rate?: { readonly name: string; readonly limit: number; readonly perMs: number }
}

/** A message that was leased to this process. */
export interface ClaimedMessage extends StoredMessage {
  readonly token: number
  readonly attempt: number
  /** How often its lease ran out just before: whoever has it may want to run it alone. */
  readonly deaths: number
  readonly firstClaimAt: number
  readonly hasSteps: boolean
}

/** What a claim gave. */
export interface Claim {
  readonly messages: readonly ClaimedMessage[]
  readonly paused: boolean
  /** When there may be more without anybody telling, in ms since 1970; absent: nobody knows. */
  readonly moreAt?: number
}

/** One part of a transaction. */
export type TransactionItem =
  | { readonly kind: 'settle'; readonly queue: string; readonly settlement: Settlement }
  | { readonly kind: 'enqueue'; readonly queue: string; readonly sheet: Sheet }

/** What became of each part: all of them were carried out, or none. */
export interface TransactionResult {
  readonly done: boolean
  readonly items: readonly (Accepted | 'settled' | 'lost')[]
}

/** What is known of a message. */
export interface Inspected {
  readonly state: 'ready' | 'scheduled' | 'leased' | 'completed' | 'dead' | 'cancelled'
  readonly message?: StoredMessage
  readonly track?: Track
  readonly history?: readonly AttemptEnd[]
  readonly dueAt?: number
  /** Of one that ended: when, in which attempt, with which result. */
  readonly end?: { readonly at: number; readonly attempt: number; readonly result: Buffer }
}

/** A delivery of this process. */
export interface Lease {
  readonly key: MessageKey
  readonly token: number
}

/** A lease and how long it shall last from now. */
export interface Extension extends Lease {
  readonly ms: number
}

/** What became of a record of a step. */
export type Recorded = { readonly status: 'recorded' | 'lost' | 'full' } | { readonly status: 'known'; readonly result: Buffer }

/** Which part of a list. */
export interface PageOptions {
  /** Those from this time on. */
  readonly from?: number
  readonly offset?: number
  readonly limit?: number
}

/** One message of a list: when it died, is due, or its lease ends; 0 if it is ready. */
export interface PageEntry {
  readonly key: MessageKey
  readonly at: number
}
