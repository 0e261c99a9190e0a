/** What workers limit: destinations, starts in a time, retries among deliveries. Nothing of it costs an attempt. */
import { CircuitBreaker, constant, type Delivery, RetryAfterError, type WorkerOptions } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'

const DESTINATION = { destination: (body: string): string => body.split('-')[0]! }

/** A handler that keeps its deliveries until they are released. */
class Held {
  readonly bodies: string[] = []
  readonly #ends: (() => void)[] = []

  readonly handle = (message: Delivery<string>): Promise<void> => {
    this.bodies.push(message.body)
    return new Promise((end) => this.#ends.push(end))
  }

  release(): void {
    for (const end of this.#ends.splice(0)) end()
  }
}

describe('what workers limit', () => {
  it('destinations run so many at once and take turns [A3 perDestination]', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', DESTINATION)
    await queue.enqueueMany(['a-1', 'a-2', 'a-3', 'b-1', 'b-2', 'b-3'].map((body) => ({ body })))
    const held = new Held()
    queue.process(held.handle, { concurrency: 10, perDestination: { concurrency: 2 } })
    await clock.advance(0)
    expect(held.bodies).toEqual(['a-1', 'b-1', 'a-2', 'b-2'])
    held.release()
    await clock.advance(0)
    expect(held.bodies.slice(4)).toEqual(['a-3', 'b-3'])
    held.release()
    await queue.idle()
  })

  it('a destination has a rate of its own [A3 perDestination]', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', DESTINATION)
    const seen: string[] = []
    await queue.enqueueMany(['a-1', 'a-2', 'a-3', 'b-1'].map((body) => ({ body })))
    const handler = ({ body }: Delivery<string>): void => void seen.push(body)
    queue.process(handler, { concurrency: 10, perDestination: { rate: { limit: 1, perMs: 1_000 } } })
    await clock.advance(0)
    expect(seen).toEqual(['a-1', 'b-1'])
    await clock.advance(1_000)
    await clock.advance(1_000)
    expect(seen).toEqual(['a-1', 'b-1', 'a-2', 'a-3'])
  })

  it.each([
    ['queue', 2],
    ['worker', 4],
  ] as const)('a rate over the %s [A3 rate]', async (scope, atOnce) => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs')
    let started = 0
    for (const name of ['one', 'two']) {
      queue.process(() => void started++, { name, rate: { limit: 2, perMs: 1_000, scope } })
    }
    await queue.enqueueMany(Array.from({ length: 20 }, (_, index) => ({ body: String(index) })))
    await clock.advance(0)
    expect(started).toBe(atOnce)
    await clock.advance(1_000)
    expect(started).toBe(2 * atOnce)
  })

  it('workers of one name may each have a rate of their own [A3 rate]', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs')
    const started = [0, 0, 0]
    const start = (worker: number, options: WorkerOptions<string>): void => {
      queue.process(() => void started[worker]!++, { concurrency: 20, ...options })
    }
    start(0, { rate: { limit: 1, perMs: 1_000, scope: 'worker' } })
    start(1, { rate: { limit: 4, perMs: 1_000, scope: 'worker' }, retryBudget: 0.2 })
    start(2, { rate: { limit: 2, perMs: 1_000, scope: 'worker' }, retryBudget: 0.2 })
    await queue.enqueueMany(Array.from({ length: 30 }, (_, index) => ({ body: String(index) })))
    await clock.advance(0)
    expect(started).toEqual([1, 4, 2])
    await clock.advance(1_000)
    expect(started).toEqual([2, 8, 4])
  })

  it('retries past the budget are put off and not dropped [A3 retryBudget]', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', { backoff: constant(0), maxAttempts: 100 })
    let attempts = 0
    let works = false
    const handler = (): void => {
      attempts++
      if (!works) throw new Error('down')
    }
    queue.process(handler, { retryBudget: { ratio: 0, minPerSecond: 1, ttlMs: 5_000 } })
    await queue.enqueue('x')
    await clock.advance(0)
    expect(attempts).toBe(6)
    works = true
    await clock.advance(5_000)
    await queue.idle()
    expect(attempts).toBe(7)
    expect(await queue.stats()).toMatchObject({ dead: 0, acked: 1 })
  })

  it.each<[WorkerOptions<string>, RegExp]>([
    [{ rate: { limit: 0, perMs: 1 } }, /rate: .*limit/],
    [{ rate: { limit: 1 } as never }, /perMs/],
    [{ rate: { limit: 1, perMs: 1, scope: 'box' as never } }, /scope/],
    [{ perDestination: { concurrency: 0 } }, /perDestination: .*concurrency/],
    [{ perDestination: { rate: { limit: 1, perMs: 0 } } }, /perMs/],
    [{ perDestination: { breaker: { failures: 0 } } }, /failures/],
    [{ breaker: 1 as never }, /breaker/],
    [{ perDestination: { breaker: false as never } }, /perDestination: breaker/],
    [{ breaker: { failure: 1 } as never }, /failures/],
    [{ breaker: { size: 5 } }, /size/],
    [{ whenOpen: 'wait' as never }, /whenOpen/],
    [{ retryBudget: 2 }, /retryBudget/],
    [{ retryBudget: { minPerSecond: 0 } }, /minPerSecond/],
    [{ retryBudget: { ttlMs: 1 } }, /ttlMs/],
  ])('refuses %o', async (options, about) => {
    const { box } = await makeInMemory()
    await refusal(() => box.queue<string>('jobs').process(() => {}, options), 'ERR_INVALID_OPTION', about)
  })

  it('workers of one name must limit the same [A3 name]', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<string>('jobs')
    queue.process(() => {}, { breaker: true })
    await refusal(() => queue.process(() => {}, { breaker: { failures: 7 } }), 'ERR_INVALID_OPTION', /name them differently/)
    queue.process(() => {}, { breaker: { failures: 7 }, name: 'other' })
  })

  it.each<[string, WorkerOptions<string>, WorkerOptions<string>]>([
    ['whenOpen', { breaker: true }, { breaker: true, whenOpen: 'reject' }],
    ['retryBudget', { retryBudget: 0.2 }, { retryBudget: 0.3 }],
    ['a rate over the queue', { rate: { limit: 1, perMs: 1 } }, { rate: { limit: 2, perMs: 1 } }],
  ])('they share %s [A3 name]', async (_, one, another) => {
    const { box } = await makeInMemory()
    const queue = box.queue<string>('jobs')
    queue.process(() => {}, one)
    queue.process(() => {}, one)
    await refusal(() => queue.process(() => {}, another), 'ERR_INVALID_OPTION', /name them differently/)
  })
})

