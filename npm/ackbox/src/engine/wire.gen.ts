// Generated from the records of crates/wire by `cargo xtask codegen`. Do not edit: a test of that
// crate compares this file with what it prints.

import { RecordReader, RecordView, RecordWriter, roomFor } from './records.js'

/** Numbers of the records to the engine. */
export const InputKind = {
  enqueue: 1,
  batch: 2,
  settle: 3,
  returned: 4,
  extend: 5,
  dequeue: 6,
  stopWaiting: 7,
  abandoned: 8,
  finished: 9,
  idle: 10,
  declined: 11,
  editDead: 12,
  recordStep: 13,
  recallStep: 14,
  transaction: 15,
  appended: 16,
  appendFailed: 17,
  chunk: 18,
  readFailed: 19,
  truncated: 20,
  removed: 21,
  maintenanceFailed: 22,
  produce: 24,
  began: 25,
  excused: 26,
  move: 27,
  refused: 23,
  takeIn: 28,
  claimDone: 29,
  loseClaim: 30,
} as const

/** Numbers of the records from the engine. */
export const OutputKind = {
  append: 33,
  read: 34,
  truncate: 35,
  remove: 36,
  deliver: 37,
  abort: 38,
  receipt: 39,
  reply: 40,
  body: 41,
  event: 42,
  notice: 43,
  want: 44,
  settlement: 45,
  transit: 46,
} as const

/** What became of a delivery. */
export const Verdict = {
  ack: 0,
  reject: 1,
  dead: 2,
  retryAt: 3,
  return: 4,
  putOff: 5,
} as const

/** Names of `Verdict`. */
export type VerdictName =
  | 'ack'
  | 'reject'
  | 'dead'
  | 'retry-at'
  | 'return'
  | 'put-off'

/** The name of each `Verdict` by its number; 0 is none where it is not used. */
export const verdictNames: readonly (VerdictName | undefined)[] = [
  'ack',
  'reject',
  'dead',
  'retry-at',
  'return',
  'put-off',
]

/** How a reply answers: by its value, or with an object or a refusal to take. */
export const ReplyCode = {
  value: 0,
  object: 1,
  failure: 2,
} as const

/** Names of `ReplyCode`. */
export type ReplyCodeName =
  | 'value'
  | 'object'
  | 'failure'

/** The name of each `ReplyCode` by its number; 0 is none where it is not used. */
export const replyCodeNames: readonly (ReplyCodeName | undefined)[] = [
  'value',
  'object',
  'failure',
]

/** Why a message is dead, or why an attempt ended. */
export const Reason = {
  exhausted: 1,
  timeout: 2,
  leaseExpired: 3,
  ownerDied: 4,
  permanent: 5,
  expired: 6,
  invalid: 7,
  corrupt: 8,
  circuitOpen: 9,
  refused: 10,
} as const

/** Names of `Reason`. */
export type ReasonName =
  | 'exhausted'
  | 'timeout'
  | 'lease-expired'
  | 'owner-died'
  | 'permanent'
  | 'expired'
  | 'invalid'
  | 'corrupt'
  | 'circuit-open'
  | 'refused'

/** The name of each `Reason` by its number; 0 is none where it is not used. */
export const reasonNames: readonly (ReasonName | undefined)[] = [
  undefined,
  'exhausted',
  'timeout',
  'lease-expired',
  'owner-died',
  'permanent',
  'expired',
  'invalid',
  'corrupt',
  'circuit-open',
  'refused',
]

/** A state as users see it. */
export const MessageState = {
  scheduled: 0,
  ready: 1,
  leased: 2,
  completed: 3,
  dead: 4,
  cancelled: 5,
} as const

/** Names of `MessageState`. */
export type MessageStateName =
  | 'scheduled'
  | 'ready'
  | 'leased'
  | 'completed'
  | 'dead'
  | 'cancelled'

/** The name of each `MessageState` by its number; 0 is none where it is not used. */
export const messageStateNames: readonly (MessageStateName | undefined)[] = [
  'scheduled',
  'ready',
  'leased',
  'completed',
  'dead',
  'cancelled',
]

/** Why a delivery became invalid. */
export const AbortReason = {
  leaseLost: 1,
  closed: 2,
  timeout: 3,
  ranOut: 4,
} as const

/** Names of `AbortReason`. */
export type AbortReasonName =
  | 'lease-lost'
  | 'closed'
  | 'timeout'
  | 'ran-out'

/** The name of each `AbortReason` by its number; 0 is none where it is not used. */
export const abortReasonNames: readonly (AbortReasonName | undefined)[] = [
  undefined,
  'lease-lost',
  'closed',
  'timeout',
  'ran-out',
]

/** A kind of queue event; `1 << code` in the mask of a `listen` request. */
export const EventKind = {
  enqueued: 0,
  started: 1,
  completed: 2,
  failed: 3,
  retry: 4,
  dead: 5,
  stalled: 6,
  duplicate: 7,
  drained: 8,
  paused: 9,
  resumed: 10,
  changed: 11,
  circuit: 12,
} as const

/** Names of `EventKind`. */
export type EventKindName =
  | 'enqueued'
  | 'started'
  | 'completed'
  | 'failed'
  | 'retry'
  | 'dead'
  | 'stalled'
  | 'duplicate'
  | 'drained'
  | 'paused'
  | 'resumed'
  | 'changed'
  | 'circuit'

