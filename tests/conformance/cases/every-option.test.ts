/**
 * Options are never ignored: whatever takes options refuses what it does not know, what is no object of options, and
 * contradictions. The types see to it that no method is left out here.
 */
import {
  type Box,
  bytes,
  CircuitBreaker,
  constant,
  type DeadLetters,
  type DeadList,
  defineQueue,
  type Delivery,
  exponential,
  httpErrors,
  memoryStorage,
  open,
  type Queue,
  ready,
  retry,
  RetryAfterError,
  schedule,
  type Worker,
} from 'ackbox'
import { fileStorage } from 'ackbox/file'
import { indexedDbStorage } from 'ackbox/indexeddb'
import { httpSender } from 'ackbox/http'
import { faultyStorage, manualClock } from 'ackbox/testing'
import { describe, expect, it, onTestFinished } from 'vitest'

import { refusal } from '../support/errors.ts'
import { IN_BROWSER } from '../support/platform.ts'

interface Site {
  readonly box: Box
  readonly queue: Queue<number>
  readonly worker: Worker
  readonly delivery: Delivery<number>
}

/** A call with these options; what it needs beside them is right. */
type Call = (site: Site, options: never) => unknown

type Methods<T> = { [K in keyof T & string]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T & string]
/** Each method of an object: how it is called with options, or `'none'` if it takes none. */
type Calls<T> = Record<Methods<T>, Call | 'none'>

const nothing = (): void => {}

const BOX: Calls<Box> = {
  queue: ({ box }, options) => box.queue('other', options),
  on: ({ box }, options) => box.on('error', nothing, options),
  use: ({ box }, middleware) => box.use(middleware),
  close: ({ box }, options) => box.close(options),
  transaction: 'none',
  producer: 'none',
  queues: 'none',
  stats: 'none',
  health: 'none',
}

const QUEUE: Calls<Queue> = {
  enqueue: ({ queue }, options) => queue.enqueue(1, options),
  enqueueMany: ({ queue }, item) => queue.enqueueMany([item]),
  process: ({ queue }, options) => queue.process(nothing, options),
  drain: ({ queue }, options) => queue.drain(nothing, options),
  consume: ({ queue }, options) => queue.consume(options),
  idle: ({ queue }, options) => queue.idle(options),
  events: ({ queue }, options) => queue.events(options),
  watch: ({ queue }, options) => queue.watch(options),
  dequeue: ({ queue }, options) => queue.dequeue(options),
  dequeueMany: ({ queue }, options) => queue.dequeueMany(1, options),
  peek: ({ queue }, options) => queue.peek(options),
  finished: ({ queue }, options) => queue.finished('a', options),
  on: ({ queue }, options) => queue.on('drained', nothing, options),
  get: 'none',
  cancel: 'none',
  retryNow: 'none',
  forget: 'none',
  purge: 'none',
  pause: 'none',
  resume: 'none',
  stats: 'none',
}

const DEAD: Calls<DeadLetters> = {
  list: ({ queue }, options) => queue.dead.list(options).page(),
  count: ({ queue }, options) => queue.dead.count(options),
  redrive: ({ queue }, options) => queue.dead.redrive(options),
  remove: ({ queue }, options) => queue.dead.remove(options),
  edit: ({ queue }, changes) => queue.dead.edit('a', changes),
  get: 'none',
}

const DEAD_LIST: Calls<DeadList> = {
  page: ({ queue }, options) => queue.dead.list().page(options),
}

const WORKER: Calls<Worker> = {
  on: ({ worker }, options) => worker.on('started', nothing, options),
  close: ({ worker }, options) => worker.close(options),
  pause: 'none',
  resume: 'none',
  stats: 'none',
  circuit: 'none',
  circuits: 'none',
}

const DELIVERY: Calls<Delivery> = {
  reject: ({ delivery }, options) => delivery.reject('why', options),
  enqueue: ({ delivery, queue }, options) => delivery.enqueue(queue, 1, options),
  ack: 'none',
  extend: 'none',
  step: 'none',
  key: 'none',
}

const FUNCTIONS: Record<string, Call> = {
  open: (_, options) => open(memoryStorage(), options),
  'box.queue of a known name': ({ box }, options) => box.queue('jobs', options),
  dedup: ({ box }, dedup) => box.queue('other', { dedup }),
  dead: ({ box }, dead) => box.queue('other', { dead }),
  history: ({ box }, history) => box.queue('other', { history }),
  defineQueue: (_, options) => defineQueue('other', options),
  exponential: (_, options) => exponential(options),
  constant: (_, options) => constant(1, options),
  schedule: (_, options) => schedule([1], options),
  'delay of a schedule': (_, options) => exponential().delay(1, options),
  retry: (_, options) => retry(nothing, options),
  ready: (_, options) => ready(options),
  httpSender: (_, options) => httpSender(options),
  RetryAfterError: (_, options) => new RetryAfterError(1, options),
  httpErrors: (_, options) => httpErrors(options),
  indexedDbStorage: (_, options) => indexedDbStorage(options),
  ...(IN_BROWSER ? {} : { fileStorage: (_, options) => fileStorage(options) }),
  manualClock: (_, options) => manualClock(options),
  faultyStorage: (_, options) => faultyStorage(memoryStorage(), options),
  'a fault of faultyStorage': (_, fault) => faultyStorage(memoryStorage(), { faults: [fault] }),
}

const OBJECTS = { box: BOX, queue: QUEUE, 'queue.dead': DEAD, 'queue.dead.list()': DEAD_LIST, worker: WORKER, delivery: DELIVERY }

