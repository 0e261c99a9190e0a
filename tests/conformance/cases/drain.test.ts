/** Draining: a worker that ends when nothing is ready any more. */
import { AckboxError, PermanentError, type Delivery } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory, openOn } from '../support/boxes.ts'
import { gate, isPending, manualClock } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

eachStorage('drain [A3 drain]', (make) => {
  it('handles what is ready and tells what became of it', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('jobs', { maxAttempts: 2 })
    const bodies = ['done', 'fails', 'hopeless', 'comes back', 'done too']
    await queue.enqueueMany(bodies.map((body) => ({ body, id: body })))
    await queue.enqueue('later', { delayMs: 1_000 })
    const handler = async (message: Delivery<string>): Promise<void> => {
      if (message.body === 'fails') throw new Error('no')
      if (message.body === 'hopeless') throw new PermanentError('never')
      if (message.body === 'comes back' && message.attempt === 1) await message.reject('again', { delayMs: 0 })
    }
    expect(await queue.drain(handler, { concurrency: 2 })).toEqual({ completed: 3, retried: 2, dead: 1, remaining: 2 })
    await clock.advance(5_000)
    expect(await queue.drain(handler)).toEqual({ completed: 1, retried: 0, dead: 1, remaining: 0 })
    expect(await queue.drain(handler)).toEqual({ completed: 0, retried: 0, dead: 0, remaining: 0 })
  })

  it('has made durable what it tells', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueueMany(Array.from({ length: 100 }, (_, n) => ({ body: n, id: `${n}` })))
    expect(await queue.drain(() => {}, { concurrency: 10 })).toMatchObject({ completed: 100 })
    const again = (await reopen()).queue<number>('jobs')
    expect(await again.peek()).toEqual([])
    expect(await again.get('99')).toMatchObject({ state: 'completed', attempt: 1 })
  })

  it('takes what its own handlers enqueue, in the order of their group', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const handled: number[] = []
    await queue.enqueueMany([3, 10].map((body) => ({ body, group: 'g' })))
    const report = await queue.drain(async ({ body }) => {
      handled.push(body)
      if (body > 0 && body < 4) await queue.enqueue(body - 1, { group: 'g' })
    }, { concurrency: 5 })
    expect(handled).toEqual([3, 10, 2, 1, 0])
    expect(report).toEqual({ completed: 5, retried: 0, dead: 0, remaining: 0 })
  })
})

it('drain waits for the head of a group that another has, and not for the retry of a head', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs')
  await queue.enqueueMany(['a1', 'a2', 'a3'].map((body) => ({ body, group: 'a' })))
  const elsewhere = await queue.dequeue()
  const draining = queue.drain(({ body }) => {
    if (body === 'a2') throw new Error('not yet')
  })
  expect(await isPending(draining)).toBe(true)
  await elsewhere!.ack()
  expect(await draining).toEqual({ completed: 0, retried: 1, dead: 0, remaining: 2 })
  await clock.advance(10_000)
  expect(await queue.drain(() => {})).toEqual({ completed: 2, retried: 0, dead: 0, remaining: 0 })
})

it('drain leaves a paused queue alone', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1)
  await queue.pause()
  expect(await queue.drain(() => {})).toEqual({ completed: 0, retried: 0, dead: 0, remaining: 1 })
})

it('drain counts bodies that cannot be decoded as dead', async () => {
  const { box, reopen } = await makeInMemory()
  await box.queue<number>('jobs').enqueue(1)
  const codec = {
    encode: (): Uint8Array => new Uint8Array(),
    decode: (): number => {
      throw new Error('unreadable')
    },
  }
  const queue = (await reopen()).queue<number>('jobs', { codec })
  expect(await queue.drain(() => {})).toEqual({ completed: 0, retried: 0, dead: 1, remaining: 0 })
})

