/** Numbers about a box, its queues and its workers. Counters count from the opening of the box. */

/** Distribution of times in ms. */
export interface Histogram {
  /** How many were observed. */
  readonly count: number
  readonly sumMs: number
  /** Upper bound in ms, absent for the last, and how many fell at or below it and above the one before. */
  readonly buckets: readonly { readonly leMs?: number; readonly count: number }[]
  /** Upper bound of the bucket that holds the 50th percentile. */
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
}

/** Counters, depths and times of a queue. */
export interface QueueStats {
  readonly name: string
  readonly paused: boolean
  /** Messages accepted. */
  readonly enqueued: number
  /** Enqueues whose id was known. */
  readonly duplicates: number
  /** Deliveries started. */
  readonly delivered: number
  /** Deliveries that ended with an acknowledgement. */
  readonly acked: number
  /** Deliveries that ended with a throw or a rejection. */
  readonly rejected: number
  /** Attempts that failed and were followed by another, or will be. */
  readonly retried: number
  /** Messages that became dead letters. */
  readonly dead: number
  /** Messages whose time to live ended before a delivery. */
  readonly expired: number
  /** Deliveries whose lease ran out. */
  readonly leasesLost: number
  /** Messages that may be delivered now. */
  readonly ready: number
  /** Messages that wait for their time. */
  readonly scheduled: number
  /** Messages that are being handled. */
  readonly leased: number
  /** Dead letters kept. */
  readonly deadLetters: number
  /** Bytes of all messages kept. */
  readonly bytes: number
  /** Ids that are remembered. */
  readonly dedupEntries: number
  /** The effective window, present when it is shorter than configured because the index was full. */
  readonly dedupWindowMs?: number
  /** Age of the oldest message that is ready; absent when none is. */
  readonly oldestReadyMs?: number
  /** From when a message could be delivered (its time had come) until it was, for each delivery. */
  readonly wait: Histogram
  /** From a delivery to its settlement. */
  readonly handle: Histogram
}

/** One queue in a list. */
export interface QueueSummary {
  readonly name: string
  readonly paused: boolean
  /** Messages kept, dead letters included. */
  readonly depth: number
  readonly deadLetters: number
}

/** The box as a whole. */
export interface BoxStats {
  readonly queues: number
  readonly messages: number
  readonly deadLetters: number
  readonly segments: number
  /** Bytes of the journal. */
  readonly journalBytes: number
  /** Bytes of records that are still needed. */
  readonly liveBytes: number
  /** Bytes of bodies kept in memory. */
  readonly memoryBytes: number
  readonly appends: number
  readonly records: number
  /** Segments removed because nothing in them was live. */
  readonly cleanedSegments: number
  /** Handlers that run. */
  readonly running: number
}

/** What opening found. */
export interface RecoveryReport {
  /** True if there was nothing. */
  readonly created: boolean
  readonly segments: number
  readonly bytes: number
  readonly frames: number
  readonly messages: number
  readonly deadLetters: number
  /** Deliveries that died with the previous owner. */
  readonly interrupted: number
  /** A torn tail that was cut: nothing in it had been reported as durable. */
  readonly cut?: { readonly segment: number; readonly offset: number; readonly bytes: number }
}

/** Whether a box works. */
export interface Health {
  /** True while the box accepts and delivers: false as well while the storage keeps its last room for settlements. */
  readonly ok: boolean
  /** Why not, for people. */
  readonly reason?: string
  /** Since a handler or dequeue last got a message; absent before the first. */
  readonly sinceLastClaimMs?: number
  /** What the storage promises, and whether it lives. */
  readonly storage: {
    readonly durability: 'power-loss' | 'process-crash' | 'none'
    readonly failed: boolean
    readonly full: boolean
    /** Whether the browser promised never to evict it; absent elsewhere, where it tells no such thing, and until it answers. */
    readonly persisted?: boolean
  }
  /** Handlers that run. */
  readonly running: number
  /** Workers that are open. */
  readonly workers: number
  /** Calls that wait for an answer. */
  readonly waiting: number
}

/** Counters of one worker, from its start. */
export interface WorkerStats {
  readonly name: string
  readonly concurrency: number
  readonly paused: boolean
  /** Handlers that run. */
  readonly running: number
  /** Handlers started. */
  readonly started: number
  /** Handlers that returned, or settled by hand. */
  readonly completed: number
  /** Handlers that threw, or took too long (`timeoutMs`, `maxRuntimeMs`): those as soon as they did. */
  readonly failed: number
  /** Deliveries whose lease was lost while the handler ran. */
  readonly leasesLost: number
}
