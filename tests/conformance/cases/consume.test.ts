/** Deliveries for a loop: what the loop leaves unsettled goes back. */
import { AckboxError, type Delivery } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory, openOn } from '../support/boxes.ts'
import { isPending, manualClock } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

eachStorage('consume [A3 consume]', (make) => {
  it('gives deliveries to a loop in order, and waits for more', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueueMany([0, 1].map((body) => ({ body })))
    const handled: number[] = []
    for await (const message of queue.consume({ prefetch: 5 })) {
      handled.push(message.body)
      await message.ack()
      if (message.body === 1) setImmediate(() => void queue.enqueue(2))
      if (message.body === 2) break
    }
    expect(handled).toEqual([0, 1, 2])
    expect(await queue.stats()).toMatchObject({ acked: 3, ready: 0, leased: 0 })
  })

  it('returns what a loop that is left did not settle, without costing an attempt', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueueMany(Array.from({ length: 6 }, (_, body) => ({ body, id: `${body}` })))
    let last: Delivery<number> | undefined
    for await (const message of queue.consume({ prefetch: 4 })) {
      last = message
      if (message.body === 1) break
      await message.ack()
    }
    expect(await queue.stats()).toMatchObject({ acked: 1, ready: 5, leased: 0 })
    await refusal(last!.ack(), 'ERR_ALREADY_SETTLED')
    const again = (await reopen()).queue<number>('jobs')
    const rest = await again.dequeueMany(10)
    expect(rest.map(({ body, attempt }) => [body, attempt])).toEqual([1, 2, 3, 4, 5].map((body) => [body, 1]))
  })

  it('returns it too when the body of the loop throws', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueueMany([1, 2, 3].map((body) => ({ body })))
    const loop = async (): Promise<void> => {
      for await (const _ of queue.consume({ prefetch: 3 })) throw new Error('in the loop')
    }
    await expect(loop()).rejects.toThrow('in the loop')
    expect((await queue.dequeueMany(5)).map(({ body, attempt }) => [body, attempt])).toEqual([[1, 1], [2, 1], [3, 1]])
  })
})

it('consume claims no more than it is asked for', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueueMany(Array.from({ length: 5 }, (_, body) => ({ body })))
  const messages = queue.consume()
  expect(await queue.stats()).toMatchObject({ leased: 0 })
  const first = await messages.next()
  expect(await queue.stats()).toMatchObject({ leased: 1 })
  expect(first.done).toBe(false)
  await messages.return!()
  expect(await queue.stats()).toMatchObject({ leased: 0, ready: 5 })
})

it('consume gives one message to one iterator only', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const handled: number[] = []
  const stop = new AbortController()
  const loops = [1, 2, 3].map(async (prefetch) => {
    for await (const message of queue.consume({ prefetch, signal: stop.signal })) {
      handled.push(message.body)
      await message.ack()
      if (handled.length === 30) stop.abort('all done')
    }
  })
  await queue.enqueueMany(Array.from({ length: 30 }, (_, body) => ({ body })))
  expect(await Promise.allSettled(loops)).toEqual(loops.map(() => ({ status: 'rejected', reason: 'all done' })))
  expect(handled.sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, body) => body))
})

it('consume throws the reason of its signal, and returns what is unsettled', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueueMany([1, 2, 3].map((body) => ({ body, id: `${body}` })))
  const stop = new AbortController()
  const messages = queue.consume({ prefetch: 2, signal: stop.signal })
  const first = (await messages.next()).value!
  stop.abort(new Error('enough'))
  expect(first.signal.aborted).toBe(false)
  await expect(messages.next()).rejects.toThrow('enough')
  expect(await messages.next()).toEqual({ done: true, value: undefined })
  await refusal(first.ack(), 'ERR_ALREADY_SETTLED')
  expect((await queue.dequeueMany(5)).map(({ attempt }) => attempt)).toEqual([1, 1, 1])
  await expect(queue.consume({ signal: AbortSignal.abort('before') }).next()).rejects.toBe('before')
})