/** The name of each `EventKind` by its number; 0 is none where it is not used. */
export const eventKindNames: readonly (EventKindName | undefined)[] = [
  'enqueued',
  'started',
  'completed',
  'failed',
  'retry',
  'dead',
  'stalled',
  'duplicate',
  'drained',
  'paused',
  'resumed',
  'changed',
  'circuit',
]

/** Whether a circuit lets messages through. */
export const CircuitState = {
  closed: 0,
  open: 1,
  halfOpen: 2,
  isolated: 3,
  disabled: 4,
} as const

/** Names of `CircuitState`. */
export type CircuitStateName =
  | 'closed'
  | 'open'
  | 'half-open'
  | 'isolated'
  | 'disabled'

/** The name of each `CircuitState` by its number; 0 is none where it is not used. */
export const circuitStateNames: readonly (CircuitStateName | undefined)[] = [
  'closed',
  'open',
  'half-open',
  'isolated',
  'disabled',
]

/** How a message that was claimed of a remote ledger goes back, or ends. */
export const Fate = {
  completed: 0,
  again: 1,
  dead: 2,
  returned: 3,
} as const

/** Names of `Fate`. */
export type FateName =
  | 'completed'
  | 'again'
  | 'dead'
  | 'returned'

/** The name of each `Fate` by its number; 0 is none where it is not used. */
export const fateNames: readonly (FateName | undefined)[] = [
  'completed',
  'again',
  'dead',
  'returned',
]

/** Accept one message: answered by a receipt or a failed reply. */
export interface Enqueue {
  ticket: number
  /** Not delivered before now plus this. */
  delayMs?: number | undefined
  /** Not delivered before this instant; never given together with a delay. */
  at?: number | undefined
  /** No delivery starts later than now plus this. */
  ttlMs?: number | undefined
  /** The queue's when none; 2^32 - 1 is without limit. */
  maxAttempts?: number | undefined
  /** Where to. */
  queue: number
  /** 0 to 255, higher first. */
  priority: number
  /** The caller's identity, 1 to 256 bytes; generated when none. */
  id?: string | undefined
  /** Ordering key. */
  group?: string | undefined
  /** What it goes to. */
  destination?: string | undefined
  /** Encoded headers. */
  headers?: string | Uint8Array | undefined
  /** Encoded body. */
  body?: string | Uint8Array | undefined
}

/** The next `count` records are enqueues of one atomic batch; their own tickets are not used. */
export interface Batch {
  ticket: number
  /** How many follow. */
  count: number
}

/** End a delivery. Answered by a reply unless the ticket is 0. */
export interface Settle {
  ticket: number
  /** The delivery. */
  token: number
  /** `Reject`, `PutOff`: delay in ms instead of the backoff. `RetryAt`: the instant. */
  when?: number | undefined
  /** One of `Verdict`. */
  verdict: number
  /** `Dead`: one of `Reason`, else 0. */
  reason: number
  /** The handler is done as well. */
  returned: boolean
  /** `RetryAt`, `PutOff`: this delivery counts as an attempt. */
  costsAttempt: boolean
  /** `RetryAt`, `PutOff`: a circuit breaker counts it as a failure. */
  countsAsFailure: boolean
  /** Encoded result of an ack. */
  result?: string | Uint8Array | undefined
  /** Encoded error of a rejection. */
  error?: string | Uint8Array | undefined
}

/** The handler of a delivery that was settled, lost or abandoned before is done. */
export interface Returned {
  token: number
}

/** Prolong a lease: it ends `ms` from now. Answered by a reply. */
export interface Extend {
  ticket: number
  /** The delivery. */
  token: number
  /** Milliseconds from now. */
  ms: number
}

/** Claim messages for manual settling. Answered by deliveries, then a reply with their number. */
export interface Dequeue {
  ticket: number
  /** Lease; the queue's when none. */
  leaseMs?: number | undefined
  /** How long to wait for a first message; 0: not at all. */
  waitMs: number
  /** From where. */
  queue: number
  /** At most so many, at least 1. */
  max: number
}

/** Give up a waiting dequeue (its own ticket): it is answered with what it has. Or a waiting */
export interface StopWaiting {
  ticket: number
}

/** The handler of a delivery was told to stop and is not waited for: an open one is given back. */
export interface Abandoned {
  token: number
}

/** Wait for the end of a message. Answered by a reply with its outcome. */
export interface Finished {
  ticket: number
  /** Whose. */
  queue: number
  /** Of the message. */
  id?: string | undefined
}

/** Wait until nothing of a queue is ready or being handled. Answered by a reply. */
export interface Idle {
  ticket: number
  /** Which one. */
  queue: number
}

/** No code of the user saw a delivery, and none will: it is taken back as if it had not been handed out. */
export interface Declined {
  token: number
}

/** Give a dead letter another content. Answered by a reply: 1, or 0 if there is none with this id. */
export interface EditDead {
  ticket: number
  /** Where it is. */
  queue: number
  /** The headers are replaced. */
  hasHeaders: boolean
  /** The body is replaced. */
  hasBody: boolean
  /** Of the letter. */
  id?: string | undefined
  /** Encoded headers. */
  headers?: string | Uint8Array | undefined
  /** Encoded body. */
  body?: string | Uint8Array | undefined
}

