/** Everything that waits shares one append; one append is in flight at a time. */
import { expect, it } from 'vitest'

import { openOn } from '../support/boxes.ts'
import { manualClock } from '../support/clock.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

it('a thousand enqueues of one tick need a handful of appends', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const queue = box.queue<number>('jobs')
  await queue.enqueue(-1)
  const before = storage.appends
  await Promise.all(Array.from({ length: 1_000 }, (_, n) => queue.enqueue(n)))
  expect(storage.appends - before).toBeLessThanOrEqual(3)
})

it('what comes while an append is in flight goes into the next one', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const queue = box.queue<number>('jobs')
  await queue.enqueue(-1)
  const before = storage.appends
  storage.hold()
  const receipts: Promise<unknown>[] = []
  for (let tick = 0; tick < 50; tick += 1) {
    receipts.push(queue.enqueue(tick))
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(storage.appends - before).toBe(1)
  storage.release()
  await Promise.all(receipts)
  expect(storage.appends - before).toBe(2)
})

it('a thousand settlements share appends, and never are two appends in flight', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const queue = box.queue<number>('jobs')
  const seen = record(queue)
  await queue.enqueueMany(Array.from({ length: 1_000 }, (_, body) => ({ body })))
  const before = storage.appends
  queue.process(async () => {}, { concurrency: 1_000 })
  await seen.until('completed', 1_000)
  expect(storage.appends - before).toBeLessThanOrEqual(20)
  expect(storage.appendsAtOnce).toBe(1)
})

it('the storage works on what the first handlers did while the last ones start', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const queue = box.queue<number>('jobs')
  const seen = record(queue)
  await queue.enqueueMany(Array.from({ length: 1_000 }, (_, body) => ({ body })))
  const appendsAtStart: number[] = []
  queue.process(async () => void appendsAtStart.push(storage.appends), { concurrency: 1_000 })
  await seen.until('completed', 1_000)
  expect(appendsAtStart).toHaveLength(1_000)
  expect(appendsAtStart.at(-1)).toBe(appendsAtStart[0]! + 1)
})

it('opening a sound box writes nothing [S21]', async () => {
  const storage = new InjectedStorage()
  const clock = manualClock()
  const box = await openOn(storage, { clock })
  await box.queue('jobs').enqueue(1)
  await box.close()
  const left = storage.copy()
  const again = await openOn(left, { clock })
  await clock.advance(1_000)
  expect(left.appends).toBe(0)
  await again.close()
  expect(left.appends).toBe(0)
})
