import { AckboxError } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { gate, turns } from '../support/clock.ts'
import { record } from '../support/events.ts'

eachStorage('a worker [A3 worker]', (make) => {
  it('has a name, counters and events of its own [A3 name]', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const unnamed = queue.process(() => {})
    expect([unnamed.name, unnamed.stats().name]).toEqual(['jobs', 'jobs'])
    await unnamed.close()
    const seen = record(queue)
    const worker = queue.process(
      ({ body }) => {
        if (body === 2) throw new Error('two')
      },
      { concurrency: 3, name: 'sender' },
    )
    const finished: unknown[] = []
    worker.on('finished', ({ id, error }) => finished.push([id, (error as Error | undefined)?.message]))
    await queue.enqueue(1, { id: 'a' })
    await seen.until('completed')
    await queue.enqueue(2, { id: 'b' })
    await seen.until('retry')
    expect(worker.name).toBe('sender')
    expect(finished).toEqual([
      ['a', undefined],
      ['b', 'two'],
    ])
    expect(worker.stats()).toMatchObject({
      name: 'sender',
      concurrency: 3,
      paused: false,
      running: 0,
      started: 2,
      completed: 1,
      failed: 1,
    })
  })

  it('aborts its handlers at the deadline of its close, and the box lives on', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const reasons: unknown[] = []
    const worker = queue.process(
      ({ signal }) =>
        new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason)
            resolve()
          })
        }),
    )
    await queue.enqueue(1, { id: 'a' })
    await seen.until('started')
    const closing = worker.close({ timeoutMs: 500 })
    await clock.advance(500)
    expect(await closing).toEqual({ returned: 1 })
    await worker.closed
    expect(reasons.map((reason) => AckboxError.is(reason, 'ERR_CLOSED'))).toEqual([true])
    expect(await queue.dequeue()).toMatchObject({ id: 'a', attempt: 1 })
  })

  it('closes when it is disposed of', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const worker = queue.process(() => {})
    await worker[Symbol.asyncDispose]()
    await worker.closed
    await queue.enqueue(1, { id: 'a' })
    expect(await queue.get('a')).toMatchObject({ state: 'ready', attempt: 0 })
  })

  it('never runs a message twice at once: a redelivery waits until the handler returned [S3]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const rejected = gate()
    const mayReturn = gate()
    let running = 0
    let most = 0
    queue.process(
      async (message) => {
        running += 1
        most = Math.max(most, running)
        if (message.attempt === 1) {
          await message.reject(new Error('no'), { delayMs: 0 })
          rejected.open()
          await mayReturn.promise
        }
        running -= 1
      },
      { concurrency: 4 },
    )
    await queue.enqueue(1)
    await rejected.promise
    await clock.advance(10_000)
    expect(seen.of('started')).toHaveLength(1)
    mayReturn.open()
    expect(await seen.until('completed')).toMatchObject({ attempt: 2 })
    expect(most).toBe(1)
  })

  it('keeps the slot of a handler that settled by hand until it returns [A3 concurrency]', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const mayReturn = gate()
    queue.process(async (message) => {
      await message.ack()
      if (message.body === 1) await mayReturn.promise
    })
    await queue.enqueueMany([{ body: 1 }, { body: 2, id: 'second' }])
    await seen.until('completed')
    await turns()
    expect(await queue.get('second')).toMatchObject({ state: 'ready' })
    mayReturn.open()
    await seen.until('completed', 2)
  })
})
