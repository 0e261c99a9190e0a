/**
 * Values of options are checked: of each option that there is, wrong types and values just outside its range are refused by
 * name. The types see to it that no option is left out here.
 */
import {
  type Box,
  type CloseOptions,
  type ConsumeOptions,
  constant,
  type DeadFilter,
  type DedupOptions,
  type DequeueOptions,
  type DrainOptions,
  type EnqueueOptions,
  type EventsOptions,
  exponential,
  type ExponentialOptions,
  type FinishedOptions,
  httpErrors,
  type HttpErrorsOptions,
  type IdleOptions,
  type JitterOptions,
  type ListenOptions,
  memoryStorage,
  type Middleware,
  open,
  type OpenOptions,
  type PageOptions,
  type PeekOptions,
  type Queue,
  type QueueOptions,
  type RedriveOptions,
  type RejectOptions,
  RetryAfterError,
  type RetryAfterOptions,
  type WatchOptions,
  type WorkerOptions,
} from 'ackbox'
import { fileStorage, type FileStorageOptions } from 'ackbox/file'
import { indexedDbStorage, type IndexedDbStorageOptions } from 'ackbox/indexeddb'
import {
  type AppendFault,
  faultyStorage,
  type FaultyStorageOptions,
  manualClock,
  type ManualClockOptions,
  storageSuite,
  type StorageSuiteOptions,
  testDelivery,
  type TestDeliveryOverrides,
} from 'ackbox/testing'
import { describe, expect, it, onTestFinished } from 'vitest'

import { refusal } from '../support/errors.ts'
import { IN_BROWSER } from '../support/platform.ts'

type Wrong = readonly unknown[]
/** Wrong values of every option of a table. */
type Table<Options> = { readonly [Name in keyof Options]-?: Wrong }

interface Place {
  readonly box: Box
  readonly queue: Queue<number>
}

const nothing = (): void => {}

const YEAR_MS = 365 * 24 * 3_600_000
/** Longer than any time that an option takes. */
const TOO_LONG = 1_000_000 * YEAR_MS

const NO_NUMBER: Wrong = ['1', null, {}, [1], true, Number.NaN]
const NO_TEXT: Wrong = [5, null, {}, ['a'], true]
const NO_FUNCTION: Wrong = [5, null, {}, 'text', true]
const NO_FLAG: Wrong = [1, null, {}, 'true']
const NO_OBJECT: Wrong = [5, null, 'text', true]
const NO_SIGNAL: Wrong = [5, null, {}, 'abort', { aborted: false }]

const whole = (least: number, most?: number): Wrong => [
  ...NO_NUMBER, least - 1, least + 0.5, ...(most === undefined ? [Number.NEGATIVE_INFINITY] : [most + 1]),
]
const time = (least: number): Wrong => [...NO_NUMBER, least - 1, TOO_LONG]
const text = (bytes: number): Wrong => [...NO_TEXT, '', 'x'.repeat(bytes + 1), 'é'.repeat(bytes / 2 + 1)]
const choice: Wrong = [5, null, {}, '', 'no such thing']
const texts = (bytes: number): Wrong => ['a', 5, null, {}, [5], ['x'.repeat(bytes + 1)]]
const instant: Wrong = ['tomorrow', null, {}, Number.NaN, new Date('no date'), true]

const OPEN: Table<OpenOptions> = {
  whenLocked: choice,
  lockWaitMs: time(0),
  readOnly: NO_FLAG,
  engine: choice,
  wasm: [null, 5, true, {}, []],
  maxMemoryBytes: whole(0),
  segmentBytes: whole(4_096, 2 ** 30),
  clock: [5, null, {}, { now: Date.now }],
  seed: [null, {}, true, Number.NaN],
  signal: NO_SIGNAL,
}