it('workers that name different rates over one queue have each its own [A3 rate]', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const started: Record<string, number> = { fast: 0, slow: 0 }
  for (const [name, limit] of [['fast', 10], ['slow', 2]] as const) {
    queue.process(() => void started[name]!++, { name, concurrency: 9, rate: { limit, perMs: 1_000 } })
  }
  await queue.enqueueMany(Array.from({ length: 200 }, (_, body) => ({ body })))
  await clock.advance(10_000)
  expect(started).toEqual({ fast: 110, slow: 22 })
})

eachStorage('what outlives a worker and its box [A3 name]', (make) => {
  const RATE = { limit: 2, perMs: 1_000 }

  it.each<[string, WorkerOptions<string>]>([
    ['of a destination', { perDestination: { rate: RATE } }],
    ['of a queue', { rate: RATE }],
    ['of a worker', { rate: { ...RATE, scope: 'worker' } }],
  ])('the rate %s [A3 rate]', async (_, options) => {
    const { box, clock, reopen } = await make()
    const seen: string[] = []
    const handler = ({ body }: Delivery<string>): void => void seen.push(body)
    const before = box.queue<string>('jobs', DESTINATION)
    await before.enqueueMany(['a-1', 'a-2', 'a-3', 'a-4'].map((body) => ({ body })))
    before.process(handler, { concurrency: 9, ...options })
    await clock.advance(0)
    const after = (await reopen()).queue<string>('jobs', DESTINATION)
    after.process(handler, { concurrency: 9, ...options })
    await clock.advance(499)
    expect(seen).toEqual(['a-1', 'a-2'])
    await clock.advance(1)
    expect(seen).toEqual(['a-1', 'a-2', 'a-3'])
  })

  it.each<[string, WorkerOptions<string>]>([
    ['of a worker without options', {}],
    ['with a rate', { rate: { limit: 100, perMs: 1 } }],
    ['with a retryBudget', { retryBudget: 1 }],
    ['with a breaker of its own', { breaker: new CircuitBreaker() }],
    ['with perDestination: {}', { perDestination: {} }],
    ['with a breaker', { breaker: true }],
  ])('who asked for time holds the whole destination %s [A3 RetryAfterError, S8]', async (_, options) => {
    const { box, clock } = await make()
    const queue = box.queue<string>('jobs', { ...DESTINATION, backoff: constant(1) })
    const seen: string[] = []
    queue.process(({ body }) => {
      seen.push(body)
      if (body.startsWith('a')) throw new RetryAfterError(60_000)
    }, options)
    await queue.enqueueMany([{ body: 'a-1' }, { body: 'a-2' }, { body: 'b-1' }])
    await clock.advance(59_999)
    // A breaker of its own is one gate for all.
    expect(seen).toEqual(options.breaker instanceof CircuitBreaker ? ['a-1'] : ['a-1', 'b-1'])
  })

  it('messages without a destination are held together, and one that is put off by hand holds no other [A3 RetryAfterError]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('jobs', { backoff: constant(1) })
    const seen: string[] = []
    queue.process(async (message) => {
      const isFirst = !seen.includes(message.body)
      seen.push(message.body)
      if (isFirst && message.body === 'by hand') await message.reject('later', { delayMs: 60_000 })
      if (isFirst && message.body === 'throws') throw new RetryAfterError(60_000)
    })
    await queue.enqueueMany([{ body: 'by hand' }, { body: 'one' }, { body: 'throws' }, { body: 'two' }])
    await clock.advance(59_999)
    expect(seen).toEqual(['by hand', 'one', 'throws'])
    await clock.advance(1)
    expect(seen.slice(3)).toEqual(['by hand', 'throws', 'two'])
  })

  it.each<[string, WorkerOptions<string>]>([
    ['without options', {}],
    ['with a breaker', { breaker: true }],
  ])('over a restart a worker %s leaves a destination alone that asked for time [A3 RetryAfterError, A3 name]', async (_, options) => {
    const { box, clock, reopen } = await make()
    const before = box.queue<string>('jobs', { ...DESTINATION, backoff: constant(1) })
    before.process(() => {
      throw new RetryAfterError(60_000)
    }, options)
    await before.enqueue('a-1')
    await clock.advance(0)
    const after = (await reopen()).queue<string>('jobs', DESTINATION)
    const seen: string[] = []
    after.process(({ body, attempt }) => void seen.push(`${body} ${attempt}`), options)
    await after.enqueueMany([{ body: 'a-2' }, { body: 'b-1' }])
    await clock.advance(59_999)
    expect(seen).toEqual(['b-1 1'])
    await clock.advance(1)
    await after.idle()
    expect(seen).toEqual(['b-1 1', 'a-1 1', 'a-2 1'])
  })
})