/** Record what a step of a delivery's message gave. Answered by a reply once that is durable. */
export interface RecordStep {
  ticket: number
  /** The delivery. */
  token: number
  /** It gave a result. */
  hasResult: boolean
  /** Of the step. */
  name?: string | undefined
  /** Encoded result. */
  result?: string | Uint8Array | undefined
}

/** Ask what a step of a delivery's message gave. Answered by a reply: 0, nothing is recorded; 1, it gave */
export interface RecallStep {
  ticket: number
  /** The delivery. */
  token: number
  /** Of the step. */
  name?: string | undefined
}

/** The next records are settlements and then enqueues that become durable together or not at all; their own */
export interface Transaction {
  ticket: number
  /** Settlements that follow. */
  settles: number
  /** Enqueues that follow them. */
  enqueues: number
}

/** The one append in flight failed. */
export interface AppendFailed {
  /** It wrote nothing at all, so the box lives on. */
  clean: boolean
}

/** What a read returned. */
export interface Chunk {
  read: number
  /** Exactly the bytes asked for. */
  bytes?: string | Uint8Array | undefined
}

/** A read failed. */
export interface ReadFailed {
  read: number
}

/** A segment was removed. */
export interface Removed {
  /** Which one. */
  segment: number
}

/** The next record is the enqueue of a producer's sequence; its own ticket is not used. Answered by a receipt (its id is */
export interface Produce {
  ticket: number
  /** Of the handle. */
  epoch: number
  /** From 1. */
  sequence: number
  /** Its number. */
  producer: number
}

/** Code of the user sees a delivery from now on, which was handed out before; in at-most-once to be told */
export interface Began {
  token: number
}

/** What is to be known of the end of a delivery, which follows. */
export interface Excused {
  token: number
  /** It is no failure of the destination. */
  blameless: boolean
  /** A failure costs no attempt: it was a probe of the host's own breaker. */
  free: boolean
  /** The destination was not asked. */
  unasked: boolean
}

/** The next records are the enqueues that the host kept in its inbox under one key; their own tickets are not used. */
export interface Move {
  ticket: number
  /** The key that was moved before. */
  after: number
  /** Its own. */
  inboxKey: number
  /** Since when the host has had them, in ms since 1970. */
  leftAt: number
  /** How many follow. */
  count: number
  /** They become dead letters. */
  refused: boolean
  /** Encoded error of these. */
  error?: string | Uint8Array | undefined
  /** For each of them a byte: 1 if its id was made by the host, and is no caller's. */
  hostIds?: string | Uint8Array | undefined
}

/** A settlement in flight was refused by the remote ledger, for its lease was gone. Told ahead of `Appended`. */
export interface Refused {
  token: number
}

/** A message that was claimed of a remote ledger for this engine. Nothing is answered. */
export interface TakeIn {
  token: number
  /** When it was accepted. */
  enqueuedAt: number
  /** When its first delivery was claimed. */
  firstDelivery: number
  /** No delivery starts after. */
  deadline?: number | undefined
  /** 2^32 - 1 is without limit. */
  maxAttempts: number
  /** Where it is. */
  queue: number
  /** Which attempt this is, from 1. */
  attempt: number
  /** How often a lease of it ran out. */
  deaths: number
  /** 0 to 255, higher first. */
  priority: number
  /** Its identity. */
  id?: string | undefined
  /** Ordering key. */
  group?: string | undefined
  /** What it goes to. */
  destination?: string | undefined
  /** Encoded headers. */
  headers?: string | Uint8Array | undefined
  /** Encoded body. */
  body?: string | Uint8Array | undefined
}

/** A claim of a remote ledger is over: what it brought was taken in. */
export interface ClaimDone {
  /** From where. */
  queue: number
  /** There was less than was wanted. */
  dry: boolean
}

/** The lease of a message that was taken in is gone. */
export interface LoseClaim {
  token: number
}

/** Writes records into the input area of an engine. */
export class Writer extends RecordWriter {
  /** Accept one message: answered by a receipt or a failed reply. */
  enqueue(record: Enqueue): void {
    const id = record.id ?? ''
    const group = record.group ?? ''
    const destination = record.destination ?? ''
    const headers = record.headers ?? ''
    const body = record.body ?? ''
    const start = this.begin(1, 80 + roomFor(id) + roomFor(group) + roomFor(destination) + roomFor(headers) + roomFor(body))
    this.f64[(start + 8) >>> 3] = record.ticket
    this.f64[(start + 16) >>> 3] = record.delayMs ?? NaN
    this.f64[(start + 24) >>> 3] = record.at ?? NaN
    this.f64[(start + 32) >>> 3] = record.ttlMs ?? NaN
    this.f64[(start + 40) >>> 3] = record.maxAttempts ?? NaN
    this.u32[(start + 48) >>> 2] = record.queue
    this.u32[(start + 52) >>> 2] = record.priority
    let end = start + 80
    end += this.u32[(start + 56) >>> 2] = this.put(end, id)
    end += this.u32[(start + 60) >>> 2] = this.put(end, group)
    end += this.u32[(start + 64) >>> 2] = this.put(end, destination)
    end += this.u32[(start + 68) >>> 2] = this.put(end, headers)
    end += this.u32[(start + 72) >>> 2] = this.put(end, body)
    this.finish(start, end)
  }