const QUEUE: Table<QueueOptions> = {
  guarantee: choice,
  maxAttempts: whole(1),
  maxRetryMs: [...NO_NUMBER, -1],
  backoff: [5, null, {}, 'exponential', { kind: 'linear' }],
  leaseMs: time(1),
  id: NO_FUNCTION,
  group: NO_FUNCTION,
  destination: NO_FUNCTION,
  dedup: NO_OBJECT,
  maxDepth: whole(1),
  maxBytes: whole(1),
  maxBodyBytes: whole(1, 8 << 20),
  maxResultBytes: whole(0, 8 << 20),
  groupOnDead: choice,
  deadLetterTo: [5, {}, '', 'x'.repeat(257), true],
  dead: [...NO_OBJECT, { retainMs: -1 }, { retainMs: '5' }],
  history: [...NO_OBJECT, { windowMs: -1, maxEntries: 1 }, { windowMs: 1, maxEntries: -1 }, { windowMs: 1, maxEntries: 0.5 }],
  codec: [5, null, {}, 'json', { encode: nothing }],
  schema: [5, null, {}, 'string', { '~standard': {} }],
}

const DEDUP: Table<DedupOptions> = {
  windowMs: time(0),
  maxEntries: whole(1),
  whenFull: choice,
  compare: choice,
}

const ENQUEUE: Table<EnqueueOptions> = {
  id: text(256),
  delayMs: time(0),
  at: instant,
  ttlMs: [...time(1), 0],
  priority: whole(0, 255),
  group: text(256),
  destination: text(256),
  maxAttempts: whole(1),
  headers: [...NO_OBJECT, { a: 1 }, { a: null }, { a: 'x'.repeat(5_000) }, ['a']],
  signal: NO_SIGNAL,
}

const WORKER: Table<WorkerOptions> = {
  concurrency: whole(1, 100_000),
  name: text(256),
  classify: NO_FUNCTION,
  timeoutMs: time(1),
  maxRuntimeMs: time(1),
  breaker: [5, 'a', null, [], { failures: 0 }, { size: 5 }],
  perDestination: [...NO_OBJECT, { concurrency: 0 }, { rate: { limit: 0, perMs: 1 } }, { breaker: null }, { breaker: false }],
  rate: [...NO_OBJECT, {}, { limit: 1 }, { limit: 1, perMs: 0 }, { limit: 1_000_001, perMs: 1 }, { limit: 1, perMs: 1, scope: 5 }, { limit: 1, perMs: 1, scope: null }],
  whenOpen: choice,
  ready: NO_FUNCTION,
  networkMode: choice,
  retryBudget: ['a', null, true, [], -0.1, 1.1, NaN, { ratio: 2 }, { minPerSecond: 0 }, { ttlMs: 999 }],
}

