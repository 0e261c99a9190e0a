/**
 * Deliveries that no code of the user saw when somebody paused, closed, cancelled or gave up waiting: they are taken
 * back, whatever the guarantee, and no handler starts.
 */
import type { Box, Queue } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { openOn } from '../support/boxes.ts'
import { gate, manualClock, turns } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

const MESSAGE = { group: 'g', destination: 'd', priority: 3, headers: { trace: 't' } }

describe.each(['at-most-once', 'at-least-once'] as const)('%s', (guarantee) => {
  interface Site {
    readonly storage: InjectedStorage
    readonly box: Box
    readonly queue: Queue<number>
  }

  const make = async (): Promise<Site> => {
    const storage = new InjectedStorage()
    const box = await openOn(storage, { clock: manualClock() })
    const queue = box.queue<number>('mails', { guarantee })
    await queue.enqueueMany([
      { body: 1, id: 'a', ...MESSAGE },
      { body: 2, id: 'b' },
    ])
    return { storage, box, queue }
  }

  /** Everything is as it was enqueued, to whoever opens the box next, and is delivered once. */
  const expectUntouched = async ({ storage, box }: Site): Promise<void> => {
    await box.close()
    const heir = await openOn(storage, { clock: manualClock() })
    const queue = heir.queue<number>('mails')
    expect(await queue.get('a')).toMatchObject({ state: 'ready', attempt: 0, body: 1, ...MESSAGE })
    expect(await queue.enqueue(1, { id: 'a' })).toMatchObject({ status: 'duplicate', state: 'ready' })
    await refusal(queue.enqueue(5, { id: 'a' }), 'ERR_ID_CONFLICT')
    const messages = await queue.dequeueMany(5)
    expect(messages.map(({ id, attempt }) => [id, attempt])).toEqual([
      ['a', 1],
      ['b', 1],
    ])
    expect(messages[0]).toMatchObject({ body: 1, ...MESSAGE })
    for (const message of messages) await message.ack()
    expect(await queue.stats()).toMatchObject({ delivered: 2, acked: 2, ready: 0, leased: 0 })
  }

  const handled: number[] = []
  const handler = ({ body }: { body: number }): void => void handled.push(body)

  it('a worker that is paused starts nothing that it claimed before [S1]', async () => {
    const site = await make()
    handled.length = 0
    site.storage.hold()
    const worker = site.queue.process(handler, { concurrency: 2 })
    await turns()
    expect(site.storage.held).toBe(1)
    worker.pause()
    site.storage.release()
    await turns()
    expect(handled).toEqual([])
    expect(await site.queue.stats()).toMatchObject({ ready: 2, leased: 0, delivered: 0 })
    await expectUntouched(site)
    expect(handled).toEqual([])
  })

  it('a worker that its handler pauses starts nothing that came with it', async () => {
    const { queue } = await make()
    await queue.enqueue(3, { id: 'c' })
    const seen = record(queue)
    const bodies: number[] = []
    const worker = queue.process(
      ({ body }) => {
        bodies.push(body)
        if (body === 1) worker.pause()
      },
      { concurrency: 3 },
    )
    await seen.until('completed')
    await turns()
    expect(bodies).toEqual([1])
    expect(await queue.stats()).toMatchObject({ ready: 2, leased: 0, delivered: 1 })
    worker.resume()
    await seen.until('completed', 3)
    expect(bodies).toEqual([1, 2, 3])
    expect(await queue.stats()).toMatchObject({ delivered: 3, acked: 3 })
  })

  it('a worker that its handler closes starts nothing that came with it', async () => {
    const { queue } = await make()
    const bodies: number[] = []
    const closed = gate()
    const worker = queue.process(
      ({ body }) => {
        bodies.push(body)
        void worker.close().then(() => closed.open())
      },
      { concurrency: 2 },
    )
    await closed.promise
    expect(bodies).toEqual([1])
    expect(await queue.stats()).toMatchObject({ ready: 1, leased: 0, delivered: 1 })
  })

  it('a queue that is paused starts nothing that was claimed before', async () => {
    const site = await make()
    handled.length = 0
    site.storage.hold()
    site.queue.process(handler, { concurrency: 2 })
    await turns()
    const pausing = site.queue.pause()
    site.storage.release()
    await pausing
    await turns()
    expect(handled).toEqual([])
    expect(await site.queue.stats()).toMatchObject({ ready: 2, leased: 0 })
    await site.queue.resume()
    await turns()
    expect(handled).toEqual([1, 2])
  })

  it('a queue that a handler pauses starts nothing that came with it', async () => {
    const { queue } = await make()
    const bodies: number[] = []
    const paused = gate()
    queue.process(
      ({ body }) => {
        bodies.push(body)
        if (body === 1) void queue.pause().then(paused.open)
      },
      { concurrency: 2 },
    )
    await paused.promise
    expect(bodies).toEqual([1])
    expect(await queue.stats()).toMatchObject({ ready: 1, leased: 0, delivered: 1 })
    await queue.resume()
    await turns()
    expect(bodies).toEqual([1, 2])
  })

  it.each(['box', 'worker'] as const)('a %s that closes starts nothing that was claimed before', async (what) => {
    const site = await make()
    handled.length = 0
    site.storage.hold()
    const worker = site.queue.process(handler, { concurrency: 2 })
    await turns()
    const closing = what === 'box' ? site.box.close() : worker.close()
    site.storage.release()
    expect(await closing).toEqual({ returned: 0 })
    await expectUntouched(site)
    expect(handled).toEqual([])
  })

  it('a worker that is closed without delay gives back what its handlers have not seen', async () => {
    const site = await make()
    handled.length = 0
    site.storage.hold()
    const worker = site.queue.process(handler, { concurrency: 2 })
    site.queue.on('started', () => void worker.close({ timeoutMs: 0 }), { once: true })
    await turns()
    site.storage.release()
    await worker.closed
    await expectUntouched(site)
    expect(handled).toEqual([])
  })

  it('a dequeue that is aborted while it claims gives back what it claimed [S6]', async () => {
    const site = await make()
    const stop = new AbortController()
    site.storage.hold()
    const waiting = site.queue.dequeueMany(2, { signal: stop.signal })
    await turns()
    expect(site.storage.held).toBe(1)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    site.storage.release()
    await turns()
    expect(await site.queue.stats()).toMatchObject({ ready: 2, leased: 0, delivered: 0 })
    await expectUntouched(site)
  })

  it('a dequeue that is aborted as it gets its messages gives them back', async () => {
    const site = await make()
    const stop = new AbortController()
    site.queue.on('started', () => stop.abort(new Error('enough')), { once: true })
    await expect(site.queue.dequeueMany(2, { signal: stop.signal })).rejects.toThrow('enough')
    expect(await site.queue.stats()).toMatchObject({ ready: 2, leased: 0, delivered: 0 })
    await expectUntouched(site)
  })

  it('a box that closes as a dequeue gets its messages takes them back', async () => {
    const site = await make()
    site.queue.on('started', () => void site.box.close(), { once: true })
    await refusal(site.queue.dequeueMany(2), 'ERR_CLOSED')
    expect(await site.box.close()).toEqual({ returned: 0 })
    await expectUntouched(site)
  })

  it('what is cancelled before anybody saw it does not start, and its id is free', async () => {
    const { storage, queue } = await make()
    handled.length = 0
    storage.hold()
    queue.process(handler, { concurrency: 2 })
    await turns()
    const cancelling = queue.cancel('a')
    storage.release()
    expect(await cancelling).toBe(true)
    await turns()
    expect(handled).toEqual([2])
    expect(await queue.get('a')).toBeUndefined()
    expect(await queue.enqueue(7, { id: 'a' })).toMatchObject({ status: 'accepted' })
    await turns()
    expect(handled).toEqual([2, 7])
  })
})
