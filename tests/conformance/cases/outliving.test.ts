/** Handlers that run on after they were told to stop: their messages run again, but not beside them. */
import type { Box, Queue, Worker } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { gate, turns, type Gate } from '../support/clock.ts'
import { record } from '../support/events.ts'

const LEASE_MS = 5_000

/** A queue whose message 'a' has a handler that ignores its signal. */
async function stuckHandler(box: Box): Promise<{ queue: Queue<number>; worker: Worker; mayReturn: Gate }> {
  const queue = box.queue<number>('jobs', { leaseMs: LEASE_MS })
  const seen = record(queue)
  const mayReturn = gate()
  const worker = queue.process(() => mayReturn.promise)
  await queue.enqueue(1, { id: 'a' })
  await seen.until('started')
  return { queue, worker, mayReturn }
}

eachStorage('a handler that outlives its worker', (make) => {
  it('is not waited for, and its message waits until it returned', async () => {
    const { box, clock } = await make()
    const { queue, worker, mayReturn } = await stuckHandler(box)
    expect(await worker.close({ timeoutMs: 0 })).toEqual({ returned: 1 })
    const seen = record(queue)
    queue.process(() => {})
    await clock.advance(LEASE_MS - 1)
    expect(await queue.dequeue()).toBeUndefined()
    expect(seen.all).toEqual([])
    mayReturn.open()
    expect(await seen.until('completed')).toMatchObject({ id: 'a', attempt: 1 })
  })

  it('keeps its message waiting for one lease at most', async () => {
    const { box, clock } = await make()
    const { queue, worker, mayReturn } = await stuckHandler(box)
    await worker.close({ timeoutMs: 0 })
    const seen = record(queue)
    queue.process(() => {})
    await clock.advance(LEASE_MS - 1)
    expect(seen.all).toEqual([])
    await clock.advance(1)
    expect(await seen.until('completed')).toMatchObject({ id: 'a', attempt: 1 })
    mayReturn.open()
    await turns()
    expect(seen.of('started')).toHaveLength(1)
    expect(await queue.stats()).toMatchObject({ acked: 1, ready: 0, scheduled: 0, leased: 0 })
  })

  it('that has rejected its message by hand keeps it waiting all the same', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { leaseMs: LEASE_MS })
    const rejected = gate()
    const worker = queue.process(async (message) => {
      await message.reject(new Error('no'), { delayMs: 0 })
      rejected.open()
      await new Promise(() => {})
    })
    await queue.enqueue(1)
    await rejected.promise
    expect(await worker.close({ timeoutMs: 0 })).toEqual({ returned: 0 })
    const seen = record(queue)
    queue.process(() => {})
    await clock.advance(LEASE_MS - 1)
    expect(seen.all).toEqual([])
    await clock.advance(1)
    expect(await seen.until('completed')).toMatchObject({ attempt: 2 })
  })

  it('does not keep a message waiting that was cancelled and enqueued anew', async () => {
    const { box } = await make()
    const { queue, worker } = await stuckHandler(box)
    await worker.close({ timeoutMs: 0 })
    expect(await queue.cancel('a')).toBe(true)
    const seen = record(queue)
    queue.process(() => {})
    await queue.enqueue(2, { id: 'a' })
    expect(await seen.until('completed')).toMatchObject({ id: 'a', attempt: 1 })
  })
})