  /** The next `count` records are enqueues of one atomic batch; their own tickets are not used. */
  batch(record: Batch): void {
    const start = this.begin(2, 24)
    this.f64[(start + 8) >>> 3] = record.ticket
    this.u32[(start + 16) >>> 2] = record.count
    this.finish(start, start + 24)
  }

  /** End a delivery. Answered by a reply unless the ticket is 0. */
  settle(record: Settle): void {
    const result = record.result ?? ''
    const error = record.error ?? ''
    const start = this.begin(3, 64 + roomFor(result) + roomFor(error))
    this.f64[(start + 8) >>> 3] = record.ticket
    this.f64[(start + 16) >>> 3] = record.token
    this.f64[(start + 24) >>> 3] = record.when ?? NaN
    this.u32[(start + 32) >>> 2] = record.verdict
    this.u32[(start + 36) >>> 2] = record.reason
    this.u32[(start + 40) >>> 2] = record.returned ? 1 : 0
    this.u32[(start + 44) >>> 2] = record.costsAttempt ? 1 : 0
    this.u32[(start + 48) >>> 2] = record.countsAsFailure ? 1 : 0
    let end = start + 64
    end += this.u32[(start + 52) >>> 2] = this.put(end, result)
    end += this.u32[(start + 56) >>> 2] = this.put(end, error)
    this.finish(start, end)
  }

  /** The handler of a delivery that was settled, lost or abandoned before is done. */
  returned(record: Returned): void {
    const start = this.begin(4, 16)
    this.f64[(start + 8) >>> 3] = record.token
    this.finish(start, start + 16)
  }

  /** Prolong a lease: it ends `ms` from now. Answered by a reply. */
  extend(record: Extend): void {
    const start = this.begin(5, 32)
    this.f64[(start + 8) >>> 3] = record.ticket
    this.f64[(start + 16) >>> 3] = record.token
    this.f64[(start + 24) >>> 3] = record.ms
    this.finish(start, start + 32)
  }

  /** Claim messages for manual settling. Answered by deliveries, then a reply with their number. */
  dequeue(record: Dequeue): void {
    const start = this.begin(6, 40)
    this.f64[(start + 8) >>> 3] = record.ticket
    this.f64[(start + 16) >>> 3] = record.leaseMs ?? NaN
    this.f64[(start + 24) >>> 3] = record.waitMs
    this.u32[(start + 32) >>> 2] = record.queue
    this.u32[(start + 36) >>> 2] = record.max
    this.finish(start, start + 40)
  }

  /** Give up a waiting dequeue (its own ticket): it is answered with what it has. Or a waiting */
  stopWaiting(record: StopWaiting): void {
    const start = this.begin(7, 16)
    this.f64[(start + 8) >>> 3] = record.ticket
    this.finish(start, start + 16)
  }

  /** The handler of a delivery was told to stop and is not waited for: an open one is given back. */
  abandoned(record: Abandoned): void {
    const start = this.begin(8, 16)
    this.f64[(start + 8) >>> 3] = record.token
    this.finish(start, start + 16)
  }

  /** Wait for the end of a message. Answered by a reply with its outcome. */
  finished(record: Finished): void {
    const id = record.id ?? ''
    const start = this.begin(9, 24 + roomFor(id))
    this.f64[(start + 8) >>> 3] = record.ticket
    this.u32[(start + 16) >>> 2] = record.queue
    let end = start + 24
    end += this.u32[(start + 20) >>> 2] = this.put(end, id)
    this.finish(start, end)
  }

  /** Wait until nothing of a queue is ready or being handled. Answered by a reply. */
  idle(record: Idle): void {
    const start = this.begin(10, 24)
    this.f64[(start + 8) >>> 3] = record.ticket
    this.u32[(start + 16) >>> 2] = record.queue
    this.finish(start, start + 24)
  }

  /** No code of the user saw a delivery, and none will: it is taken back as if it had not been handed out. */
  declined(record: Declined): void {
    const start = this.begin(11, 16)
    this.f64[(start + 8) >>> 3] = record.token
    this.finish(start, start + 16)
  }

  /** Give a dead letter another content. Answered by a reply: 1, or 0 if there is none with this id. */
  editDead(record: EditDead): void {
    const id = record.id ?? ''
    const headers = record.headers ?? ''
    const body = record.body ?? ''
    const start = this.begin(12, 40 + roomFor(id) + roomFor(headers) + roomFor(body))
    this.f64[(start + 8) >>> 3] = record.ticket
    this.u32[(start + 16) >>> 2] = record.queue
    this.u32[(start + 20) >>> 2] = record.hasHeaders ? 1 : 0
    this.u32[(start + 24) >>> 2] = record.hasBody ? 1 : 0
    let end = start + 40
    end += this.u32[(start + 28) >>> 2] = this.put(end, id)
    end += this.u32[(start + 32) >>> 2] = this.put(end, headers)
    end += this.u32[(start + 36) >>> 2] = this.put(end, body)
    this.finish(start, end)
  }

