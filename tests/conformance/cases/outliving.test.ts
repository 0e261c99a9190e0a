/** Handlers that run on after they were told to stop: their messages run again, but not beside them. */
import type { Box, Queue, Worker } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, openOn, type Site } from '../support/boxes.ts'
import { gate, manualClock, turns, type Gate } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record, type Recorder } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'
import { FREE_DEATHS } from '../support/platform.ts'

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

eachStorage('a handler that outlives its worker [S3]', (make) => {
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

eachStorage('a handler that outlives its box [S3]', (make) => {
  /** Closes the box with a handler running, and opens it again. */
  const reopened = async (): Promise<{ site: Site; queue: Queue<number>; seen: Recorder; mayReturn: Gate }> => {
    const site = await make()
    const { mayReturn } = await stuckHandler(site.box)
    expect(await site.box.close({ timeoutMs: 0 })).toEqual({ returned: 1 })
    const queue = (await site.reopen()).queue<number>('jobs')
    return { site, queue, seen: record(queue), mayReturn }
  }
  const handled: string[] = []
  const handler = ({ id }: { id: string }): void => void handled.push(id)

  it('keeps its message from running beside it, and no other message', async () => {
    const { site, queue, seen, mayReturn } = await reopened()
    handled.length = 0
    queue.process(handler, { concurrency: 2 })
    await queue.enqueue(2, { id: 'b' })
    expect(await seen.until('completed')).toMatchObject({ id: 'b' })
    await site.clock.advance(LEASE_MS - 1)
    expect(handled).toEqual(['b'])
    mayReturn.open()
    expect(await seen.until('completed', 2)).toMatchObject({ id: 'a', attempt: 1 })
  })

  it('does so for one lease at most', async () => {
    const { site, queue, seen } = await reopened()
    handled.length = 0
    queue.process(handler)
    await site.clock.advance(LEASE_MS - 1)
    expect(handled).toEqual([])
    await site.clock.advance(1)
    expect(await seen.until('completed')).toMatchObject({ id: 'a', attempt: 1 })
  })

  it('does so over any number of openings', async () => {
    const { site, mayReturn } = await reopened()
    const queue = (await site.reopen()).queue<number>('jobs')
    handled.length = 0
    queue.process(handler)
    await site.clock.advance(LEASE_MS - 1)
    expect(handled).toEqual([])
    const seen = record(queue)
    mayReturn.open()
    expect(await seen.until('completed')).toMatchObject({ id: 'a', attempt: 1 })
  })

  it.each(['paused', 'closed'] as const)('gives its message up at once when the worker is %s that waits for it', async (how) => {
    const { queue } = await reopened()
    handled.length = 0
    const worker = queue.process(handler)
    await turns()
    expect(await queue.get('a')).toMatchObject({ state: 'leased' })
    if (how === 'paused') worker.pause()
    else expect(await worker.close()).toEqual({ returned: 1 })
    await turns()
    expect(await queue.get('a')).toMatchObject({ state: 'ready', attempt: 0 })
    expect(handled).toEqual([])
  })

  it('does not keep a message back that was cancelled and enqueued anew', async () => {
    const { queue, seen } = await reopened()
    expect(await queue.cancel('a')).toBe(true)
    await queue.enqueue(3, { id: 'a' })
    queue.process(handler)
    expect(await seen.until('completed')).toMatchObject({ id: 'a', attempt: 1 })
  })
})

it('a handler that outlives a box whose storage failed keeps its message from running beside it', async () => {
  const clock = manualClock()
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock })
  box.on('error', () => {})
  const { queue, mayReturn } = await stuckHandler(box)
  storage.failNext(new Error('no disk'))
  await refusal(queue.enqueue(2), 'ERR_STORAGE_FAILED')
  await box.close()
  const again = (await openOn(storage, { clock })).queue<number>('jobs')
  const seen = record(again)
  let handled = 0
  again.process(() => void (handled += 1))
  await clock.advance(LEASE_MS - 1)
  expect(handled).toBe(0)
  mayReturn.open()
  expect(await seen.until('completed')).toMatchObject({ id: 'a', attempt: FREE_DEATHS > 0 ? 1 : 2 })
})