const DRAIN: Table<DrainOptions> = { ...WORKER, drainTimeoutMs: time(0), signal: NO_SIGNAL }
const CONSUME: Table<ConsumeOptions> = { prefetch: whole(1, 10_000), leaseMs: time(1), signal: NO_SIGNAL }
const DEQUEUE: Table<DequeueOptions> = { leaseMs: time(1), waitMs: time(0), signal: NO_SIGNAL }
const PEEK: Table<PeekOptions> = { state: [...choice, 'completed', 'cancelled'], limit: whole(1, 1_000) }
const FINISHED: Table<FinishedOptions> = { timeoutMs: [...NO_NUMBER, 0, -1], signal: NO_SIGNAL }
const CLOSE: Table<CloseOptions> = { timeoutMs: [...NO_NUMBER, -1], signal: NO_SIGNAL }
const IDLE: Table<IdleOptions> = { signal: NO_SIGNAL }
const EVENTS: Table<EventsOptions> = { limit: whole(1), signal: NO_SIGNAL }
const LISTEN: Table<ListenOptions> = { once: NO_FLAG, signal: NO_SIGNAL }
const WATCH: Table<WatchOptions> = {
  ids: texts(256),
  states: ['ready', 5, null, {}, ['no such state'], [5]],
  limit: whole(1, 1_000),
}
const REJECT: Table<RejectOptions> = { delayMs: time(0), dead: NO_FLAG }
const FILTER: Table<DeadFilter> = { ids: texts(256), reason: choice, before: instant, after: instant }
const REDRIVE: Table<RedriveOptions> = {
  ...FILTER,
  limit: whole(1),
  perSecond: [...NO_NUMBER, 0, -1, 1_000_001],
  to: text(256),
  steps: choice,
  signal: NO_SIGNAL,
}
const PAGE: Table<PageOptions> = { limit: whole(1, 1_000), after: [5, null, {}, 'no cursor'] }
const EXPONENTIAL: Table<ExponentialOptions> = {
  baseMs: time(0),
  factor: [...NO_NUMBER, 0.5],
  capMs: time(0),
  jitter: [null, {}, -0.1, 1.5, Number.NaN, 'some'],
}
const JITTER: Table<JitterOptions> = { jitter: EXPONENTIAL.jitter }
const RETRY_AFTER: Table<Omit<RetryAfterOptions, 'cause'>> = { costsAttempt: NO_FLAG, countsAsFailure: NO_FLAG }
const HTTP_ERRORS: Table<HttpErrorsOptions> = { maxRetryAfterMs: [...NO_NUMBER, -1], clock: [5, null, {}] }
const TEST_DELIVERY: Table<TestDeliveryOverrides> = {
  id: text(256),
  attempt: whole(1),
  headers: [5, null, 'text', { a: 1 }],
  group: text(256),
  destination: text(256),
  priority: whole(0, 255),
  enqueuedAt: whole(0),
  token: whole(0),
  signal: NO_SIGNAL,
  steps: [5, null, 'text', [1], { '': 1 }],
}
const MANUAL_CLOCK: Table<ManualClockOptions> = { start: instant }
const FAULTY: Table<FaultyStorageOptions> = { faults: ['fail', 5, null, {}, true], durability: choice }
const FAULT: Table<AppendFault> = {
  append: whole(1),
  kind: choice,
  errno: text(64),
  keepBytes: whole(0),
}
const SUITE: Table<StorageSuiteOptions> = { test: NO_FUNCTION, create: NO_FUNCTION, reopen: NO_FUNCTION }
const MIDDLEWARE: Table<Middleware> = { enqueue: NO_FUNCTION, deliver: NO_FUNCTION }
const INDEXED_DB: Table<IndexedDbStorageOptions> = { name: [5, null, {}, ''], durability: choice, persist: NO_FLAG }
const FILE: Table<FileStorageOptions> = { directory: [5, null, {}, ''], durability: choice, clock: [5, null, {}], readSize: NO_FUNCTION }

/** A call with one option; what it needs beside it is right. */
type Call = (place: Place, options: never) => unknown

const TABLES: [string, Readonly<Record<string, Wrong>>, Call][] = [
  ['open', OPEN, (_, options) => open(memoryStorage(), options)],
  ['box.queue', QUEUE, ({ box }, options) => box.queue('other', options)],
  ['dedup', DEDUP, ({ box }, dedup) => box.queue('other', { dedup })],
  ['enqueue', ENQUEUE, ({ queue }, options) => queue.enqueue(1, options)],
  ['process', WORKER, ({ queue }, options) => queue.process(nothing, options)],
  ['drain', DRAIN, ({ queue }, options) => queue.drain(nothing, options)],
  ['consume', CONSUME, ({ queue }, options) => queue.consume(options)],
  ['dequeue', DEQUEUE, ({ queue }, options) => queue.dequeue(options)],
  ['dequeueMany', DEQUEUE, ({ queue }, options) => queue.dequeueMany(1, options)],
  ['peek', PEEK, ({ queue }, options) => queue.peek(options)],
  ['finished', FINISHED, ({ queue }, options) => queue.finished('a', options)],
  ['box.close', CLOSE, ({ box }, options) => box.close(options)],
  ['worker.close', CLOSE, ({ queue }, options) => queue.process(nothing).close(options)],
  ['idle', IDLE, ({ queue }, options) => queue.idle(options)],
  ['events', EVENTS, ({ queue }, options) => queue.events(options)],
  ['on', LISTEN, ({ queue }, options) => queue.on('drained', nothing, options)],
  ['watch', WATCH, ({ queue }, options) => queue.watch(options)],
  ['reject', REJECT, async ({ queue }, options) => (await queue.dequeue())!.reject('why', options)],
  ['dead.list', FILTER, ({ queue }, filter) => queue.dead.list(filter).page()],
  ['dead.count', FILTER, ({ queue }, filter) => queue.dead.count(filter)],
  ['dead.remove', FILTER, ({ queue }, filter) => queue.dead.remove(filter)],
  ['dead.redrive', REDRIVE, ({ queue }, options) => queue.dead.redrive(options)],
  ['dead.list().page', PAGE, ({ queue }, options) => queue.dead.list().page(options)],
  ['exponential', EXPONENTIAL, (_, options) => exponential(options)],
  ['constant', JITTER, (_, options) => constant(1, options)],
  ['RetryAfterError', RETRY_AFTER, (_, options) => new RetryAfterError(1, options)],
  ['httpErrors', HTTP_ERRORS, (_, options) => httpErrors(options)],
  ['testDelivery', TEST_DELIVERY, (_, overrides) => testDelivery(1, overrides)],
  ['manualClock', MANUAL_CLOCK, (_, options) => manualClock(options)],
  ['faultyStorage', FAULTY, (_, options) => faultyStorage(memoryStorage(), options)],
  ['a fault', FAULT, (_, part) => faultyStorage(memoryStorage()).plan({ append: 1, kind: 'torn', ...(part as object) })],
  ['storageSuite', SUITE, (_, part) => storageSuite({ test: nothing, create: memoryStorage, reopen: nothing as never, ...(part as object) })],
  ['box.use', MIDDLEWARE, ({ box }, middleware) => box.use(middleware)],
  ['indexedDbStorage', INDEXED_DB, (_, options) => indexedDbStorage({ name: 'never opened', ...(options as object) })],
]
if (!IN_BROWSER) {
  TABLES.push(['fileStorage', FILE, (_, options) => fileStorage({ directory: 'never opened', ...(options as object) })])
}

