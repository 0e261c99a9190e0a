/**
 * What the death of an owner costs. A box is abandoned with handlers running; the next one opens a copy of the
 * bytes that were durable at that moment.
 */
import { constant } from 'ackbox'
import type { Box, Delivery, WorkerOptions } from 'ackbox'
import { expect, it } from 'vitest'

import { openOn } from '../support/boxes.ts'
import { manualClock, turns } from '../support/clock.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'
import { FREE_DEATHS } from '../support/platform.ts'

type Handler = (message: Delivery<number>) => Promise<void> | void

/** A handler that is still running when its process dies. */
const unfinished: Handler = () => new Promise(() => {})

async function runAndDie(storage: InjectedStorage, box: Box, handler: Handler, options: WorkerOptions): Promise<InjectedStorage> {
  const queue = box.queue<number>('jobs')
  queue.process(handler, options)
  await turns()
  return storage.copy()
}

/** The attempt behind one that its owner's death cut off. */
const NEXT = FREE_DEATHS > 0 ? 1 : 2

it('a delivery that dies with its owner counts as an attempt, and its lease ends at once [S1]', async () => {
  const clock = manualClock()
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock })
  await box.queue<number>('jobs', { leaseMs: 3_600_000 }).enqueue(1, { id: 'a' })
  const left = await runAndDie(storage, box, unfinished, {})
  const heir = await openOn(left, { clock })
  const queue = heir.queue<number>('jobs')
  const message = await queue.dequeue()
  expect(message).toMatchObject({ id: 'a', attempt: NEXT })
  expect((await queue.get('a'))?.history).toMatchObject([{ attempt: 1, reason: 'owner-died' }])
})

it('a dequeued message that dies with its owner counts as well', async () => {
  const clock = manualClock()
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock })
  await box.queue<number>('jobs').enqueue(1, { id: 'a' })
  await box.queue<number>('jobs').dequeue()
  const queue = (await openOn(storage.copy(), { clock })).queue<number>('jobs')
  expect(await queue.dequeue()).toMatchObject({ id: 'a', attempt: NEXT })
})

it('a message that never started costs nothing', async () => {
  const clock = manualClock()
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock })
  await box.queue<number>('jobs').enqueueMany([
    { body: 1, id: 'running' },
    { body: 2, id: 'waiting' },
    { body: 3, id: 'last' },
  ])
  const left = await runAndDie(storage, box, unfinished, { concurrency: 1 })
  const queue = (await openOn(left, { clock })).queue<number>('jobs')
  expect(await queue.get('waiting')).toMatchObject({ attempt: 0, history: [] })
})

it('a message that kills its owner every time becomes a dead letter', async () => {
  const clock = manualClock()
  let storage = new InjectedStorage()
  let box = await openOn(storage, { clock })
  await box.queue<number>('jobs', { maxAttempts: 3 }).enqueue(1, { id: 'poison' })
  let starts = 0
  for (let life = 0; life < FREE_DEATHS + 3; life += 1) {
    storage = await runAndDie(storage, box, () => {
      starts += 1
      return new Promise(() => {})
    }, {})
    box = await openOn(storage, { clock })
  }
  expect(starts).toBe(FREE_DEATHS + 3)
  const queue = box.queue<number>('jobs')
  expect(await queue.dequeue()).toBeUndefined()
  const error = { code: 'ERR_LEASE_LOST', message: 'the process that owned the box ended before the delivery was settled' }
  expect(await queue.dead.get('poison')).toMatchObject({
    reason: 'owner-died',
    error,
    ...(FREE_DEATHS > 0 ? {} : { history: [1, 2, 3].map((attempt) => ({ attempt, reason: 'owner-died', error })) }),
  })
})

it('whenever the owner dies, no attempt is counted too few, and at most one too many [S1]', async () => {
  const clock = manualClock()
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock })
  const queue = box.queue<number>('jobs', { maxAttempts: 50, backoff: constant(0) })
  const seen = record(queue)
  const starts = new Map<string, number>()
  const deaths: { starts: Map<string, number>; left: InjectedStorage }[] = []
  storage.onAppended = () => deaths.push({ starts: new Map(starts), left: storage.copy() })
  queue.process(
    async ({ id, body, attempt }) => {
      starts.set(id, (starts.get(id) ?? 0) + 1)
      await turns(body % 3)
      if (attempt <= body % 4) throw new Error('again')
    },
    { concurrency: 4 },
  )
  await Promise.all(Array.from({ length: 40 }, (_, body) => queue.enqueue(body)))
  for (let body = 0; body < 4; body += 1) await clock.advance(10)
  await seen.until('completed', 40)
  expect(deaths.length).toBeGreaterThan(10)
  for (const { starts: started, left } of deaths) {
    const heir = await openOn(left, { clock })
    for (const { id, attempt } of await heir.queue('jobs').peek({ limit: 100 })) {
      const real = started.get(id) ?? 0
      // The one that the death cut off may be free.
      const least = FREE_DEATHS > 0 ? real - 1 : real
      expect([least, real, real + 1], `${id} started ${real} times`).toContain(attempt)
    }
  }
})

it('suspects run one at a time, before everything else [S2]', async () => {
  const clock = manualClock()
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock })
  await box.queue<number>('jobs').enqueueMany(Array.from({ length: 5 }, (_, body) => ({ body })))
  const left = await runAndDie(storage, box, unfinished, { concurrency: 5 })
  const heir = await openOn(left, { clock })
  const queue = heir.queue<number>('jobs')
  const seen = record(queue)
  await queue.enqueueMany(Array.from({ length: 5 }, (_, body) => ({ body: 100 + body })))
  const log: number[] = []
  let suspectsRunning = 0
  let besideSuspect = 0
  queue.process(
    async ({ body }) => {
      log.push(body)
      if (suspectsRunning > 0) besideSuspect += 1
      if (body < 100) suspectsRunning += 1
      await turns(2)
      if (body < 100) suspectsRunning -= 1
    },
    { concurrency: 10 },
  )
  await seen.until('completed', 10)
  expect(besideSuspect).toBe(0)
  expect(log.slice(0, 5)).toEqual([0, 1, 2, 3, 4])
})

it('a suspect that takes long holds the rest back for a second only [S2]', async () => {
  const clock = manualClock()
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock })
  await box.queue<number>('jobs').enqueue(0, { id: 'suspect' })
  const left = await runAndDie(storage, box, unfinished, {})
  const queue = (await openOn(left, { clock })).queue<number>('jobs')
  const seen = record(queue)
  await queue.enqueue(1, { id: 'innocent' })
  queue.process(({ body }) => (body === 0 ? new Promise(() => {}) : undefined), { concurrency: 5 })
  await seen.until('started')
  await clock.advance(999)
  expect(seen.ids('started')).toEqual(['suspect'])
  await clock.advance(1)
  expect((await seen.until('completed')).id).toBe('innocent')
})

it('a suspect that cannot run holds nobody back [S2]', async () => {
  const clock = manualClock()
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock })
  await box.queue<number>('jobs').enqueue(0)
  const left = await runAndDie(storage, box, unfinished, {})
  const heir = await openOn(left, { clock })
  await heir.queue<number>('jobs').pause()
  await heir.queue<number>('other').enqueue(1)
  expect(await heir.queue<number>('other').dequeue()).toBeDefined()
})
