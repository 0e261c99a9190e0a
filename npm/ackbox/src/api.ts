/** The objects of the package as users hold them. Every promise rejects with an `AckboxError`, or with the reason of a signal. */
import type { ConsumeOptions, Consumption } from './consume.js'
import type { QueueDefinition } from './definition.js'
import type { DrainOptions, DrainReport } from './drain.js'
import type { EventsOptions, EventStream } from './event-stream.js'
import type { Listen, BoxEvents, QueueEvents, WorkerEvents } from './events.js'
import type { EngineKind } from './engine/engine.js'
import type { IdleOptions } from './idle.js'
import type { Middleware } from './middleware.js'
import type { QueueOptions } from './queue-options.js'
import type { BoxStats, Health, QueueStats, QueueSummary, WorkerStats } from './stats.js'
import type {
  CloseOptions,
  CloseReport,
  DeadLetter,
  EnqueueItem,
  EnqueueOptions,
  MessageInfo,
  MessageState,
  Outcome,
  Reason,
  Receipt,
  StagedEnqueueOptions,
} from './types.js'
import type { Classify } from './verdict.js'
import type { Watch, WatchOptions } from './watch.js'
import type { WorkerCircuit, WorkerCircuitInfo } from './worker-circuit.js'
import type { PolicyOptions } from './worker-policies.js'
import type { ReadinessOptions } from './worker-readiness.js'

/** One durable journal that holds any number of named queues. */
export interface Box extends AsyncDisposable {
  /** Which build of the engine runs. */
  readonly engine: EngineKind
  /**
   * Settles when the box has ended: resolves after `close`, rejects with the error that ended it. Never becomes an
   * unhandled rejection.
   */
  readonly closed: Promise<void>
  /**
   * The queue with this name (1 to 256 bytes), created if there is none. Options that are named apply from now on and
   * survive reopening, functions, codec and schema apart; options that are not named change nothing.
   *
   * `T` is what `enqueue` takes and `Out` what handlers get: both come from the `schema` where there is one.
   *
   * The same name gives the same queue; what an option had been before and is now is told by `warning`.
   */
  queue<T = unknown, R = void, Out = T>(name: string, options?: QueueOptions<T, Out>): Queue<T, R, Out>
  /** The queue of a definition that programs share: see `defineQueue`. */
  queue<T, R, Out>(definition: QueueDefinition<T, R, Out>): Queue<T, R, Out>
  /**
   * Calls `fn` with a transaction; what it staged there becomes durable together once `fn` is done, or nothing of it, at a
   * crash too. Resolves when it is durable, with what `fn` returned.
   *
   * Whatever `fn` throws takes all of it back and rejects the transaction, as does what cannot be done: `ERR_LEASE_LOST` or
   * `ERR_ALREADY_SETTLED` if one of the deliveries was lost or settled meanwhile, `ERR_QUEUE_FULL`, `ERR_ID_CONFLICT` and
   * whatever else an enqueue rejects with. The deliveries are then as open as they were. At most 10,000 settlements and
   * messages, and 8 MiB of bodies, headers, results and errors: else `ERR_BODY_TOO_LARGE`.
   *
   * Until `fn` is done, a transaction of the same box anywhere inside it, in whatever it calls, awaits or starts, is
   * `ERR_INVALID_OPTION`; a handler that runs meanwhile is not inside. A browser can tell only where `fn` calls for one before its
   * first `await`: later on, one there is a transaction of its own, which stays when this one is taken back.
   */
  transaction<R>(fn: (tx: Transaction) => R | Promise<R>): Promise<R>
  /**
   * Opens the producer with this name (1 to 256 bytes), made if there is none; resolves when that is durable. Older handles
   * of it are fenced, in other runs of the box too: only one service at a time sends under a name. A box keeps a million
   * producers, for ever, at about 110 bytes each, or 240 while a sequence before others is missing; `ERR_QUEUE_FULL` beyond.
   */
  producer(name: string): Promise<Producer>
  /** All queues of the journal, declared in this run or not. */
  queues(): Promise<readonly QueueSummary[]>
  stats(): Promise<BoxStats>
  /** Whether the box works, at once. */
  health(): Health
  /**
   * Puts middleware around every enqueue and every handler from now on, the first that was registered outermost. What it
   * returns takes it away.
   */
  use(middleware: Middleware): () => void
  /** Listens. Errors and warnings that nobody listens to go to `process.emitWarning` or `console.error`. */
  readonly on: Listen<BoxEvents>
  /**
   * Returns what was dequeued and not settled, stops claiming, lets handlers finish, then aborts them and returns
   * their messages without costing an attempt, flushes, and gives up the storage. Idempotent. A handler that runs on
   * although its signal aborted is not waited for; no other handler of this process gets its message before it has
   * returned, or `leaseMs` of the queue have passed.
   */
  close(options?: CloseOptions): Promise<CloseReport>
}

