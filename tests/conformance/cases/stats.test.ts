import { constant, type QueueStats } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { gate } from '../support/clock.ts'
import { record } from '../support/events.ts'

/** All that is told of a queue: whether it is there when nothing has happened yet. */
const NAMES: Record<keyof QueueStats, boolean> = {
  name: true,
  paused: true,
  enqueued: true,
  duplicates: true,
  delivered: true,
  acked: true,
  rejected: true,
  retried: true,
  dead: true,
  expired: true,
  leasesLost: true,
  ready: true,
  scheduled: true,
  leased: true,
  deadLetters: true,
  bytes: true,
  dedupEntries: true,
  dedupWindowMs: false,
  oldestReadyMs: false,
  wait: true,
  handle: true,
}

eachStorage('stats [A6 stats]', (make) => {
  it('count a message that waits for its handler to return as scheduled, as peek shows it', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('jobs', { backoff: constant(1_000) })
    const held = gate<void>()
    queue.process(async (message) => {
      if (message.attempt > 1) return
      await message.reject(new Error('no'))
      await held.promise
    })
    await queue.enqueue('x', { id: 'x' })
    await clock.advance(5_000)
    expect(await queue.get('x')).toMatchObject({ state: 'scheduled' })
    expect(await queue.stats()).toMatchObject({ ready: 0, scheduled: 1, leased: 0, acked: 0 })
    held.open()
    await queue.idle()
    expect(await queue.stats()).toMatchObject({ scheduled: 0, acked: 1 })
  })

  it('count what happened and what is there', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('jobs', { maxAttempts: 2 })
    await queue.enqueueMany([
      { body: 'ack', id: 'ack' },
      { body: 'retry', id: 'retry' },
      { body: 'dead', id: 'dead' },
      { body: 'held', id: 'held' },
      { body: 'ready', id: 'ready' },
      { body: 'later', id: 'later', delayMs: 60_000 },
    ])
    await queue.enqueue('ack', { id: 'ack' })
    const [ack, retry, dead] = await queue.dequeueMany(4)
    await ack!.ack()
    await retry!.reject(new Error('no'))
    await dead!.reject(new Error('no'), { dead: true })
    await clock.advance(500)
    expect(await queue.stats()).toMatchObject({
      name: 'jobs',
      paused: false,
      enqueued: 6,
      duplicates: 1,
      delivered: 4,
      acked: 1,
      rejected: 2,
      retried: 1,
      dead: 1,
      expired: 0,
      leasesLost: 0,
      ready: 1,
      scheduled: 2,
      leased: 1,
      deadLetters: 1,
      oldestReadyMs: 500,
    })
    expect((await queue.stats()).bytes).toBeGreaterThan(0)
  })

  it('measure waiting and handling', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    await queue.enqueueMany([{ body: 1 }, { body: 2 }])
    await clock.advance(2_000)
    const slow = gate()
    queue.process(() => slow.promise, { concurrency: 2 })
    await seen.until('started', 2)
    await clock.advance(300)
    slow.open()
    expect(await seen.until('completed', 2)).toMatchObject({ waitMs: 2_000, handleMs: 300 })
    const { wait, handle } = await queue.stats()
    expect(wait).toMatchObject({ count: 2, sumMs: 4_000 })
    expect(handle).toMatchObject({ count: 2, sumMs: 600 })
    expect(wait.p50Ms).toBeGreaterThanOrEqual(2_000)
    expect(handle.p99Ms).toBeGreaterThanOrEqual(300)
    expect(wait.buckets.reduce((sum, { count }) => sum + count, 0)).toBe(2)
  })

  it('count what time ended, and measure waiting from when a message could be delivered', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('jobs', { leaseMs: 1_000, backoff: constant(5_000) })
    await queue.enqueue('too late', { ttlMs: 100 })
    await clock.advance(200)
    await queue.enqueue('lost', { delayMs: 1_000 })
    await clock.advance(1_010)
    await queue.dequeue()
    await clock.advance(1_000 + 5_000 + 20)
    await (await queue.dequeue())!.ack()
    expect(await queue.stats()).toMatchObject({
      expired: 1,
      dead: 1,
      leasesLost: 1,
      retried: 1,
      delivered: 2,
      acked: 1,
      rejected: 0,
      wait: { count: 2, sumMs: 10 + 20 },
      handle: { count: 1, sumMs: 0 },
    })
  })

  it('are plain numbers under the names of the contract', async () => {
    const { box } = await make()
    const stats = await box.queue('jobs').stats()
    expect(Object.keys(stats).sort()).toEqual(Object.keys(NAMES).filter((name) => NAMES[name as keyof QueueStats]).sort())
    const { name, paused, wait, handle, ...numbers } = stats
    expect({ name, paused }).toEqual({ name: 'jobs', paused: false })
    expect(Object.values(numbers).every((value) => value === 0)).toBe(true)
    const empty = { count: 0, sumMs: 0, p50Ms: 0, p90Ms: 0, p99Ms: 0 }
    for (const histogram of [wait, handle]) {
      expect(histogram).toMatchObject(empty)
      expect(histogram.buckets.map(({ leMs }) => leMs ?? Infinity)).toEqual(
        histogram.buckets.map(({ leMs }) => leMs ?? Infinity).sort((a, b) => a - b),
      )
    }
    expect(JSON.parse(JSON.stringify(stats))).toEqual(stats)
  })

  it('show the box as a whole and its queues [A1 queues]', async () => {
    const { box } = await make()
    await box.queue('a').enqueueMany([{ body: 1 }, { body: 2 }])
    await box.queue('b').enqueue(3)
    await box.queue('b').pause()
    expect(await box.stats()).toMatchObject({ queues: 2, messages: 3, deadLetters: 0, segments: 1 })
    const queues = await box.queues()
    expect(queues.map(({ name, paused, depth }) => [name, paused, depth])).toEqual([
      ['a', false, 2],
      ['b', true, 1],
    ])
  })
})