  /** Record what a step of a delivery's message gave. Answered by a reply once that is durable. */
  recordStep(record: RecordStep): void {
    const name = record.name ?? ''
    const result = record.result ?? ''
    const start = this.begin(13, 40 + roomFor(name) + roomFor(result))
    this.f64[(start + 8) >>> 3] = record.ticket
    this.f64[(start + 16) >>> 3] = record.token
    this.u32[(start + 24) >>> 2] = record.hasResult ? 1 : 0
    let end = start + 40
    end += this.u32[(start + 28) >>> 2] = this.put(end, name)
    end += this.u32[(start + 32) >>> 2] = this.put(end, result)
    this.finish(start, end)
  }

  /** Ask what a step of a delivery's message gave. Answered by a reply: 0, nothing is recorded; 1, it gave */
  recallStep(record: RecallStep): void {
    const name = record.name ?? ''
    const start = this.begin(14, 32 + roomFor(name))
    this.f64[(start + 8) >>> 3] = record.ticket
    this.f64[(start + 16) >>> 3] = record.token
    let end = start + 32
    end += this.u32[(start + 24) >>> 2] = this.put(end, name)
    this.finish(start, end)
  }

  /** The next records are settlements and then enqueues that become durable together or not at all; their own */
  transaction(record: Transaction): void {
    const start = this.begin(15, 24)
    this.f64[(start + 8) >>> 3] = record.ticket
    this.u32[(start + 16) >>> 2] = record.settles
    this.u32[(start + 20) >>> 2] = record.enqueues
    this.finish(start, start + 24)
  }

  /** The one append in flight is durable. */
  appended(): void {
    const start = this.begin(16, 16)
    this.f64[(start + 8) >>> 3] = 0
    this.finish(start, start + 16)
  }

  /** The one append in flight failed. */
  appendFailed(record: AppendFailed): void {
    const start = this.begin(17, 24)
    this.f64[(start + 8) >>> 3] = 0
    this.u32[(start + 16) >>> 2] = record.clean ? 1 : 0
    this.finish(start, start + 24)
  }

  /** What a read returned. */
  chunk(record: Chunk): void {
    const bytes = record.bytes ?? ''
    const start = this.begin(18, 24 + roomFor(bytes))
    this.f64[(start + 8) >>> 3] = record.read
    let end = start + 24
    end += this.u32[(start + 16) >>> 2] = this.put(end, bytes)
    this.finish(start, end)
  }

  /** A read failed. */
  readFailed(record: ReadFailed): void {
    const start = this.begin(19, 16)
    this.f64[(start + 8) >>> 3] = record.read
    this.finish(start, start + 16)
  }

  /** The truncation asked for is done. */
  truncated(): void {
    const start = this.begin(20, 16)
    this.f64[(start + 8) >>> 3] = 0
    this.finish(start, start + 16)
  }

  /** A segment was removed. */
  removed(record: Removed): void {
    const start = this.begin(21, 24)
    this.f64[(start + 8) >>> 3] = 0
    this.u32[(start + 16) >>> 2] = record.segment
    this.finish(start, start + 24)
  }

  /** A truncation or removal failed. */
  maintenanceFailed(): void {
    const start = this.begin(22, 16)
    this.f64[(start + 8) >>> 3] = 0
    this.finish(start, start + 16)
  }

  /** The next record is the enqueue of a producer's sequence; its own ticket is not used. Answered by a receipt (its id is */
  produce(record: Produce): void {
    const start = this.begin(24, 40)
    this.f64[(start + 8) >>> 3] = record.ticket
    this.f64[(start + 16) >>> 3] = record.epoch
    this.f64[(start + 24) >>> 3] = record.sequence
    this.u32[(start + 32) >>> 2] = record.producer
    this.finish(start, start + 40)
  }

  /** Code of the user sees a delivery from now on, which was handed out before; in at-most-once to be told */
  began(record: Began): void {
    const start = this.begin(25, 16)
    this.f64[(start + 8) >>> 3] = record.token
    this.finish(start, start + 16)
  }

  /** What is to be known of the end of a delivery, which follows. */
  excused(record: Excused): void {
    const start = this.begin(26, 32)
    this.f64[(start + 8) >>> 3] = record.token
    this.u32[(start + 16) >>> 2] = record.blameless ? 1 : 0
    this.u32[(start + 20) >>> 2] = record.free ? 1 : 0
    this.u32[(start + 24) >>> 2] = record.unasked ? 1 : 0
    this.finish(start, start + 32)
  }

  /** The next records are the enqueues that the host kept in its inbox under one key; their own tickets are not used. */
  move(record: Move): void {
    const error = record.error ?? ''
    const hostIds = record.hostIds ?? ''
    const start = this.begin(27, 56 + roomFor(error) + roomFor(hostIds))
    this.f64[(start + 8) >>> 3] = record.ticket
    this.f64[(start + 16) >>> 3] = record.after
    this.f64[(start + 24) >>> 3] = record.inboxKey
    this.f64[(start + 32) >>> 3] = record.leftAt
    this.u32[(start + 40) >>> 2] = record.count
    this.u32[(start + 44) >>> 2] = record.refused ? 1 : 0
    let end = start + 56
    end += this.u32[(start + 48) >>> 2] = this.put(end, error)
    end += this.u32[(start + 52) >>> 2] = this.put(end, hostIds)
    this.finish(start, end)
  }

  /** A settlement in flight was refused by the remote ledger, for its lease was gone. Told ahead of `Appended`. */
  refused(record: Refused): void {
    const start = this.begin(23, 16)
    this.f64[(start + 8) >>> 3] = record.token
    this.finish(start, start + 16)
  }

