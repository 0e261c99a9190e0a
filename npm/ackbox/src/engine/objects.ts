/**
 * Cold objects that cross the boundary, as `serde` writes and reads them in crates/core
 * (command.rs, config.rs, effect.rs). An absent value is a missing property or `undefined`.
 */

import type { Failure } from './engine.js'
import type { CircuitStateName, MessageStateName, ReasonName } from './wire.gen.js'

/** Settings of a box, for one run. */
export interface Config {
  /** Bytes of message contents kept in memory. */
  maxMemoryBytes?: number | undefined
  /** Size at which a segment is closed. */
  segmentBytes?: number | undefined
  durability?: 'power-loss' | 'process-crash' | 'none' | undefined
  /** Fixes the jitter of a box that this run creates. */
  seed?: string | undefined
  /** Deaths of its owner that a message survives without cost. */
  freeOwnerDeaths?: number | undefined
  /** The box is looked at and never written. */
  readOnly?: boolean | undefined
  /** Another ledger owns the messages: no journal is written. */
  remote?: boolean | undefined
}

/** How a delay is spread; a fraction in thousandths. */
export type Jitter = 'none' | 'full' | 'equal' | 'decorrelated' | { fraction: number }

/** A retry schedule. */
export type Backoff =
  | { kind: 'exponential'; baseMs: number; factorMilli: number; capMs: number; jitter: Jitter }
  | { kind: 'constant'; ms: number; jitter: Jitter }
  | { kind: 'schedule'; delaysMs: number[]; jitter: Jitter }

/** Options of a circuit breaker; rates in millionths. */
export interface BreakerOptions {
  window?: 'consecutive' | 'count' | 'time' | undefined
  failures?: number | undefined
  size?: number | undefined
  windowMs?: number | undefined
  failureRatePpm?: number | undefined
  minCalls?: number | undefined
  slowMs?: number | undefined
  slowRatePpm?: number | undefined
  cooldown?: Backoff | undefined
  probes?: number | undefined
  successes?: number | undefined
  probeTimeoutMs?: number | undefined
}

/** Named options of a queue; `maxAttempts` of 2^32 - 1 is without limit. */
export interface QueueOptions {
  guarantee?: 'at-most-once' | 'at-least-once' | 'exactly-once' | undefined
  maxAttempts?: number | undefined
  maxRetryMs?: number | undefined
  backoff?: Backoff | undefined
  leaseMs?: number | undefined
  dedup?:
    | {
        windowMs?: number | undefined
        maxEntries?: number | undefined
        whenFull?: 'reject' | 'shorten' | undefined
        compare?: 'body' | 'id' | undefined
      }
    | undefined
  maxDepth?: number | undefined
  maxBytes?: number | undefined
  maxBodyBytes?: number | undefined
  maxResultBytes?: number | undefined
  groupOnDead?: 'continue' | 'block' | undefined
  dead?: { retainMs?: number | undefined } | undefined
  history?: { windowMs?: number | undefined; maxEntries?: number | undefined } | undefined
  /** Empty for none. */
  deadLetterTo?: string | undefined
  /** What the bytes of bodies are. */
  bodies?: 'json' | 'encoded' | undefined
}

/** One stored segment. */
export interface SegmentInfo {
  segment: number
  bytes: number
}

/** Which dead letters; instants in milliseconds. */
export interface DeadFilter {
  ids?: string[] | undefined
  reason?: ReasonName | undefined
  before?: number | undefined
  after?: number | undefined
  limit?: number | undefined
}

/** How long the handlers of a worker may take, in ms. */
export interface HandlerLimits {
  timeoutMs?: number | undefined
  maxRuntimeMs?: number | undefined
}

