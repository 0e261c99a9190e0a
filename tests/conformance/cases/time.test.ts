/** What a box makes of clocks that jump. */
import { memoryStorage, open } from 'ackbox'
import { expect, it, onTestFinished } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { manualClock } from '../support/clock.ts'
import { record } from '../support/events.ts'
import { nextWarning } from '../support/platform.ts'

const DAY_MS = 86_400_000

it('a clock that was set back between two runs is told, and holds nothing back for longer than configured [S23]', async () => {
  const storage = memoryStorage()
  const before = manualClock({ start: Date.UTC(2030, 0, 10) })
  const box = await open(storage, { clock: before })
  const queue = box.queue<string>('jobs', { dedup: { windowMs: 60_000 } })
  await queue.enqueue('retried', { id: 'retried' })
  await (await queue.dequeue())!.reject(new Error('no'))
  await queue.enqueue('at', { id: 'at', at: before.now() + 60_000 })
  await queue.enqueue('done', { id: 'done', priority: 9 })
  await (await queue.dequeue())!.ack()
  await box.close()

  const clock = manualClock({ start: Date.UTC(2030, 0, 9) })
  const told = nextWarning()
  const again = await open(storage, { clock })
  onTestFinished(() => again.close().then(() => {}))
  expect(String(await told)).toMatch(/clock|time/)
  const late = again.queue<string>('jobs')
  // The longest backoff, with its jitter.
  await clock.advance(330_000)
  const due = await late.dequeueMany(10)
  expect(due.map(({ id }) => id)).toEqual(['retried'])
  await due[0]!.ack()
  // The window of a finished id is over; an instant that the user named stays.
  expect(await late.enqueue('done', { id: 'done' })).toMatchObject({ status: 'accepted' })
  await (await late.dequeue())!.ack()
  await clock.advance(DAY_MS - 330_000)
  expect(await late.dequeue()).toBeUndefined()
  await clock.advance(60_000)
  expect((await late.dequeue())?.id).toBe('at')
})

it('a delay of years is kept, in spite of timers that count to 24 days', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs')
  const seen = record(queue)
  queue.process(() => {})
  await queue.enqueue('x', { delayMs: 1_000 * DAY_MS })
  await clock.advance(1_000 * DAY_MS - 1)
  expect(seen.of('started')).toEqual([])
  await clock.advance(1)
  await seen.until('completed')
})