const TAKERS: [string, Call][] = Object.entries(FUNCTIONS)
for (const [object, calls] of Object.entries(OBJECTS)) {
  for (const [method, call] of Object.entries<Call | 'none'>(calls)) {
    if (call !== 'none') TAKERS.push([`${object}.${method}`, call])
  }
}

async function site(): Promise<Site> {
  const box = await open(memoryStorage(), { clock: manualClock() })
  onTestFinished(async () => void (await box.close({ timeoutMs: 0 })))
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1)
  const delivery = await queue.dequeue()
  return { box, queue, worker: box.queue('worked').process(nothing), delivery: delivery! }
}

describe.each(TAKERS)('%s', (_, call) => {
  it('refuses an option that is unknown [A10 options]', async () => {
    const options = { notAnOption: undefined } as never
    await refusal(async () => call(await site(), options), 'ERR_INVALID_OPTION', /'notAnOption'/)
  })

  it('refuses what is no object of options', async () => {
    const place = await site()
    for (const wrong of [null, 5, 'text', true, ['option'], nothing]) {
      await refusal(async () => call(place, wrong as never), 'ERR_INVALID_OPTION')
    }
  })
})

it.each<[string, Call, object, RegExp]>([
  ['a backoff by hand', ({ box }, backoff) => box.queue('other', { backoff }), { kind: 'constant', ms: 1, factor: 2 }, /'factor'/],
  ['a delay and a time', QUEUE.enqueue as Call, { delayMs: 1, at: 1 }, /delayMs.*at.*both/],
  ['a delay of what is dead', DELIVERY.reject as Call, { delayMs: 1, dead: true }, /delayMs.*dead.*both/],
  ['no boolean: dead', DELIVERY.reject as Call, { dead: 'yes' }, /dead.*true or false.*'yes'/],
  ['no boolean: once', QUEUE.on as Call, { once: 1 }, /once.*true or false.*1/],
  ['no boolean: costsAttempt', FUNCTIONS['RetryAfterError']!, { costsAttempt: 'no' }, /costsAttempt.*true or false.*'no'/],
])('is refused: %s', async (_, call, options, message) => {
  await refusal(async () => call(await site(), options as never), 'ERR_INVALID_OPTION', message)
})

/** Options of the contract, each with a value that it allows. */
const CONTRACT: [string, Call, object[]][] = [
  [
    'open',
    FUNCTIONS['open']!,
    [
      { whenLocked: 'reject' }, { whenLocked: 'wait' }, { whenLocked: 'share' }, { lockWaitMs: 1 },
      { engine: 'auto' }, { maxMemoryBytes: 0 }, { segmentBytes: 4_096 }, { clock: manualClock() }, { seed: 1 },
      { signal: new AbortController().signal },
    ],
  ],
  [
    'box.queue',
    BOX.queue as Call,
    [
      { guarantee: 'at-most-once' }, { guarantee: 'exactly-once' }, { maxAttempts: Infinity }, { maxRetryMs: 1 },
      { backoff: exponential({ jitter: 'equal' }) }, { leaseMs: 1 }, { id: String }, { group: String }, { destination: String },
      { dedup: { windowMs: 1, maxEntries: 1, whenFull: 'shorten', compare: 'id' } }, { maxDepth: 1 }, { maxBytes: 1 },
      { maxBodyBytes: 1 }, { maxResultBytes: 1 }, { groupOnDead: 'block' }, { deadLetterTo: 'graveyard' },
      { dead: { retainMs: 1 } }, { history: { windowMs: 1, maxEntries: 1 } }, { codec: bytes },
      { schema: { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } } },
    ],
  ],
  [
    'queue.enqueue',
    QUEUE.enqueue as Call,
    [
      { id: 'a' }, { delayMs: 1 }, { at: new Date() }, { ttlMs: 1 }, { priority: 255 }, { group: 'g' }, { destination: 'd' },
      { maxAttempts: 1 }, { headers: { a: 'b' } }, { signal: new AbortController().signal },
    ],
  ],
  [
    'queue.process',
    QUEUE.process as Call,
    [
      { name: 'w' }, { concurrency: 2 }, { timeoutMs: 1 }, { maxRuntimeMs: 1 }, { breaker: true }, { breaker: false },
      { breaker: new CircuitBreaker() }, { breaker: { isFailure: () => true } },
      { perDestination: { concurrency: 1 } }, { rate: { limit: 1, perMs: 1 } }, { whenOpen: 'reject' }, { retryBudget: 0.1 },
      { classify: nothing }, { ready: () => true }, { networkMode: 'always' },
    ],
  ],
  ['queue.dequeue', QUEUE.dequeue as Call, [{ leaseMs: 1 }, { waitMs: 0 }, { signal: new AbortController().signal }]],
  ['delivery.reject', DELIVERY.reject as Call, [{ delayMs: 1 }, { dead: true }]],
  [
    'queue.dead.redrive',
    DEAD.redrive as Call,
    [{ ids: ['a'] }, { reason: 'expired' }, { before: 1 }, { after: 1 }, { limit: 1 }, { perSecond: 1 }, { to: 'jobs' }, { steps: 'forget' }, { signal: new AbortController().signal }],
  ],
  ['exponential', FUNCTIONS['exponential']!, [{ jitter: 'decorrelated' }, { jitter: 'full' }, { jitter: 'none' }]],
]

describe.each(CONTRACT)('%s takes, or refuses by name as not supported yet:', (_, call, options) => {
  it.each(options)('%o', async (given) => {
    let refused: unknown
    try {
      await call(await site(), given as never)
    } catch (error) {
      refused = error
    }
    if (refused === undefined) return
    expect(refused).toMatchObject({ code: 'ERR_UNSUPPORTED', message: expect.stringContaining(Object.keys(given)[0]!) })
  })
})