it('consume gives up waiting with its signal, or when its loop is left', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const stop = new AbortController()
  const waiting = queue.consume({ signal: stop.signal }).next()
  const left = queue.consume()
  const next = left.next()
  expect(await isPending(waiting)).toBe(true)
  stop.abort('enough')
  await expect(waiting).rejects.toBe('enough')
  expect(await left.return!()).toEqual({ done: true, value: undefined })
  expect(await next).toEqual({ done: true, value: undefined })
  await queue.enqueue(1)
  expect(await queue.stats()).toMatchObject({ ready: 1, leased: 0 })
})

it('leaving a consume loop returns all that is unsettled, also what it took before', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueueMany(Array.from({ length: 200 }, (_, body) => ({ body })))
  const taken: Delivery<number>[] = []
  for await (const message of queue.consume({ prefetch: 7 })) {
    taken.push(message)
    if (message.body % 50 === 0) await message.ack()
    if (taken.length === 150) break
  }
  expect(await queue.stats()).toMatchObject({ ready: 197, leased: 0, acked: 3, retried: 0 })
  await refusal(taken[1]!.ack(), 'ERR_ALREADY_SETTLED')
  expect((await queue.dequeueMany(1)).map(({ body, attempt }) => [body, attempt])).toEqual([[1, 1]])
})

it('consume ends with the close of its box, which takes back what is unsettled', async () => {
  const { box, reopen } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueueMany([1, 2].map((body) => ({ body })))
  const handled: number[] = []
  let closing: Promise<{ returned: number }> | undefined
  for await (const message of queue.consume({ prefetch: 2 })) {
    handled.push(message.body)
    closing = box.close()
    expect(AckboxError.is(message.signal.reason, 'ERR_CLOSED')).toBe(true)
  }
  expect(handled).toEqual([1])
  expect(await closing).toEqual({ returned: 2 })
  await refusal(() => queue.consume(), 'ERR_CLOSED')
  const again = (await reopen()).queue<number>('jobs')
  expect((await again.dequeueMany(5)).map(({ attempt }) => attempt)).toEqual([1, 1])
})

it('consume rejects with what ends its box', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  box.on('error', () => {})
  const queue = box.queue<number>('jobs')
  const next = queue.consume().next()
  storage.failNext(new Error('the disk is gone'))
  await refusal(queue.enqueue(1), 'ERR_STORAGE_FAILED')
  await refusal(next, 'ERR_STORAGE_FAILED')
})

it('consume passes over messages whose lease ran out before the loop came to them', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs', { backoff: () => 0 })
  await queue.enqueueMany([1, 2].map((body) => ({ body, id: `${body}` })))
  const handled: [number, number][] = []
  for await (const message of queue.consume({ prefetch: 2, leaseMs: 1_000 })) {
    handled.push([message.body, message.attempt])
    if (handled.length === 1) {
      await message.extend(60_000)
      await clock.advance(1_000)
    }
    await message.ack()
    await clock.advance(5_000)
    if (handled.length === 2) break
  }
  expect(handled).toEqual([[1, 1], [2, 2]])
  await queue.idle()
})

it('consume claims one at a time in at-most-once, so that leaving the loop loses none that it did not reach', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs', { guarantee: 'at-most-once' })
  await queue.enqueueMany([1, 2, 3].map((body) => ({ body })))
  for await (const message of queue.consume({ prefetch: 3 })) {
    expect(message.body).toBe(1)
    break
  }
  expect(await queue.stats()).toMatchObject({ ready: 2 })
})

it('consume carries out overlapping calls in order', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueueMany([1, 2].map((body) => ({ body })))
  const messages = queue.consume()
  const [first, second] = await Promise.all([messages.next(), messages.next()])
  expect([first.value!.body, second.value!.body]).toEqual([1, 2])
  await first.value!.ack()
  await expect(messages.throw!(new Error('mine'))).rejects.toThrow('mine')
  expect(await messages.next()).toEqual({ done: true, value: undefined })
  expect(await queue.stats()).toMatchObject({ acked: 1, ready: 1 })
})

it.each([
  [{ prefetch: 0 }, /prefetch.*1/],
  [{ prefetch: 1.5 }, /prefetch.*whole/],
  [{ prefetch: 10_001 }, /prefetch.*10000/],
  [{ leaseMs: 0 }, /leaseMs/],
  [{ signal: {} }, /signal/],
])('consume refuses %o', async (options, message) => {
  const { box } = await makeInMemory()
  await refusal(() => box.queue('jobs').consume(options as never), 'ERR_INVALID_OPTION', message)
})