  /** A message that was claimed of a remote ledger for this engine. Nothing is answered. */
  takeIn(record: TakeIn): void {
    const id = record.id ?? ''
    const group = record.group ?? ''
    const destination = record.destination ?? ''
    const headers = record.headers ?? ''
    const body = record.body ?? ''
    const start = this.begin(28, 88 + roomFor(id) + roomFor(group) + roomFor(destination) + roomFor(headers) + roomFor(body))
    this.f64[(start + 8) >>> 3] = record.token
    this.f64[(start + 16) >>> 3] = record.enqueuedAt
    this.f64[(start + 24) >>> 3] = record.firstDelivery
    this.f64[(start + 32) >>> 3] = record.deadline ?? NaN
    this.f64[(start + 40) >>> 3] = record.maxAttempts
    this.u32[(start + 48) >>> 2] = record.queue
    this.u32[(start + 52) >>> 2] = record.attempt
    this.u32[(start + 56) >>> 2] = record.deaths
    this.u32[(start + 60) >>> 2] = record.priority
    let end = start + 88
    end += this.u32[(start + 64) >>> 2] = this.put(end, id)
    end += this.u32[(start + 68) >>> 2] = this.put(end, group)
    end += this.u32[(start + 72) >>> 2] = this.put(end, destination)
    end += this.u32[(start + 76) >>> 2] = this.put(end, headers)
    end += this.u32[(start + 80) >>> 2] = this.put(end, body)
    this.finish(start, end)
  }

  /** A claim of a remote ledger is over: what it brought was taken in. */
  claimDone(record: ClaimDone): void {
    const start = this.begin(29, 24)
    this.f64[(start + 8) >>> 3] = 0
    this.u32[(start + 16) >>> 2] = record.queue
    this.u32[(start + 20) >>> 2] = record.dry ? 1 : 0
    this.finish(start, start + 24)
  }

  /** The lease of a message that was taken in is gone. */
  loseClaim(record: LoseClaim): void {
    const start = this.begin(30, 16)
    this.f64[(start + 8) >>> 3] = record.token
    this.finish(start, start + 16)
  }
}

/** Append to a segment; a number never seen before begins a new one. One at a time. */
export class AppendView extends RecordView {

  /** Which segment. */
  get segment(): number {
    return this.from.u32[(this.from.start + 16) >>> 2]!
  }

  /** What to append. A view: copy it before anything else is asked of the engine. */
  bytes(): Uint8Array {
    const { start, u32 } = this.from
    return this.from.view(start + 24, u32[(start + 20) >>> 2]!)
  }

  /** What to append. Decoded as UTF-8. */
  bytesText(): string {
    const { start, u32 } = this.from
    return this.from.text(start + 24, u32[(start + 20) >>> 2]!)
  }
}

/** Read back; answered by a chunk. */
export class ReadView extends RecordView {
  get read(): number {
    return this.from.f64[(this.from.start + 8) >>> 3]!
  }

  /** From here. */
  get offset(): number {
    return this.from.f64[(this.from.start + 16) >>> 3]!
  }

  /** Which segment. */
  get segment(): number {
    return this.from.u32[(this.from.start + 24) >>> 2]!
  }

  /** So many bytes. */
  get length(): number {
    return this.from.u32[(this.from.start + 28) >>> 2]!
  }
}

/** Cut a torn tail. */
export class TruncateView extends RecordView {

  /** The new length of the segment. */
  get length(): number {
    return this.from.f64[(this.from.start + 16) >>> 3]!
  }

  /** Which segment. */
  get segment(): number {
    return this.from.u32[(this.from.start + 24) >>> 2]!
  }
}

/** Remove a segment in which nothing is live. */
export class RemoveView extends RecordView {

  /** Which one. */
  get segment(): number {
    return this.from.u32[(this.from.start + 16) >>> 2]!
  }
}

/** Hand a message to a handler or to a waiting dequeue. */
export class DeliverView extends RecordView {
  get token(): number {
    return this.from.f64[(this.from.start + 8) >>> 3]!
  }

  /** The dequeue that waits for it, 0 for a worker. */
  get ticket(): number {
    return this.from.f64[(this.from.start + 16) >>> 3]!
  }

  /** When it was accepted. */
  get enqueuedAt(): number {
    return this.from.f64[(this.from.start + 24) >>> 3]!
  }

  /** When the lease ends; infinite where the engine renews it. */
  get leaseUntil(): number {
    return this.from.f64[(this.from.start + 32) >>> 3]!
  }

  /** The number of its message, which no other message of the box has. */
  get number(): number {
    return this.from.f64[(this.from.start + 40) >>> 3]!
  }

  /** The worker whose slot it takes; not used for a dequeue. */
  get worker(): number {
    return this.from.u32[(this.from.start + 48) >>> 2]!
  }

  /** Where from. */
  get queue(): number {
    return this.from.u32[(this.from.start + 52) >>> 2]!
  }

  /** From 1. */
  get attempt(): number {
    return this.from.u32[(this.from.start + 56) >>> 2]!
  }

  /** As enqueued. */
  get priority(): number {
    return this.from.u32[(this.from.start + 60) >>> 2]!
  }

  /** The run that accepted its message. */
  get run(): number {
    return this.from.u32[(this.from.start + 64) >>> 2]!
  }

