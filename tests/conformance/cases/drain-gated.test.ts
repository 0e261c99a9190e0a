/** Draining through what a worker limits: it waits for what comes by itself, and for nothing else. */
import { CircuitBreaker, constant, type DrainOptions, RetryAfterError } from 'ackbox'
import { expect, it } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { gate, isPending } from '../support/clock.ts'

const OPTIONS = { backoff: constant(0), destination: (body: string): string => body.split('-')[0]! }
const BREAKER = { failures: 2, cooldownMs: 10_000 }
const bodies = (...all: string[]): { body: string }[] => all.map((body) => ({ body }))

function failing({ body }: { body: string }): void {
  if (body.startsWith('down')) throw new Error('down')
}

it('drain ends before an open circuit, when all others are done [A3 drain]', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs', OPTIONS)
  await queue.enqueueMany(bodies('down-1', 'down-2', 'up-1', 'up-2'))
  const drain = () => queue.drain(failing, { breaker: BREAKER })
  expect(await drain()).toEqual({ completed: 2, retried: 2, dead: 0, remaining: 2 })
  expect(await drain(), 'it is open still').toEqual({ completed: 0, retried: 0, dead: 0, remaining: 2 })
  await clock.advance(10_000)
  expect(await drain(), 'one probe').toEqual({ completed: 0, retried: 1, dead: 0, remaining: 2 })
})

it.each<[string, DrainOptions<string>, object]>([
  ['a breaker, as dead letters', { breaker: BREAKER, whenOpen: 'dead-letter' }, { retried: 2, dead: 3, remaining: 0 }],
  ['a breaker, as failed attempts', { breaker: BREAKER, whenOpen: 'reject' }, { retried: 5, dead: 0, remaining: 3 }],
  ['a CircuitBreaker, as dead letters', { breaker: new CircuitBreaker(BREAKER), whenOpen: 'dead-letter' }, { retried: 2, dead: 3, remaining: 0 }],
])('drain counts what is turned away by %s [A3 drain]', async (_, options, expected) => {
  const { box } = await makeInMemory()
  const queue = box.queue<string>('jobs', OPTIONS)
  await queue.enqueueMany(bodies('down-1', 'down-2', 'down-3'))
  expect(await queue.drain(failing, options)).toEqual({ completed: 0, ...expected })
})

it('drain counts what expires while it runs, and nothing that was dead before [A3 drain]', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs')
  await queue.enqueueMany([{ body: 'early', ttlMs: 1 }, { body: 'late', ttlMs: 100 }, { body: 'slow' }])
  await clock.advance(2)
  const slow = gate()
  const draining = queue.drain(({ body }) => (body === 'slow' ? slow.promise : Promise.reject(new Error('again'))))
  await clock.advance(101)
  slow.open()
  expect(await draining).toEqual({ completed: 1, retried: 1, dead: 1, remaining: 0 })
  expect(await queue.stats()).toMatchObject({ dead: 2, expired: 2 })
})

it('drain ends before a CircuitBreaker that lets nothing through', async () => {
  const { box, clock } = await makeInMemory()
  const breaker = new CircuitBreaker({ ...BREAKER, clock })
  const queue = box.queue<string>('jobs', OPTIONS)
  await queue.enqueueMany(bodies('down-1', 'up-1'))
  expect(await queue.drain(failing, { breaker })).toEqual({ completed: 0, retried: 2, dead: 0, remaining: 2 })
  breaker.isolate()
  expect(await queue.drain(failing, { breaker })).toMatchObject({ remaining: 2 })
  breaker.reset()
  expect(await queue.drain(() => {}, { breaker })).toMatchObject({ completed: 2, remaining: 0 })
})

it.each<[string, () => boolean | Promise<boolean>]>([
  ['says no', () => false],
  ['says no later', () => Promise.resolve(false)],
])('drain ends where ready %s', async (_, ready) => {
  const { box } = await makeInMemory()
  const queue = box.queue<string>('jobs', OPTIONS)
  await queue.enqueueMany(bodies('up-1', 'up-2'))
  const handled: string[] = []
  expect(await queue.drain(({ body }) => void handled.push(body), { ready }))
    .toEqual({ completed: 0, retried: 0, dead: 0, remaining: 2 })
  expect(handled).toEqual([])
})

it.each<[string, DrainOptions<string>]>([
  ['among others', {}],
  ['with perDestination', { perDestination: {} }],
])('drain ends where a destination asked for time, %s', async (_, options) => {
  const { box } = await makeInMemory()
  const queue = box.queue<string>('jobs', OPTIONS)
  await queue.enqueueMany(bodies('busy-1', 'busy-2', 'up-1'))
  const handler = ({ body }: { body: string }): void => {
    if (body.startsWith('busy')) throw new RetryAfterError(5_000)
  }
  expect(await queue.drain(handler, options)).toEqual({ completed: 1, retried: 1, dead: 0, remaining: 2 })
})

it.each<[string, DrainOptions<string>]>([
  ['rate', { rate: { limit: 1, perMs: 1_000 } }],
  ['perDestination.rate', { perDestination: { rate: { limit: 1, perMs: 1_000 } } }],
])('drain goes on at its %s', async (_, options) => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs', OPTIONS)
  await queue.enqueueMany(bodies('up-1', 'up-2', 'up-3'))
  const draining = queue.drain(() => {}, options)
  for (let waits = 0; waits < 2; waits += 1) {
    await clock.advance(999)
    expect(await isPending(draining)).toBe(true)
    await clock.advance(1)
  }
  expect(await draining).toMatchObject({ completed: 3, remaining: 0 })
})

it('drain goes on when the probe of another worker succeeds', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs', OPTIONS)
  const probe = gate()
  let calls = 0
  const worker = queue.process(() => {
    if (++calls <= 2) throw new Error('down')
    return probe.promise
  }, { breaker: BREAKER })
  await queue.enqueue('a-1')
  await clock.advance(10_000)
  await queue.enqueueMany(bodies('a-2', 'a-3'))
  worker.pause()
  const draining = queue.drain(() => {}, { breaker: BREAKER })
  expect(await isPending(draining)).toBe(true)
  probe.open()
  expect(await draining).toMatchObject({ completed: 2, remaining: 0 })
})

it('idle waits for what is ready, however long a gate keeps it [A6 idle]', async () => {
  const { box } = await makeInMemory()
  const breaker = new CircuitBreaker()
  breaker.isolate()
  const queue = box.queue<string>('jobs', OPTIONS)
  queue.process(() => {}, { breaker })
  await queue.enqueue('a-1')
  const idle = queue.idle()
  expect(await isPending(idle)).toBe(true)
  breaker.reset()
  await idle
})
