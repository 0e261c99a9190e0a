/** Nothing is visible before its record is durable. Appends are held back; what then shows, shows too early. */
import type { Box, Queue, QueueOptions } from 'ackbox'
import { expect, it } from 'vitest'

import { openOn } from '../support/boxes.ts'
import { gate, isPending, manualClock, turns } from '../support/clock.ts'
import { record, type Recorder } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

interface Setup {
  readonly box: Box
  readonly storage: InjectedStorage
  readonly queue: Queue<number>
  readonly seen: Recorder
}

async function setUp(options: QueueOptions<number> = {}): Promise<Setup> {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const queue = box.queue<number>('jobs', options)
  const seen = record(queue)
  // The queue's own record is not what these cases are about.
  await queue.enqueue(0, { id: 'first' })
  await (await queue.dequeue())!.ack()
  await seen.until('completed')
  seen.all.length = 0
  return { box, storage, queue, seen }
}

it('a receipt waits for its append [A2 enqueue]', async () => {
  const { storage, queue, seen } = await setUp()
  storage.hold()
  const receipt = queue.enqueue(1)
  expect(await isPending(receipt)).toBe(true)
  expect(storage.held).toBe(1)
  expect(seen.all).toEqual([])
  storage.release()
  expect(await receipt).toMatchObject({ status: 'accepted' })
  await seen.until('enqueued')
})

it('the receipt of a duplicate waits for the append of the original', async () => {
  const { storage, queue } = await setUp()
  storage.hold()
  const original = queue.enqueue(1, { id: 'a' })
  const duplicate = queue.enqueue(1, { id: 'a' })
  await turns()
  const later = queue.enqueue(1, { id: 'a' })
  expect(await isPending(original)).toBe(true)
  expect(await isPending(duplicate)).toBe(true)
  expect(await isPending(later)).toBe(true)
  storage.release()
  expect((await Promise.all([original, duplicate, later])).map(({ status }) => status)).toEqual([
    'accepted',
    'duplicate',
    'duplicate',
  ])
})

it('a step is done when its record is durable [A3 step]', async () => {
  const { storage, queue } = await setUp()
  await queue.enqueue(1, { id: 'a' })
  const message = (await queue.dequeue())!
  const runs: string[] = []
  storage.hold()
  const step = message.step('charge', () => void runs.push('first'))
  expect(await isPending(step)).toBe(true)
  expect(runs).toEqual(['first'])
  // A crash now cuts the step off between effect and record: with the same key it runs again.
  const other = await openOn(storage.copy(), { clock: manualClock() })
  const again = (await other.queue<number>('jobs').dequeue())!
  expect(again.key('charge')).toBe(message.key('charge'))
  await again.step('charge', () => void runs.push('second'))
  expect(runs).toEqual(['first', 'second'])
  storage.release()
  await step
})

it('a handler starts only when message and start are durable [A2 guarantee]', async () => {
  const { storage, queue, seen } = await setUp()
  let starts = 0
  queue.process(() => void (starts += 1))
  await turns()
  storage.hold()
  const receipt = queue.enqueue(1)
  await turns()
  expect([starts, seen.all.length]).toEqual([0, 0])
  storage.release()
  await receipt
  await seen.until('completed')
  expect(starts).toBe(1)
})

it('a start of a durable message waits for its own append', async () => {
  const { storage, queue, seen } = await setUp()
  await queue.enqueue(1)
  storage.hold()
  let starts = 0
  queue.process(() => void (starts += 1))
  await turns()
  expect([starts, seen.of('started').length]).toEqual([0, 0])
  expect(storage.held).toBe(1)
  storage.release()
  await seen.until('completed')
})

it('dequeue waits for the append of the start', async () => {
  const { storage, queue } = await setUp()
  await queue.enqueue(1)
  storage.hold()
  const message = queue.dequeue()
  expect(await isPending(message)).toBe(true)
  storage.release()
  expect((await message)?.body).toBe(1)
})

it('a settlement by hand waits for its append', async () => {
  const { storage, queue, seen } = await setUp()
  await queue.enqueueMany([{ body: 1 }, { body: 2 }])
  const [first, second] = await queue.dequeueMany(2)
  await turns()
  seen.all.length = 0
  storage.hold()
  const acked = first!.ack()
  const rejected = second!.reject(new Error('no'))
  expect(await isPending(acked)).toBe(true)
  expect(await isPending(rejected)).toBe(true)
  expect(seen.all).toEqual([])
  storage.release()
  await Promise.all([acked, rejected])
  await seen.until('completed')
  await seen.until('retry')
})

it('the completion of a handler waits for its append, its slot does not', async () => {
  const { storage, queue, seen } = await setUp()
  const started: number[] = []
  const done = [gate(), gate()]
  queue.process(async ({ body }) => {
    started.push(body)
    await done[body]!.promise
  })
  await queue.enqueue(0)
  await seen.until('started')
  storage.hold()
  done[0]!.open()
  await turns()
  expect(seen.of('completed')).toEqual([])
  const second = queue.enqueue(1)
  storage.release()
  await second
  done[1]!.open()
  await seen.until('completed', 2)
  expect(started).toEqual([0, 1])
})

it('at-most-once: the settlement is durable before the handler starts [A5 at-most-once]', async () => {
  const { storage, queue, seen } = await setUp({ guarantee: 'at-most-once' })
  await queue.enqueue(1, { id: 'a' })
  storage.hold()
  const left = gate<InjectedStorage>()
  let starts = 0
  queue.process(() => {
    starts += 1
    left.open(storage.copy())
  })
  await turns()
  expect(starts).toBe(0)
  storage.release()
  const heir = await openOn(await left.promise, { clock: manualClock() })
  expect(await heir.queue('jobs').dequeueMany(10)).toEqual([])
  await seen.until('completed')
})

it('pause, cancel, purge, redrive and removal wait for their appends', async () => {
  const { storage, queue } = await setUp()
  await queue.enqueueMany([{ body: 1, id: 'dead' }, { body: 2, id: 'gone' }, { body: 3 }])
  await (await queue.dequeue())!.reject(new Error('no'), { dead: true })
  for (const request of [
    () => queue.pause(),
    () => queue.resume(),
    () => queue.cancel('gone'),
    () => queue.purge(),
    () => queue.dead.redrive({}),
    () => queue.forget('first'),
  ]) {
    storage.hold()
    const answer = request()
    expect(await isPending(answer)).toBe(true)
    storage.release()
    await answer
  }
})

it('at every moment, what died keeps everything that was reported [A5 at-least-once]', async () => {
  const storage = new InjectedStorage()
  const clock = manualClock()
  const copies: { reported: string[]; storage: InjectedStorage }[] = []
  const accepted: string[] = []
  storage.onAppended = () => copies.push({ reported: [...accepted], storage: storage.copy() })
  const box = await openOn(storage, { clock })
  const queue = box.queue<number>('jobs')
  for (let round = 0; round < 20; round += 1) {
    const receipts = [0, 1, 2].map((n) => queue.enqueue(round, { id: `${round}-${n}` }))
    for (const receipt of receipts) accepted.push((await receipt).id)
  }
  expect(copies.length).toBeGreaterThanOrEqual(20)
  for (const { reported, storage: left } of copies) {
    const heir = await openOn(left, { clock })
    const found = (await heir.queue<number>('jobs').peek({ limit: 1_000 })).map(({ id }) => id)
    expect(found).toEqual(expect.arrayContaining(reported))
  }
})