/**
 * A named queue of a box: takes bodies of type `T`, hands them to handlers that give `R`. With a schema handlers get its
 * output `Out`, while `get`, `peek` and dead letters show bodies as they were enqueued.
 */
export interface Queue<T = unknown, R = void, Out = T> {
  readonly name: string
  /** Resolves when the message is durable. */
  enqueue(body: T, options?: EnqueueOptions): Promise<Receipt>
  /**
   * Accepts all items or none, at most 10,000 of them and 8 MiB. The iterable is read to its end, and every item is
   * checked, before anything is enqueued.
   */
  enqueueMany(items: Iterable<EnqueueItem<T>>): Promise<Receipt[]>
  /**
   * Starts a worker. The handler returns: acknowledged, with what it returned as the result, which is kept with the
   * message's explicit id (`get`, `finished`). It throws: tried again after the backoff, or dead-lettered when attempts
   * ran out. A result that JSON cannot hold or that is above `maxResultBytes` is left out, with a warning.
   */
  process(handler: Handler<Out, R>, options?: WorkerOptions<Out>): Worker
  /**
   * Runs a worker until nothing is ready: no message could be claimed now, as soon as a running one ends, or when its rate
   * allows. Messages that wait for a later time stay. So do those that a gate holds back which nobody knows to open: an
   * open circuit, a destination that asked for time, `ready` and `networkMode` that say no, the pause of the queue. Ends
   * early, with what it has done, when the box closes.
   */
  drain(handler: Handler<Out, R>, options?: DrainOptions<Out>): Promise<DrainReport>
  /**
   * Deliveries for a `for await` loop, each to be settled by hand. Leaving the loop returns all that is not settled, what it
   * has taken and what it has not reached, without costing an attempt. Ends when the box closes; throws the reason of its
   * signal.
   */
  consume(options?: ConsumeOptions): Consumption<Out>
  /** Claims one message for settling by hand; `undefined` if none is ready within `waitMs`. */
  dequeue(options?: DequeueOptions): Promise<Delivery<Out> | undefined>
  /** Claims up to `max` (1 to 10,000) messages; waits for the first one only. */
  dequeueMany(max: number, options?: DequeueOptions): Promise<Delivery<Out>[]>
  /**
   * A message that is unfinished, dead, or completed and remembered by its explicit id: then with its result, through
   * `dedup.windowMs`. `undefined` if nothing is known of it.
   */
  get(id: string): Promise<MessageInfo<T, R> | undefined>
  /**
   * Waits until the message has ended, and tells how; at once if it has. No end is missed, whenever this is called: an
   * id that was never seen is waited for, and a dead letter that was redriven is waited for again. So is an id that was
   * freed by `forget` or `dead.remove`: nothing is known of it any more. At-most-once: a message is completed, without a
   * result, once its handler is done, however that fared.
   *
   * Of ids that the index does not keep, the last ends of this run are kept in memory: of generated ids, of ids with a
   * `dedup.windowMs` of 0, and of what `cancel` and `purge` withdrew, `cancelled` until the id is enqueued anew. They are
   * the last 4,096 of the box, with at most 1 MiB of results. So `finished` of an id that `enqueue` gave just now
   * tells how its message ended, however fast that was. Later, or in another run, a generated id rejects with
   * `ERR_NOT_FOUND`, and one that was withdrawn is waited for like one that was never seen.
   *
   * Rejects with `ERR_NOT_FOUND` if the message had a generated id and ended too long ago to be told; with `ERR_TIMEOUT`
   * after `timeoutMs`; with `ERR_CLOSED` when the box is closed before the end; with `ERR_QUEUE_FULL` if 100,000 calls wait;
   * with `ERR_CORRUPT` if the stored result is damaged. An open call keeps the process alive.
   */
  finished(id: string, options?: FinishedOptions): Promise<Outcome<R>>
  /** Looks at messages without claiming them, in the order of delivery. */
  peek(options?: PeekOptions): Promise<MessageInfo<T>[]>
  /** Withdraws an unfinished message; a running handler's signal aborts. False if there is no such message. */
  cancel(id: string): Promise<boolean>
  /** Makes a scheduled message ready now. False if there is no such message. */
  retryNow(id: string): Promise<boolean>
  /** Drops all messages that wait; how many. Leased messages and dead letters stay. */
  purge(): Promise<number>
  /**
   * Frees the id of a finished message, so that it can be enqueued again. False, and nothing changes, if no such id is
   * known, while its message is unfinished, and while it is a dead letter, which is redriven or removed first.
   */
  forget(id: string): Promise<boolean>
  /** Stops deliveries; durable. */
  pause(): Promise<void>
  /** Ends a pause; durable. */
  resume(): Promise<void>
  /**
   * Resolves when nothing is ready or leased, as `stats` counts them, and no handler runs. Messages that wait for their
   * time do not matter; those that no worker takes now (none is there, its circuit is open, it is not ready) do. At most 10,000 calls of a box may wait, then `ERR_QUEUE_FULL`.
   */
  idle(options?: IdleOptions): Promise<void>
  stats(): Promise<QueueStats>
  readonly dead: DeadLetters<T>
  readonly on: Listen<QueueEvents>
  /**
   * All events from now on, for a `for await` loop, each with its name as `type`. Leaving the loop ends it, as does the
   * close of the box; it throws the reason of its signal, or the error that ended the box.
   */
  events(options?: EventsOptions): EventStream
  /** Messages as a list that is there at once, for `useSyncExternalStore` and its like. */
  watch(options?: WatchOptions): Watch<T>
}

