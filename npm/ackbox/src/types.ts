/** Words of the public contract that several parts share. Times are milliseconds; instants count from the Unix epoch. */

/**
 * What a queue promises about deliveries. `at-most-once`: never delivered twice, may be lost. `at-least-once`: never lost,
 * may be delivered again. `exactly-once`: as `at-least-once`, and an id is required and enqueued once, so that each
 * message's effects happen once. Default: `'at-least-once'`.
 */
export type Guarantee = 'at-most-once' | 'at-least-once' | 'exactly-once'

/**
 * Where a message is in its life: `scheduled` waits for its time, `ready` may be delivered, `leased` is being
 * handled, `completed` was acknowledged, `dead` will not be delivered again unless it is redriven, `cancelled`
 * was withdrawn.
 */
export type MessageState = 'scheduled' | 'ready' | 'leased' | 'completed' | 'dead' | 'cancelled'

/**
 * Why a message is dead, or why an attempt ended. `exhausted`: the last attempt threw; `timeout`,
 * `lease-expired`, `owner-died`: attempts ran out and the last one ended that way; `permanent`: the handler said
 * that no retry will help; `expired`: no delivery started within the time to live; `invalid`: the body could not
 * be decoded; `corrupt`: the stored bytes fail their checksum; `circuit-open`: the circuit was open and the worker
 * wants such messages dead; `refused`: accepted by a browser tab, refused by the box, or refused for good by what it was
 * sent to.
 */
export type Reason =
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

/** An error as a plain object that survives JSON, at most 4 KiB. */
export interface ErrorInfo {
  readonly name: string
  readonly message: string
  /** Of the error, else of the nearest of its causes that has one. */
  readonly code?: string
  readonly stack?: string
  /** What a schema found wrong with a body. */
  readonly issues?: readonly SchemaIssue[]
}

/** One thing that a schema found wrong, as plain data. */
export interface SchemaIssue {
  readonly message: string
  /** Where in the body. */
  readonly path?: readonly (string | number)[]
}

/** Answer to an enqueue. It is durable when it arrives. */
export interface Receipt {
  /** The message's identity: the caller's, or a generated one. */
  readonly id: string
  /**
   * `accepted`: enqueued now. `duplicate`: the id was known, nothing was enqueued. `stored`: durable in a browser
   * tab that no owner answered yet.
   */
  readonly status: 'accepted' | 'duplicate' | 'stored'
  /** State of the message; of the original for a duplicate. */
  readonly state: MessageState
}

/** Options of one enqueue. */
export interface EnqueueOptions {
  /** Identity and idempotency key, 1 to 256 bytes of UTF-8. Default: the queue's `id` function, else generated. */
  readonly id?: string | undefined
  /** Not delivered before now plus this, 0 or more. Not together with `at`. */
  readonly delayMs?: number | undefined
  /** Not delivered before this instant. */
  readonly at?: Date | number | undefined
  /** No delivery starts later than now plus this: then it is dead-lettered as `expired`. Above 0. Default: none. */
  readonly ttlMs?: number | undefined
  /** 0 to 255, higher first. Default 0. */
  readonly priority?: number | undefined
  /** Ordering key: FIFO within the group, one in flight. At most 256 bytes. Default: the queue's `group` function, else none. */
  readonly group?: string | undefined
  /** What the message goes to. At most 256 bytes. Default: the queue's `destination` function, else none. */
  readonly destination?: string | undefined
  /** Deliveries at most, 1 or more, or `Infinity`. Default: the queue's. */
  readonly maxAttempts?: number | undefined
  /** String to string, at most 4 KiB of JSON in all. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Gives up waiting for the receipt, not the message; the message as well while its schema still takes its time. */
  readonly signal?: AbortSignal | undefined
}

/** Options of an enqueue that waits for what it is staged with. */
export type StagedEnqueueOptions = Omit<EnqueueOptions, 'signal'>

/** One item of `enqueueMany`, whose `signal` is that of all: the call has one receipt for each, or none. */
export interface EnqueueItem<T> extends EnqueueOptions {
  readonly body: T
}