/** A cold request. The comment at each says what `call` or `take` gives. */
export type Request =
  | { op: 'open'; segments: SegmentInfo[] } // reply: OpenReport
  | { op: 'defineQueue'; name: string; options?: QueueOptions | undefined } // at once: Defined
  | { op: 'openProducer'; name: string } // reply: ProducerOpened
  // At once: WorkerOpened.
  | { op: 'openWorker'; queue: number; concurrency: number; limits?: HandlerLimits; policies?: Policies }
  // At once: CircuitInfo[]. Empty: messages without a destination.
  | { op: 'circuits'; worker: number; destination?: string | undefined }
  | { op: 'forceCircuit'; worker: number; destination: string; isolate: boolean } // at once
  // At once. The answer to the notice: how long a circuit stays open, from when it opened.
  | { op: 'coolDown'; worker: number; destination: string; ms: number }
  // At once. How a gate of the host stands, in front of workers whose policies name it.
  | { op: 'setSluice'; sluice: number; state: SluiceState }
  | { op: 'pauseWorker' | 'resumeWorker'; worker: number } // at once
  | { op: 'closeWorker'; worker: number } // reply
  | { op: 'drainWorker'; worker: number } // reply: Drained
  | { op: 'close' } // reply: value, returned messages
  | { op: 'pauseQueue' | 'resumeQueue'; queue: number } // reply
  | { op: 'cancel' | 'retryNow' | 'forget'; queue: number; id: string } // reply: value 1 if so
  | { op: 'purge'; queue: number } // reply: value, dropped messages
  | { op: 'get'; queue: number; id: string } // body or result, then reply: MessageInfo[], none or one
  // Bodies, then reply: MessageInfo[].
  | { op: 'peek'; queue: number; state?: MessageStateName | undefined; limit: number }
  // Bodies, then reply: MessageInfo[], first those that are kept.
  | {
      op: 'select'
      queue: number
      ids?: readonly string[] | undefined
      states?: readonly MessageStateName[] | undefined
      limit: number
    }
  // Bodies, then reply: DeadPage.
  | { op: 'deadPage'; queue: number; filter?: DeadFilter | undefined; after?: string | undefined; limit: number }
  | { op: 'deadCount'; queue: number; filter?: DeadFilter | undefined } // reply: value
  // Reply: Redriven. `to`: name of a queue; `perSecondMilli`: letters a second, in thousandths.
  | {
      op: 'redrive'
      queue: number
      filter?: DeadFilter | undefined
      to?: string | undefined
      perSecondMilli?: number | undefined
      forgetSteps?: boolean | undefined
    }
  | { op: 'removeDead'; queue: number; filter?: DeadFilter | undefined } // reply: value
  | { op: 'stepKey'; number: number; run: number; name: string } // at once: StepKey
  | { op: 'queueStats'; queue: number } // at once: QueueStats
  | { op: 'boxStats' } // at once: BoxStats
  | { op: 'queues' } // at once: QueueSummary[]
  | { op: 'listen'; queue: number; events: number } // at once

/** What a worker limits. */
export interface Policies {
  /** Under which circuits are kept. */
  name: string
  breaker?: BreakerOptions | undefined
  perDestination?:
    | {
        concurrency?: number | undefined
        rate?: Rate | undefined
        breaker?: BreakerOptions | undefined
        asksCooldown?: boolean
      }
    | undefined
  /** How long each opening of that breaker takes is asked by a notice. */
  asksCooldown?: boolean
  rate?: { rate: Rate; scope: 'queue' | 'worker' } | undefined
  /** The number of a gate of the host. */
  sluice?: number | undefined
  whenOpen: 'pause' | 'dead-letter' | 'reject'
  retryBudget?: { ratioMilli: number; minPerSecond: number; ttlMs: number } | undefined
}

/** How a gate of the host stands. */
export interface SluiceState {
  level: 'open' | 'probing' | 'broken' | 'waiting'
  /** Probing: messages that may pass. */
  places: number
  /** When it may stand otherwise, as far as time alone decides. */
  until?: number
}

/** Starts in a time. */
export interface Rate {
  limit: number
  perMs: number
}

/** The circuit of a destination. */
export interface CircuitInfo {
  /** Empty for messages without one. */
  destination: string
  state: CircuitStateName
  /** When the next message passes, if none may now. */
  retryAt?: number
  openings: number
}