  /** How many steps of its message are recorded. */
  get steps(): number {
    return this.from.u32[(this.from.start + 68) >>> 2]!
  }

  /** It is settled already (at-most-once): no step can be recorded. */
  get handedOver(): boolean {
    return this.from.u32[(this.from.start + 72) >>> 2]! !== 0
  }

  /** Its identity. */
  id(): string {
    const { start, u32 } = this.from
    return this.from.text(start + 96, u32[(start + 76) >>> 2]!)
  }

  /** Ordering key. */
  group(): string {
    const { start, u32 } = this.from
    return this.from.text(start + 96 + u32[(start + 76) >>> 2]!, u32[(start + 80) >>> 2]!)
  }

  /** What it goes to. */
  destination(): string {
    const { start, u32 } = this.from
    return this.from.text(start + 96 + u32[(start + 76) >>> 2]! + u32[(start + 80) >>> 2]!, u32[(start + 84) >>> 2]!)
  }

  /** Encoded headers. A view: copy it before anything else is asked of the engine. */
  headers(): Uint8Array {
    const { start, u32 } = this.from
    return this.from.view(start + 96 + u32[(start + 76) >>> 2]! + u32[(start + 80) >>> 2]! + u32[(start + 84) >>> 2]!, u32[(start + 88) >>> 2]!)
  }

  /** Encoded headers. Decoded as UTF-8. */
  headersText(): string {
    const { start, u32 } = this.from
    return this.from.text(start + 96 + u32[(start + 76) >>> 2]! + u32[(start + 80) >>> 2]! + u32[(start + 84) >>> 2]!, u32[(start + 88) >>> 2]!)
  }

  /** Encoded body. A view: copy it before anything else is asked of the engine. */
  body(): Uint8Array {
    const { start, u32 } = this.from
    return this.from.view(start + 96 + u32[(start + 76) >>> 2]! + u32[(start + 80) >>> 2]! + u32[(start + 84) >>> 2]! + u32[(start + 88) >>> 2]!, u32[(start + 92) >>> 2]!)
  }

  /** Encoded body. Decoded as UTF-8. */
  bodyText(): string {
    const { start, u32 } = this.from
    return this.from.text(start + 96 + u32[(start + 76) >>> 2]! + u32[(start + 80) >>> 2]! + u32[(start + 84) >>> 2]! + u32[(start + 88) >>> 2]!, u32[(start + 92) >>> 2]!)
  }
}

/** A delivery is not valid any more. */
export class AbortView extends RecordView {
  get token(): number {
    return this.from.f64[(this.from.start + 8) >>> 3]!
  }

  /** One of `AbortReason`. */
  get reason(): number {
    return this.from.u32[(this.from.start + 16) >>> 2]!
  }
}

/** A message was accepted or known; durable. */
export class ReceiptView extends RecordView {
  get ticket(): number {
    return this.from.f64[(this.from.start + 8) >>> 3]!
  }

  /** Of the item in its batch. */
  get index(): number {
    return this.from.u32[(this.from.start + 16) >>> 2]!
  }

  /** One of `MessageState`. */
  get state(): number {
    return this.from.u32[(this.from.start + 20) >>> 2]!
  }

  /** Nothing was enqueued. */
  get duplicate(): boolean {
    return this.from.u32[(this.from.start + 24) >>> 2]! !== 0
  }

  /** Its identity. */
  id(): string {
    const { start, u32 } = this.from
    return this.from.text(start + 32, u32[(start + 28) >>> 2]!)
  }
}

/** Answer to a command or request. */
export class ReplyView extends RecordView {
  get ticket(): number {
    return this.from.f64[(this.from.start + 8) >>> 3]!
  }

  /** The plain answer. */
  get value(): number {
    return this.from.f64[(this.from.start + 16) >>> 3]!
  }

  /** One of `ReplyCode`. */
  get code(): number {
    return this.from.u32[(this.from.start + 24) >>> 2]!
  }
}

/** The content of one entry of the reply that follows. */
export class BodyView extends RecordView {
  get ticket(): number {
    return this.from.f64[(this.from.start + 8) >>> 3]!
  }

  /** Which entry. */
  get index(): number {
    return this.from.u32[(this.from.start + 16) >>> 2]!
  }

  /** False: the stored bytes fail their checksum and are not given. */
  get intact(): boolean {
    return this.from.u32[(this.from.start + 20) >>> 2]! !== 0
  }

  /** Encoded headers. A view: copy it before anything else is asked of the engine. */
  headers(): Uint8Array {
    const { start, u32 } = this.from
    return this.from.view(start + 32, u32[(start + 24) >>> 2]!)
  }

  /** Encoded headers. Decoded as UTF-8. */
  headersText(): string {
    const { start, u32 } = this.from
    return this.from.text(start + 32, u32[(start + 24) >>> 2]!)
  }

  /** Encoded body. A view: copy it before anything else is asked of the engine. */
  body(): Uint8Array {
    const { start, u32 } = this.from
    return this.from.view(start + 32 + u32[(start + 24) >>> 2]!, u32[(start + 28) >>> 2]!)
  }

  /** Encoded body. Decoded as UTF-8. */
  bodyText(): string {
    const { start, u32 } = this.from
    return this.from.text(start + 32 + u32[(start + 24) >>> 2]!, u32[(start + 28) >>> 2]!)
  }
}

