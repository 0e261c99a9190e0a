/**
 * Draining: a worker that ends when nothing is ready any more. The engine decides when that is so and ends the worker
 * in the same step, so no message is overlooked in between.
 *
 * It waits for what comes by itself: handlers that run, its own and others', its rate, `perDestination.concurrency`, a
 * probe that is under way, and its last settlements to be durable. It does not wait for an open circuit, for a destination
 * that asked for time, for `ready` that says false, for a queue that is paused, or for messages that are scheduled: retries
 * after their backoff, or put off by `retryBudget`. Those stay, and are `remaining`.
 */
import type { Handler, WorkerOptions } from './api.js'
import type { BoxCore } from './box.js'
import { Deadlines } from './closing.js'
import type { Drained } from './engine/objects.js'
import type { EmbeddedQueue } from './queue.js'
import { startWorker } from './start-worker.js'
import type { Range } from './validate.js'
import { duration, MAX_MS, optionalSignal } from './validate.js'

const TIMEOUT: Range = { min: 1, max: MAX_MS }
const NAMES = ['drainTimeoutMs', 'signal']

/** Options of `drain`: those of a worker, and how long it may take. */
export interface DrainOptions<T = unknown> extends WorkerOptions<T> {
  /**
   * Bounds the whole, 1 or more: when it has passed, handlers that run are aborted and their messages returned without
   * costing an attempt. Default: none.
   */
  readonly drainTimeoutMs?: number | undefined
  /** Ends it early in the same way; the drain rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * What became of the messages of a drain. It is durable when the report comes. In at-most-once a failure is final and counts
 * nowhere: `failed` tells it.
 */
export interface DrainReport {
  /** Acknowledged. */
  readonly completed: number
  /** Attempts that failed and are followed by another, `whenOpen: 'reject'` included. */
  readonly retried: number
  /**
   * Dead-lettered: by the handler, by `whenOpen`, and what nobody had and died meanwhile, as its time to live passed; of
   * several drains of one queue the first counts the latter. What was dead before is in `queue.stats()`.
   */
  readonly dead: number
  /** Unfinished messages left in the queue: scheduled ones and those behind them, or all that was not reached. */
  readonly remaining: number
}

export async function drain(
  core: BoxCore,
  queue: EmbeddedQueue,
  handler: Handler<never, unknown>,
  options: DrainOptions<never>,
  where: string,
): Promise<DrainReport> {
  const { drainTimeoutMs, signal } = options ?? {}
  const timeoutMs = drainTimeoutMs === undefined ? Infinity : duration(drainTimeoutMs, TIMEOUT, 'drainTimeoutMs', where)
  optionalSignal(signal, where)
  signal?.throwIfAborted()

  const worker = startWorker(core, queue, handler, options, where, NAMES)
  const drained = core.driver.request<Drained>({ op: 'drainWorker', worker: worker.number })
  const deadlines = new Deadlines(core.driver.clock, () => void worker.close({ timeoutMs: 0 }).catch(() => {}))
  deadlines.add({ timeoutMs, signal })
  try {
    return await drained
  } finally {
    deadlines.end()
    worker.over()
    signal?.throwIfAborted()
  }
}