/** What recovery found. */
export interface OpenReport {
  /** The identity of the journal. */
  boxId: string
  created: boolean
  segments: number
  bytes: number
  frames: number
  messages: number
  deadLetters: number
  /** Deliveries that died with the previous owner. */
  interrupted: number
  /** A torn tail that was cut. */
  cut?: { segment: number; offset: number; bytes: number }
  /** What the host keeps in its inbox up to this key is in the journal; 0 for nothing. */
  moved: number
}

/** A queue that is defined now. */
export interface Defined {
  queue: number
  created: boolean
  /** Options whose value changed, in the order of their names. */
  changed: OptionChange[]
  /** All options in force. */
  options: QueueOptions
  /** Those of them that were named, now or in an earlier run. */
  named: QueueOptions
}

/** An option of a queue that has another value now. */
export interface OptionChange {
  option: string
  /** The value before, absent if there was none. */
  from?: unknown
  /** The value now, absent if there is none. */
  to?: unknown
}

/** A producer that is open now. */
export interface ProducerOpened {
  producer: number
  epoch: number
  /** The lowest one that was not accepted. */
  sequence: number
}

/** A worker that is open now. */
export interface WorkerOpened {
  worker: number
}

/** A message without its content. */
export interface MessageInfo {
  id: string
  queue: string
  state: MessageStateName
  attempt?: number
  maxAttempts?: number
  priority?: number
  enqueuedAt?: number
  dueAt?: number
  expiresAt?: number
  group?: string
  destination?: string
  finishedAt?: number
  reason?: ReasonName
  /** The encoded error of the death (JSON). */
  error?: string
  history: AttemptInfo[]
  /** Their results are bodies behind those of all entries, in order. */
  steps?: StepInfo[]
}

/** A recorded step. */
export interface StepInfo {
  name: string
  gave: 'value' | 'nothing' | 'damaged'
}

/** The idempotency key of a step. */
export interface StepKey {
  key: string
}

/** One past attempt. */
export interface AttemptInfo {
  attempt: number
  startedAt: number
  endedAt: number
  reason: ReasonName
  error?: string
}

/** Some dead letters, in the order of their deaths. */
export interface DeadPage {
  items: MessageInfo[]
  /** `after` of the next page. */
  next?: string
}

/** Outcome of a redrive. */
export interface Redriven {
  moved: number
  skipped: number
}

/** Outcome of a drain. */
export interface Drained {
  completed: number
  retried: number
  dead: number
  remaining: number
}

/** Distribution of times in ms. */
export interface Histogram {
  count: number
  sumMs: number
  /** The last bucket has no bound. */
  buckets: { leMs?: number; count: number }[]
  p50Ms: number
  p90Ms: number
  p99Ms: number
}

/** Counters, depths and times of a queue. */
export interface QueueStats {
  name: string
  paused: boolean
  enqueued: number
  duplicates: number
  delivered: number
  acked: number
  rejected: number
  retried: number
  dead: number
  expired: number
  leasesLost: number
  ready: number
  scheduled: number
  leased: number
  deadLetters: number
  bytes: number
  dedupEntries: number
  dedupWindowMs?: number
  oldestReadyMs?: number
  wait: Histogram
  handle: Histogram
}

/** The box as a whole. */
export interface BoxStats {
  queues: number
  messages: number
  deadLetters: number
  segments: number
  journalBytes: number
  liveBytes: number
  memoryBytes: number
  appends: number
  records: number
  cleanedSegments: number
  running: number
}

/** One queue of the box. */
export interface QueueSummary {
  name: string
  paused: boolean
  depth: number
  deadLetters: number
}

/** Something that happened to the box. */
export type Notice =
  | { notice: 'failed'; failure: Failure }
  | { notice: 'warning'; message: string; queue?: string }
  // The circuit of a destination (empty: messages without one) has opened: for how long?
  | { notice: 'cooldown'; worker: number; destination: string; openings: number }