/** Something happened in a queue; durable. */
export class EventView extends RecordView {

  /** `Retry`: the delay in ms. `Completed`: ms from enqueue to start. */
  get waitMs(): number {
    return this.from.f64[(this.from.start + 16) >>> 3]!
  }

  /** `Completed`: ms in the handler. */
  get handleMs(): number {
    return this.from.f64[(this.from.start + 24) >>> 3]!
  }

  /** `Retry`: the instant of the next attempt. `Circuit`: when an open one lets a message through, or 0. */
  get at(): number {
    return this.from.f64[(this.from.start + 32) >>> 3]!
  }

  /** One of `EventKind`. */
  get event(): number {
    return this.from.u32[(this.from.start + 40) >>> 2]!
  }

  /** Where. */
  get queue(): number {
    return this.from.u32[(this.from.start + 44) >>> 2]!
  }

  /** Of which attempt. */
  get attempt(): number {
    return this.from.u32[(this.from.start + 48) >>> 2]!
  }

  /** One of `Reason`, 0 for none. */
  get reason(): number {
    return this.from.u32[(this.from.start + 52) >>> 2]!
  }

  /** `Circuit`: one of `CircuitState`, before. */
  get circuitFrom(): number {
    return this.from.u32[(this.from.start + 56) >>> 2]!
  }

  /** `Circuit`: one of `CircuitState`, now. */
  get circuitTo(): number {
    return this.from.u32[(this.from.start + 60) >>> 2]!
  }

  /** Which message; `Circuit`: which destination. */
  id(): string {
    const { start, u32 } = this.from
    return this.from.text(start + 72, u32[(start + 64) >>> 2]!)
  }

  /** Encoded error. A view: copy it before anything else is asked of the engine. */
  error(): Uint8Array {
    const { start, u32 } = this.from
    return this.from.view(start + 72 + u32[(start + 64) >>> 2]!, u32[(start + 68) >>> 2]!)
  }

  /** Encoded error. Decoded as UTF-8. */
  errorText(): string {
    const { start, u32 } = this.from
    return this.from.text(start + 72 + u32[(start + 64) >>> 2]!, u32[(start + 68) >>> 2]!)
  }
}

/** Something happened to the box: `take` the key. */
export class NoticeView extends RecordView {
  get number(): number {
    return this.from.f64[(this.from.start + 8) >>> 3]!
  }
}

/** Consumers of a queue have room for so many messages more of a remote ledger. */
export class WantView extends RecordView {

  /** Of which queue. */
  get queue(): number {
    return this.from.u32[(this.from.start + 16) >>> 2]!
  }

  /** How many. */
  get max(): number {
    return this.from.u32[(this.from.start + 20) >>> 2]!
  }
}

/** What became of a claimed message, for a remote ledger to carry out with the `Transit` that follows. */
export class SettlementView extends RecordView {
  get token(): number {
    return this.from.f64[(this.from.start + 8) >>> 3]!
  }

  /** On whose behalf; 0: nobody waits for the answer. */
  get ticket(): number {
    return this.from.f64[(this.from.start + 16) >>> 3]!
  }

  /** `Again`: the instant from which it waits. */
  get due(): number {
    return this.from.f64[(this.from.start + 24) >>> 3]!
  }

  /** One of `Fate`. */
  get fate(): number {
    return this.from.u32[(this.from.start + 32) >>> 2]!
  }

  /** `Again`, `Dead`: one of `Reason`. */
  get reason(): number {
    return this.from.u32[(this.from.start + 36) >>> 2]!
  }

  /** `Again`: the attempt counts. */
  get costsAttempt(): boolean {
    return this.from.u32[(this.from.start + 40) >>> 2]! !== 0
  }

  /** All settlements of this ticket are carried out together, or none. */
  get inUnit(): boolean {
    return this.from.u32[(this.from.start + 44) >>> 2]! !== 0
  }

  /** Encoded result or error. A view: copy it before anything else is asked of the engine. */
  bytes(): Uint8Array {
    const { start, u32 } = this.from
    return this.from.view(start + 56, u32[(start + 48) >>> 2]!)
  }

  /** Encoded result or error. Decoded as UTF-8. */
  bytesText(): string {
    const { start, u32 } = this.from
    return this.from.text(start + 56, u32[(start + 48) >>> 2]!)
  }
}

/** Carry out the settlements before this: answered like an append. One at a time. */
export class TransitView extends RecordView {

  /** How many they are. */
  get count(): number {
    return this.from.u32[(this.from.start + 16) >>> 2]!
  }
}

/** Walks the records in the output area; `kind` tells which view is valid. */
export class Reader extends RecordReader {
  readonly append = new AppendView(this)
  readonly read = new ReadView(this)
  readonly truncate = new TruncateView(this)
  readonly remove = new RemoveView(this)
  readonly deliver = new DeliverView(this)
  readonly abort = new AbortView(this)
  readonly receipt = new ReceiptView(this)
  readonly reply = new ReplyView(this)
  readonly body = new BodyView(this)
  readonly event = new EventView(this)
  readonly notice = new NoticeView(this)
  readonly want = new WantView(this)
  readonly settlement = new SettlementView(this)
  readonly transit = new TransitView(this)
}