/** Options of `finished`. */
export interface FinishedOptions {
  /** How long to wait, above 0. Default: without limit. */
  readonly timeoutMs?: number | undefined
  /** Gives up waiting: rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}

/** Handles one delivery. */
export type Handler<T, R = void> = (message: Delivery<T>) => R | Promise<R>

/** Options of `process`. Of what workers limit, those of one queue and one name share a part: see `name`. */
export interface WorkerOptions<T = unknown> extends PolicyOptions, ReadinessOptions {
  /** Handlers at once, 1 to 100,000. Default 1. */
  readonly concurrency?: number | undefined
  /**
   * Under which circuits, holds of destinations that asked for time, and rates are kept over restarts; after a crash, what
   * rates had given out is forgotten, so that one burst too many may follow. Workers of one queue and one name share their
   * circuits (`breaker`, `whenOpen`), what holds for destinations (`perDestination`) and one `retryBudget`; they must name
   * these, and a `rate` over the queue, alike or none of them, else `ERR_INVALID_OPTION`: those that limit differently need
   * names of their own. A `rate` with `scope: 'worker'` is each worker's own and may differ. Default: the queue's name.
   */
  readonly name?: string | undefined
  /**
   * Says what follows from what a handler threw, `httpErrors()` for one. Not asked about a `PermanentError` or a
   * `RetryAfterError`, which say it themselves. One that throws or gives no verdict is reported by `warning`, and
   * what would follow without it does. Default: none.
   */
  readonly classify?: Classify<T> | undefined
  /**
   * How long a handler may take, from its start, 1 or more; what comes before it (an asynchronous schema, an earlier
   * handler of the message that runs on) has as much of its own. Then its `signal` aborts with `ERR_TIMEOUT`, and the attempt fails with the
   * end of the handler, whether it returns or throws (`timeout`). One that does not end within `leaseMs` of that is
   * reported by `warning` and `stalled`, once: its attempt has failed, its message goes on, and its slot stays taken
   * until it returns. Default: none.
   */
  readonly timeoutMs?: number | undefined
  /**
   * How long the lease of a handler is renewed at most, from its start, 1 or more. Then the attempt has failed
   * (`lease-expired`, told by `stalled`) and its `signal` aborts with `ERR_LEASE_LOST`; the message goes on when the handler
   * has ended, or `leaseMs` later. Default: none.
   */
  readonly maxRuntimeMs?: number | undefined
}

/** Runs handlers. An open worker keeps the process alive. */
export interface Worker extends AsyncDisposable {
  readonly name: string
  /** Resolves when the worker is closed, rejects with what killed it. Never becomes an unhandled rejection. */
  readonly closed: Promise<void>
  /** Starts no more handlers until resumed; running ones finish. What was claimed for it is ready for others. */
  pause(): void
  resume(): void
  /** Like the close of a box, for this worker alone. */
  close(options?: CloseOptions): Promise<CloseReport>
  stats(): WorkerStats
  /**
   * The circuit of a destination, or that of messages without one. Reading it throws `ERR_CLOSED` once the worker is closed,
   * unless its breaker is a `CircuitBreaker` of the user.
   */
  circuit(destination?: string): WorkerCircuit
  /** All circuits that something is known of. @throws `ERR_CLOSED` */
  circuits(): WorkerCircuitInfo[]
  readonly on: Listen<WorkerEvents>
}

/** One attempt at handling a message. */
export interface Delivery<T = unknown> extends AsyncDisposable {
  readonly id: string
  readonly body: T
  /** From 1. */
  readonly attempt: number
  readonly headers: Readonly<Record<string, string>>
  readonly group: string | undefined
  readonly destination: string | undefined
  readonly priority: number
  readonly enqueuedAt: number
  /** Fencing number: later deliveries of any message have higher ones. */
  readonly token: number
  /**
   * Aborts when the delivery is no longer this one's to settle, with an `AckboxError` as the reason: `ERR_LEASE_LOST`,
   * `ERR_CLOSED` or `ERR_TIMEOUT`.
   */
  readonly signal: AbortSignal
  /**
   * Done, with a result that JSON can hold. Resolves when that is durable. A result above `maxResultBytes` rejects with
   * `ERR_BODY_TOO_LARGE`, one that JSON cannot hold with `ERR_INVALID_BODY`; the delivery is still to be settled then.
   */
  ack(result?: unknown): Promise<void>
  /**
   * Failed: as the options say, else as a `PermanentError` or a `RetryAfterError` says, else tried again after the backoff.
   * Resolves when that is durable.
   */
  reject(reason?: unknown, options?: RejectOptions): Promise<void>
  /**
   * Stages a message: it becomes durable with the acknowledgement of this delivery (`ack`, or the return of its handler), in
   * one commit, or not at all if the delivery ends in another way. If it cannot be enqueued then (`ERR_QUEUE_FULL`,
   * `ERR_ID_CONFLICT` and so on), `ack` rejects and the delivery stays open, or the attempt of the handler that returned
   * fails with that error. A transaction that acknowledges this delivery takes it along. The receipt is that of `Transaction.enqueue`.
   * Settled: `ERR_ALREADY_SETTLED`. Lost, or at-most-once: `ERR_LEASE_LOST`.
   */
  enqueue<T, R, Out>(queue: Queue<T, R, Out>, body: T, options?: StagedEnqueueOptions): Receipt
  /**
   * Runs a part of the work once: records what it gave durably with the message, and gives that to later deliveries
   * without running it again, whatever happened in between: a retry, a crash, a redrive. What it gave goes through the
   * queue's codec, also the first time, so that every attempt sees the same; `undefined` is a result. One that throws
   * records nothing, and may be called again. Steps may run concurrently.
   *
   * A step is repeated only if it was cut off between its effect and its record: hand its `key` to the service that it
   * calls. A handler that may run again should do nothing that matters outside its steps.
   *
   * `name`: 1 to 256 bytes; the same twice in one attempt is `ERR_INVALID_OPTION`, as are more than 1,024 steps of one
   * message. Once the names and results of its steps have 8 MiB, further ones reject with `ERR_BODY_TOO_LARGE`. Settled:
   * `ERR_ALREADY_SETTLED`. Lost, or at-most-once: `ERR_LEASE_LOST`. `ERR_CORRUPT`: the recorded result is damaged, and
   * the message a dead letter now. All of these come before `run` is called, unless they happened while it ran.
   *
   * What it will give cannot be known ahead: a result above the queue's `maxBodyBytes` (`ERR_BODY_TOO_LARGE`), or one that
   * the codec cannot hold (`ERR_INVALID_BODY`), is refused behind the effect, which later attempts repeat. So are results
   * of steps side by side that have more than 16 MiB together.
   */
  step<S>(name: string, run: (context: StepContext) => S | PromiseLike<S>): Promise<S>
  /**
   * A key for the idempotency of a call to the outside, `Idempotency-Key` say: 32 hexadecimal digits. The same for this
   * name in every attempt, after redrives too, and on every engine; another one for each message and each box. `name`: 1
   * to 256 bytes.
   */
  key(name: string): string
  /** Prolongs the lease: it ends `ms` from now, 1 or more. */
  extend(ms: number): Promise<void>
}

/** What a step gets. */
export interface StepContext {
  /** {@link Delivery.key} of the step's name. */
  readonly key: string
  /** {@link Delivery.signal}. */
  readonly signal: AbortSignal
}

/**
 * Sends numbered messages, each of which is accepted once, for ever: not within a window, as by ids. A service that copies
 * events from upstream numbers them from 1 without gaps, and after a crash sends again from `sequence` on.
 */
export interface Producer {
  readonly name: string
  /**
   * The lowest number that was not accepted, as far as this handle was told: where to go on. What was accepted beyond it is
   * known as well, and sending it again enqueues nothing.
   */
  readonly sequence: number
  /**
   * Enqueues the message with this number; resolves when it is durable. Rejects as the queue's own `enqueue` does, and the
   * number stays free; with `ERR_FENCED` if the producer was opened again since; with `ERR_INVALID_OPTION` for a number of
   * more than 1,024 above those that were accepted without a gap. Several may be under way at once, in any order and into
   * any queues; when one is refused with `ERR_STORAGE_FULL`, so is all else that this producer has under way.
   */
  enqueue<T, R, Out>(queue: Queue<T, R, Out>, body: T, options: ProducerEnqueueOptions): Promise<ProducerReceipt>
}

/** Options of an enqueue by a producer. */
export interface ProducerEnqueueOptions extends StagedEnqueueOptions {
  /** From 1. */
  readonly sequence: number
}

/** Answer to an enqueue by a producer. It is durable when it arrives. */
export interface ProducerReceipt {
  readonly sequence: number
  /** `duplicate`: the number was accepted before, or the id is known; nothing was enqueued. */
  readonly status: Receipt['status']
  /** Of the message. Absent for a duplicate that was sent without an id, or whose id is not remembered any more. */
  readonly id?: string
  /** Of the message; absent where the id is. */
  readonly state?: MessageState
}

/**
 * What becomes durable together. Its calls stage, they wait for nothing; they throw what is wrong at once. Once the
 * function that got it is done they throw `ERR_CLOSED`.
 */
export interface Transaction {
  /**
   * The delivery is done, with a result that JSON can hold. A delivery of `process`, `dequeue`, `consume` or `drain` of any
   * queue of the box, unless that is at-most-once (`ERR_LEASE_LOST`); its handler may return afterwards.
   */
  ack<T>(message: Delivery<T>, result?: unknown): void
  /** The delivery failed: tried again after the backoff, or as `options` say. */
  reject<T>(message: Delivery<T>, reason?: unknown, options?: RejectOptions): void
  /**
   * Enqueues into a queue of the box. A message that the transaction acknowledges makes room for it; its id stays taken. The
   * receipt is completed by the commit: until then it has no `status` and no `state`, and an `id` only if it was given, or
   * the queue has an `id` function. What an asynchronous schema or middleware finds wrong rejects the transaction.
   */
  enqueue<T, R, Out>(queue: Queue<T, R, Out>, body: T, options?: StagedEnqueueOptions): Receipt
}

/** How a delivery is rejected. */
export interface RejectOptions {
  /** Instead of the queue's backoff, 0 or more. Not together with `dead`. */
  readonly delayMs?: number | undefined
  /** No retry: dead-lettered at once as `permanent`. Default false. */
  readonly dead?: boolean | undefined
}

/** Options of `dequeue` and `dequeueMany`. */
export interface DequeueOptions {
  /** How long the claim lasts, 1 or more; it is not extended by itself. Default: the queue's. */
  readonly leaseMs?: number | undefined
  /** How long to wait for a message, 0 or more. Default 0: not at all. */
  readonly waitMs?: number | undefined
  /** Gives up waiting. */
  readonly signal?: AbortSignal | undefined
}

/** Options of `peek`. */
export interface PeekOptions {
  /**
   * Only messages in this state. Default: all that are not finished. `'completed'` and `'cancelled'` are
   * `ERR_INVALID_OPTION`: `get` finds a finished message while its id is remembered.
   */
  readonly state?: MessageState | undefined
  /** 1 to 1,000. Default 100. */
  readonly limit?: number | undefined
}

/** The dead letters of a queue. They are kept until they are removed or redriven. */
export interface DeadLetters<T = unknown> {
  /**
   * In the order of their deaths; all, or page by page. A walk shows each letter that is dead when it begins and still is
   * when it comes to it, once: what dies later, or dies again, is behind its end.
   */
  list(filter?: DeadFilter): DeadList<T>
  get(id: string): Promise<DeadLetter<T> | undefined>
  count(filter?: DeadFilter): Promise<number>
  /**
   * Gives messages all their attempts again, not their steps, in the order of their deaths behind what waits; with `groupOnDead: 'block'`
   * in front of their group. Idempotent.
   */
  redrive(options?: RedriveOptions): Promise<RedriveReport>
  /**
   * Replaces the body, the headers or both, and nothing else; resolves when that is durable. False if there is no dead
   * letter with this id. The id stays taken by the body that it was enqueued with: whoever enqueues that again finds a
   * duplicate.
   */
  edit(id: string, changes: DeadLetterEdit<T>): Promise<boolean>
  /** Removes dead letters for good and frees their ids; `{}` means all. Resolves with their number. */
  remove(filter: DeadFilter): Promise<number>
}

/** Which dead letters; what is not named does not matter. */
export interface DeadFilter {
  /** Only these, at most 10,000. */
  readonly ids?: readonly string[] | undefined
  readonly reason?: Reason | undefined
  /** Only those that died before this. */
  readonly before?: Date | number | undefined
  /** Only those that died after this. */
  readonly after?: Date | number | undefined
}

/**
 * How dead letters are redriven. What is cut off (by the signal, a close, a crash) loses nothing: a letter that was not
 * moved yet stays dead, and the same call goes on where it was cut.
 */
export interface RedriveOptions extends DeadFilter {
  /** At most so many, oldest first, 1 or more. */
  readonly limit?: number | undefined
  /**
   * Letters a second, 0.001 to 1,000,000, evenly spread; resolves when all that were dead at the beginning are moved, and
   * keeps the process alive until then. Default: all at once.
   */
  readonly perSecond?: number | undefined
  /**
   * The name of another queue of the box, which must exist. A letter goes there with its id, body, headers, group,
   * destination, priority and number of attempts, in one commit; the bytes of the body are not encoded anew. One whose id
   * is known there, or that finds no room there, is skipped. Default: the queue that it died in.
   */
  readonly to?: string | undefined
  /** `'forget'`: what was recorded of their steps is dropped, and their handlers run them again. Default `'keep'`. */
  readonly steps?: 'keep' | 'forget' | undefined
  /** Ends a redrive at a pace. */
  readonly signal?: AbortSignal | undefined
}

/** Another content for a dead letter; what is not named stays as it is, and something must be named. */
export interface DeadLetterEdit<T = unknown> {
  readonly body?: T | undefined
  /** All headers; `{}` for none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export interface RedriveReport {
  readonly moved: number
  /** What stays as it is: ids that are no dead letters here, letters whose bytes are damaged or that `to` did not take. */
  readonly skipped: number
}

/** Dead letters, iterated or by page. */
export interface DeadList<T = unknown> extends AsyncIterable<DeadLetter<T>> {
  page(options?: PageOptions): Promise<DeadLetterPage<T>>
}

export interface PageOptions {
  /** Entries at most, 1 to 1,000; a page of large bodies has fewer, about 8 MiB of them. Default 100. */
  readonly limit?: number | undefined
  /** `next` of the page before, of the same queue; it holds over reopening. */
  readonly after?: string | undefined
}

export interface DeadLetterPage<T = unknown> {
  /** Fewer than asked for where some were redriven or removed while the page was put together. */
  readonly items: DeadLetter<T>[]
  /** Where the next page begins; absent on the last. */
  readonly next?: string
}
