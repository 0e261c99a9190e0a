import { AckboxError } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { gate, isPending } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'

eachStorage('close [A1 close]', (make) => {
  it('lets a running handler finish, starts no other and keeps the rest', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const slow = gate()
    queue.process(() => slow.promise)
    await queue.enqueueMany([
      { body: 1, id: '1' },
      { body: 2, id: '2' },
    ])
    await seen.until('started')
    const closing = box.close()
    expect(await isPending(closing)).toBe(true)
    slow.open()
    expect(await closing).toEqual({ returned: 0 })
    const again = (await reopen()).queue<number>('jobs')
    expect(await again.get('1')).toMatchObject({ state: 'completed' })
    expect((await again.dequeueMany(10)).map(({ id, attempt }) => [id, attempt])).toEqual([['2', 1]])
  })

  it('lets a running handler use queues that nobody asked for before', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const slow = gate()
    queue.process(async (message) => {
      await slow.promise
      await box.queue<string>('mails').enqueue('at once')
      message.enqueue(box.queue<string>('bills'), 'with the acknowledgement')
    })
    await queue.enqueue(1, { id: 'a' })
    await seen.until('started')
    const closing = box.close()
    slow.open()
    expect(await closing).toEqual({ returned: 0 })
    await refusal(async () => box.queue('late'), 'ERR_CLOSED')
    const again = await reopen()
    expect(await again.queue('jobs').get('a')).toMatchObject({ state: 'completed', attempt: 1 })
    expect((await again.queue('mails').peek()).map(({ body }) => body)).toEqual(['at once'])
    expect((await again.queue('bills').peek()).map(({ body }) => body)).toEqual(['with the acknowledgement'])
  })

  it('aborts handlers at the deadline and returns their messages without cost [A3 signal]', async () => {
    const { box, clock, reopen } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const reasons: unknown[] = []
    queue.process(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason)
            reject(new Error('stopped'))
          })
        }),
    )
    await queue.enqueue(1, { id: 'a' })
    await seen.until('started')
    const closing = box.close({ timeoutMs: 5_000 })
    await clock.advance(4_999)
    expect(reasons).toEqual([])
    await clock.advance(1)
    expect(await closing).toEqual({ returned: 1 })
    expect(reasons.map((reason) => AckboxError.is(reason, 'ERR_CLOSED'))).toEqual([true])
    const again = (await reopen()).queue<number>('jobs')
    expect(await again.get('a')).toMatchObject({ state: 'ready', history: [] })
    expect(await again.dequeue()).toMatchObject({ id: 'a', attempt: 1 })
  })

  it('does not wait for a handler that ignores its signal', async () => {
    const { box, clock, reopen } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    queue.process(() => new Promise<void>(() => {}))
    await queue.enqueue(1)
    await seen.until('started')
    const closing = box.close({ timeoutMs: 1_000 })
    await clock.advance(1_000)
    expect(await closing).toEqual({ returned: 1 })
    expect(await (await reopen()).queue<number>('jobs').dequeue()).toMatchObject({ attempt: 1 })
  })

  it('ends early when its signal aborts', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    queue.process(() => new Promise<void>(() => {}))
    await queue.enqueue(1)
    await seen.until('started')
    const stop = new AbortController()
    const closing = box.close({ signal: stop.signal })
    expect(await isPending(closing)).toBe(true)
    stop.abort()
    expect(await closing).toEqual({ returned: 1 })
  })

  it('takes back what was dequeued and not settled', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1, { id: 'a' })
    const message = await queue.dequeue()
    expect(await box.close()).toEqual({ returned: 1 })
    await refusal(message!.ack(), 'ERR_CLOSED')
    const again = (await reopen()).queue<number>('jobs')
    expect(await again.dequeue()).toMatchObject({ id: 'a', attempt: 1 })
  })

  it('makes everything durable that was asked for before', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    const receipts = Promise.all(Array.from({ length: 100 }, (_, n) => queue.enqueue(n)))
    await box.close()
    expect(await receipts).toHaveLength(100)
    expect((await (await reopen()).queue<number>('jobs').dequeueMany(200)).map(({ body }) => body)).toEqual(
      Array.from({ length: 100 }, (_, n) => n),
    )
  })

  it('can be called again, gives the same, and resolves closed [A1 closed]', async () => {
    const { box } = await make()
    const [first, second] = await Promise.all([box.close(), box.close()])
    expect(second).toEqual(first)
    expect(await box.close()).toEqual(first)
    await box.closed
  })

  it('is what asyncDispose does [A1 asyncDispose]', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1)
    await box[Symbol.asyncDispose]()
    await refusal(queue.enqueue(2), 'ERR_CLOSED')
    expect(await (await reopen()).queue('jobs').dequeueMany(5)).toHaveLength(1)
  })

  it('ends who waits for a message, with the reason', async () => {
    const { box } = await make()
    const waiting = refusal(box.queue('jobs').dequeue({ waitMs: 60_000 }), 'ERR_CLOSED')
    await box.close()
    await waiting
  })
})