/** One past attempt of a message. */
export interface AttemptInfo {
  /** From 1. */
  readonly attempt: number
  readonly startedAt: number
  readonly endedAt: number
  readonly reason: Reason
  readonly error?: ErrorInfo
}

/** A message as `get`, `peek` and dead letters show it: plain and safe to turn into JSON if the body is. */
export interface MessageInfo<T = unknown, R = unknown> {
  readonly id: string
  readonly queue: string
  readonly state: MessageState
  /** As enqueued; absent when it is not kept any more, or cannot be decoded (a `warning` tells of the first). */
  readonly body?: T
  readonly headers: Readonly<Record<string, string>>
  /** Deliveries so far; for a finished message the one that it finished with, at most 65,535 is told. */
  readonly attempt?: number
  /** Absent: without limit. */
  readonly maxAttempts?: number
  /** Absent for a finished message, of which only its id and its end are kept. */
  readonly priority?: number
  /** Absent for a finished message. */
  readonly enqueuedAt?: number
  /** When a scheduled message becomes ready. */
  readonly dueAt?: number
  /** When its time to live ends. */
  readonly expiresAt?: number
  readonly group?: string
  readonly destination?: string
  /** When it was completed, cancelled or dead-lettered. */
  readonly finishedAt?: number
  /** Of a completed message what its handler returned, as JSON gives it back; absent if that was `undefined`. */
  readonly result?: R
  /** Why it is dead. */
  readonly reason?: Reason
  /** The error that it died of. */
  readonly error?: ErrorInfo
  /** The last 32 attempts that failed, oldest first; of a completed message only with the queue's `history` option. */
  readonly history: readonly AttemptInfo[]
  /**
   * What was recorded of its steps, in that order. Only `get` and dead letters show it; absent for a finished message, whose
   * steps are gone.
   */
  readonly steps?: readonly StepInfo[]
}

/** A recorded step. */
export interface StepInfo {
  readonly name: string
  /** What it gave; absent if that was `undefined`, is damaged, or cannot be decoded. */
  readonly result?: unknown
  /** What it gave is damaged in the storage. */
  readonly isDamaged?: true
}

/** How a message ended. A plain object. */
export type Outcome<R = unknown> =
  | {
      readonly state: 'completed'
      /** What the handler returned or `ack` was given, as JSON gives it back. */
      readonly result: R
      readonly finishedAt: number
      /** The one that it was completed with. */
      readonly attempt: number
    }
  | {
      readonly state: 'dead'
      readonly reason: Reason
      readonly error?: ErrorInfo
      readonly finishedAt: number
      readonly attempt: number
    }
  | {
      /** Withdrawn or purged. */
      readonly state: 'cancelled'
      readonly finishedAt: number
    }

/** A message that will not be delivered again unless it is redriven. Kept until it is removed. */
export interface DeadLetter<T = unknown> extends MessageInfo<T> {
  readonly state: 'dead'
  readonly attempt: number
  readonly priority: number
  readonly enqueuedAt: number
  readonly reason: Reason
  readonly deadAt: number
  readonly steps: readonly StepInfo[]
}

/** The body of a message that a queue gets by `deadLetterTo`: one for each death, with an id of its own for ever. */
export interface DeathNotice<T = unknown> {
  /** Where the letter is. */
  readonly queue: string
  readonly id: string
  /** Of the letter, if it is JSON. */
  readonly body?: T
  /** Of a letter whose body is no JSON, that of a queue with a codec say: its bytes. */
  readonly bodyBase64?: string
  readonly headers: Readonly<Record<string, string>>
  readonly reason: Reason
  readonly error?: ErrorInfo
}

/** How a box or worker closes. */
export interface CloseOptions {
  /** How long handlers may finish before their signals abort and their messages are returned. Default 25,000. */
  readonly timeoutMs?: number | undefined
  /** Ends the waiting early, as if `timeoutMs` had passed. */
  readonly signal?: AbortSignal | undefined
}

/** What a close gave back. */
export interface CloseReport {
  /** Deliveries that were returned to their queue without costing an attempt. */
  readonly returned: number
}