async function place(): Promise<Place> {
  const box = await open(memoryStorage())
  onTestFinished(async () => void (await box.close({ timeoutMs: 0 })))
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1)
  return { box, queue }
}

describe.each(TABLES)('%s', (_, table, call) => {
  it.each(Object.entries(table).filter(([, wrong]) => wrong.length > 0))('refuses wrong values of %s [A10 options]', async (name, wrong) => {
    for (const value of wrong) {
      const options = { [name]: value } as never
      await refusal(async () => call(await place(), options), 'ERR_INVALID_OPTION', new RegExp(`\\b${name}\\b`)).catch((cause: unknown) => {
        throw new Error(`${name}: ${typeof value === 'number' ? value : JSON.stringify(value)}`, { cause })
      })
    }
    expect(wrong.length).toBeGreaterThan(2)
  })
})

/** What is no option but has to be of a kind all the same. */
const ARGUMENTS: [string, Wrong, (value: never) => unknown][] = [
  ['faultyStorage', [undefined, null, 5, 'folder', {}, { ...memoryStorage(), durability: 'always' }], (storage) => faultyStorage(storage)],
  ['faultyStorage: options', [null, 5, 'fail', [], { fault: [] }], (options) => faultyStorage(memoryStorage(), options)],
  ['faultyStorage: fault', [undefined, null, 5, 'fail', [], { append: 1, kind: 'torn', bytes: 5 }], (fault) => faultyStorage(memoryStorage()).plan(fault)],
  ['storageSuite', [undefined, null, 5, 'suite', {}, { suite: nothing }], (options) => storageSuite(options)],
  ['manualClock', [null, 5, '2030', { begin: 5 }], (options) => manualClock(options)],
  ['manualClock: advance', [null, '5', -1, Number.NaN, Infinity], (ms) => manualClock().advance(ms)],
  ['testDelivery', [null, 5, 'body', { bodies: 5 }], (overrides) => testDelivery(1, overrides)],
  ['lose', [null, 5, 'lost', 'ERR_NOT_FOUND'], (code) => testDelivery(1).lose(code)],
]

it.each(ARGUMENTS)('%s refuses what it cannot work with [A10 options]', async (_, wrong, call) => {
  for (const value of wrong) await refusal(async () => call(value as never), 'ERR_INVALID_OPTION', /expected|unknown option/)
})

it('storageSuite refuses what create and reopen give if it is no storage', async () => {
  const runs: (() => Promise<void>)[] = []
  const register = (_: string, run: () => Promise<void>): void => void runs.push(run)
  storageSuite({ test: register, create: () => null as never, reopen: (storage) => storage })
  for (const run of runs) await refusal(run(), 'ERR_INVALID_OPTION', /create to give a storage.*got null/)
  expect(runs.length).toBeGreaterThan(10)
})
