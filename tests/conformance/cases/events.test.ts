import { constant, PermanentError, RetryAfterError } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { record } from '../support/events.ts'
import { nextWarning } from '../support/platform.ts'

eachStorage('events [A6 events]', (make) => {
  it('tell the life of a message in order', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    queue.process(({ attempt }) => {
      if (attempt === 1) throw new Error('once')
    })
    const { id } = await queue.enqueue(1)
    const { delayMs } = await seen.until('retry')
    await clock.advance(delayMs)
    await seen.until('completed')
    await seen.until('drained')
    expect(seen.all.map(({ event }) => event)).toEqual(['enqueued', 'started', 'failed', 'retry', 'started', 'completed', 'drained'])
    expect(seen.all.slice(0, 6).map((event) => event.id)).toEqual([id, id, id, id, id, id])
    expect(seen.of('started').map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(seen.of('completed')[0]).toMatchObject({ attempt: 2, waitMs: expect.any(Number), handleMs: 0 })
  })

  it('tell every attempt that failed, then what follows', async () => {
    for (const guarantee of ['at-most-once', 'at-least-once', 'exactly-once'] as const) {
      const { box, clock } = await make()
      const queue = box.queue<number>('jobs', { guarantee, maxAttempts: 2, backoff: constant(10) })
      const seen = record(queue)
      queue.process(async ({ body, attempt, signal }) => {
        if (body === 1) throw new Error(`thrown ${attempt}`)
        if (body === 2) throw new PermanentError('never')
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      }, { timeoutMs: 5 })
      for (const body of [1, 2, 3]) {
        await queue.enqueue(body, { id: `${body}` })
        await clock.advance(1_000)
      }
      const told = seen.all.filter(({ event }) => ['failed', 'retry', 'dead'].includes(event))
      const failed = (id: string, attempt: number, error: object) => ({ event: 'failed', id, attempt, error })
      const timeout = { code: 'ERR_TIMEOUT' }
      if (guarantee === 'at-most-once') {
        expect(told).toMatchObject([failed('1', 1, { message: 'thrown 1' }), failed('2', 1, { message: 'never' }), failed('3', 1, timeout)])
        continue
      }
      expect(told).toMatchObject([
        failed('1', 1, { message: 'thrown 1' }),
        { event: 'retry', id: '1', attempt: 1 },
        failed('1', 2, { message: 'thrown 2' }),
        { event: 'dead', id: '1', attempt: 2, reason: 'exhausted' },
        failed('2', 1, { message: 'never' }),
        { event: 'dead', id: '2', attempt: 1, reason: 'permanent' },
        failed('3', 1, timeout),
        { event: 'retry', id: '3', attempt: 1 },
        failed('3', 2, timeout),
        { event: 'dead', id: '3', attempt: 2, reason: 'timeout' },
      ])
    }
  })

  it('tell no attempt as failed that costs none, nor a lost lease', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { leaseMs: 100 })
    const seen = record(queue)
    await queue.enqueue(1)
    await queue.dequeue()
    await clock.advance(100)
    expect(await seen.until('stalled')).toMatchObject({ attempt: 1 })
    await clock.advance(2_000)
    const worker = queue.process(({ attempt }) => {
      if (attempt === 2 && seen.of('retry').length === 1) throw new RetryAfterError(10)
    })
    await seen.until('retry', 2)
    await clock.advance(10_000)
    await seen.until('completed')
    await worker.close()
    expect(seen.of('failed')).toEqual([])
  })

  it('tell of duplicates, dead letters, pauses', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    await queue.enqueue(1, { id: 'a' })
    await queue.enqueue(1, { id: 'a' })
    await (await queue.dequeue())!.reject(new Error('no'), { dead: true })
    await queue.pause()
    await queue.resume()
    await seen.until('resumed')
    expect(seen.ids('duplicate')).toEqual(['a'])
    expect(seen.of('failed')).toMatchObject([{ id: 'a', attempt: 1, error: { message: 'no' } }])
    expect(seen.of('dead')[0]).toMatchObject({ id: 'a', error: { message: 'no' } })
    expect(seen.of('paused')).toHaveLength(1)
  })

  it('tell that no unfinished message is left, whatever ended the last one', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    await queue.enqueueMany([{ body: 1, id: 'a' }, { body: 2, id: 'b' }])
    await queue.cancel('a')
    await clock.advance()
    expect(seen.of('drained')).toHaveLength(0)
    await queue.cancel('b')
    await seen.until('drained', 1)
    await queue.enqueueMany([{ body: 1 }, { body: 2, delayMs: 1_000 }])
    await queue.purge()
    await seen.until('drained', 2)
    await queue.enqueue(3, { ttlMs: 10 })
    await clock.advance(11)
    await seen.until('drained', 3)
    expect(seen.all.at(-2)).toMatchObject({ event: 'dead', reason: 'expired' })
  })

  it('come from other queues only to their own listeners', async () => {
    const { box } = await make()
    const seen = record(box.queue('a'))
    await box.queue('b').enqueue(1)
    await box.queue('a').enqueue(1, { id: 'mine' })
    await seen.until('enqueued')
    expect(seen.ids('enqueued')).toEqual(['mine'])
  })
})

it('events stop for who says off, once, or aborts a signal', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const seen = record(queue)
  const counts = { off: 0, once: 0, signal: 0 }
  const stop = new AbortController()
  const off = queue.on('enqueued', () => (counts.off += 1))
  queue.on('enqueued', () => (counts.once += 1), { once: true })
  queue.on('enqueued', () => (counts.signal += 1), { signal: stop.signal })
  await queue.enqueue(1)
  await queue.enqueue(2)
  await clock.advance()
  off()
  stop.abort()
  await queue.enqueue(3)
  await seen.until('enqueued', 3)
  await clock.advance()
  expect(counts).toEqual({ off: 2, once: 1, signal: 2 })
})

it('a listener that throws breaks nothing and is reported as a warning', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const warnings: unknown[] = []
  box.on('warning', (warning) => warnings.push(warning))
  queue.on('enqueued', () => {
    throw new Error('listener')
  })
  const seen = record(queue)
  queue.process(() => {})
  await queue.enqueue(1)
  await seen.until('completed')
  await clock.advance()
  expect(warnings).toHaveLength(1)
})

it('warnings that nobody listens to go to process.emitWarning [A1 reports]', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const warned = nextWarning()
  queue.on('enqueued', () => {
    throw new Error('listener without a warning listener')
  })
  await queue.enqueue(1)
  await clock.advance()
  expect(String(await warned)).toMatch(/listener/)
})