it('drain is bounded as a whole: what runs is aborted and returned without cost', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs', { dedup: { windowMs: 0 } })
  const seen = record(queue)
  await queue.enqueueMany([1, 2, 3].map((body) => ({ body, id: `${body}` })))
  const reasons: unknown[] = []
  const draining = queue.drain(
    ({ body, signal }) =>
      body === 1
        ? undefined
        : new Promise<void>((_, reject) => {
            signal.addEventListener('abort', () => {
              reasons.push(signal.reason)
              reject(signal.reason as Error)
            })
          }),
    { drainTimeoutMs: 1_000 },
  )
  await seen.until('started', 2)
  await clock.advance(999)
  expect(await isPending(draining)).toBe(true)
  await clock.advance(1)
  expect(await draining).toEqual({ completed: 1, retried: 0, dead: 0, remaining: 2 })
  expect(reasons.map((reason) => AckboxError.is(reason, 'ERR_CLOSED'))).toEqual([true])
  expect(await queue.get('2')).toMatchObject({ state: 'ready', attempt: 0, history: [] })
})

it('drain that is done in time leaves neither deadline nor worker behind', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1)
  expect(await queue.drain(() => {}, { drainTimeoutMs: 60_000, signal: new AbortController().signal })).toMatchObject({ completed: 1 })
  expect(await clock.next()).toBeUndefined()
  expect(box.health()).toMatchObject({ workers: 0, running: 0, waiting: 0 })
})

it('drain ends with its signal, whose reason it rejects with', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const seen = record(queue)
  await queue.enqueue(1, { id: 'a' })
  const stop = new AbortController()
  const draining = queue.drain(({ signal }) => new Promise<void>((done) => signal.addEventListener('abort', () => done())), {
    signal: stop.signal,
  })
  await seen.until('started')
  stop.abort(new Error('enough'))
  await expect(draining).rejects.toThrow('enough')
  expect(await queue.get('a')).toMatchObject({ state: 'ready', attempt: 0 })
  await expect(queue.drain(() => {}, { signal: AbortSignal.abort('before') })).rejects.toBe('before')
  expect(await queue.drain(() => {})).toMatchObject({ completed: 1 })
})

it('drain ends with its box, which lets its handlers finish', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const seen = record(queue)
  await queue.enqueueMany([{ body: 1 }, { body: 2 }])
  const slow = gate()
  const draining = queue.drain(() => slow.promise)
  await seen.until('started')
  const closing = box.close()
  expect(await isPending(draining)).toBe(true)
  slow.open()
  expect(await draining).toEqual({ completed: 1, retried: 0, dead: 0, remaining: 1 })
  expect(await closing).toEqual({ returned: 0 })
  await refusal(queue.drain(() => {}), 'ERR_CLOSED')
})

it('drain rejects with what ends its box', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  box.on('error', () => {})
  const queue = box.queue<number>('jobs')
  const seen = record(queue)
  await queue.enqueue(1)
  const slow = gate()
  const draining = queue.drain(() => slow.promise)
  await seen.until('started')
  storage.failNext(new Error('the disk is gone'))
  await refusal(queue.enqueue(2), 'ERR_STORAGE_FAILED')
  await refusal(draining, 'ERR_STORAGE_FAILED')
  slow.open()
})

it('several drains share a queue, and all of them end', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueueMany(Array.from({ length: 50 }, (_, body) => ({ body })))
  const handled = new Set<number>()
  const reports = await Promise.all([1, 2, 3].map(() => queue.drain(async ({ body }) => void handled.add(body))))
  expect(reports.reduce((sum, { completed }) => sum + completed, 0)).toBe(50)
  expect(handled.size).toBe(50)
  expect(reports.map(({ remaining }) => remaining)).toEqual([0, 0, 0])
})

it.each([
  ['no handler', undefined, {}, /handler.*function/],
  ['drainTimeoutMs of nothing', () => {}, { drainTimeoutMs: 0 }, /drainTimeoutMs.*1/],
  ['drainTimeoutMs no number', () => {}, { drainTimeoutMs: '1' }, /drainTimeoutMs/],
  ['a signal that is none', () => {}, { signal: {} }, /signal/],
  ['concurrency of nothing', () => {}, { concurrency: 0 }, /concurrency/],
])('drain refuses %s and takes no message', async (_, handler, options, message) => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1)
  await refusal(queue.drain(handler as never, options as never), 'ERR_INVALID_OPTION', message)
  expect(await queue.stats()).toMatchObject({ ready: 1, delivered: 0 })
})
