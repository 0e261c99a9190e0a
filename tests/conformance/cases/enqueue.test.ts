import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'

eachStorage('enqueue [A2 enqueue]', (make) => {
  it('answers with a receipt once the message is durable [A2 receipt]', async () => {
    const { box } = await make()
    const receipt = await box.queue('orders').enqueue({ total: 5 })
    expect(receipt).toEqual({ id: expect.any(String), status: 'accepted', state: 'ready' })
    expect(receipt.id.length).toBeGreaterThan(0)
  })

  it("keeps the caller's id", async () => {
    const { box } = await make()
    const receipt = await box.queue('orders').enqueue({ total: 5 }, { id: 'order-ü-1' })
    expect(receipt).toEqual({ id: 'order-ü-1', status: 'accepted', state: 'ready' })
  })

  it('hands over what was enqueued', async () => {
    const { box, clock } = await make()
    const queue = box.queue<{ lines: string[] }>('orders')
    const enqueuedAt = clock.now()
    await queue.enqueue(
      { lines: ['ä', '🧾', ''] },
      { id: 'o-1', headers: { trace: 'abc', empty: '' }, group: 'g', destination: 'd', priority: 7 },
    )
    const message = await queue.dequeue()
    expect(message).toMatchObject({
      id: 'o-1',
      body: { lines: ['ä', '🧾', ''] },
      headers: { trace: 'abc', empty: '' },
      group: 'g',
      destination: 'd',
      priority: 7,
      attempt: 1,
    })
    expect(Number(message?.enqueuedAt)).toBe(enqueuedAt)
    expect(message?.token).toBeGreaterThan(0)
    expect(message?.signal.aborted).toBe(false)
  })

  it.each([['text'], [''], [0], [-1.5], [true], [null], [[1, [2]]], [{}], [{ a: { b: null } }]])(
    'carries %j',
    async (body) => {
      const { box } = await make()
      const queue = box.queue<unknown>('anything')
      await queue.enqueue(body)
      expect((await queue.dequeue())?.body).toEqual(body)
    },
  )

  it('carries a body of many kilobytes', async () => {
    const { box } = await make()
    const queue = box.queue<string>('large')
    const body = 'x'.repeat(1_000_000)
    await queue.enqueue(body)
    expect((await queue.dequeue())?.body).toBe(body)
  })

  it('gives up waiting when its signal aborts, but not the message [A2 enqueue signal]', async () => {
    const { box } = await make()
    const queue = box.queue<number>('orders')
    const reason = new Error('no patience')
    const stop = new AbortController()
    const receipt = queue.enqueue(1, { id: 'a', signal: stop.signal })
    stop.abort(reason)
    await expect(receipt).rejects.toBe(reason)
    expect(await queue.enqueue(1, { id: 'a' })).toMatchObject({ status: 'duplicate' })
    expect(await queue.dequeueMany(10)).toHaveLength(1)
  })

  it('enqueues nothing when its signal aborted before', async () => {
    const { box } = await make()
    const queue = box.queue<number>('orders')
    const reason = new Error('too late')
    await expect(queue.enqueue(1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(await queue.dequeue()).toBeUndefined()
  })

  it('keeps queues apart [A1 open]', async () => {
    const { box } = await make()
    await box.queue('a').enqueue(1, { id: 'same' })
    await box.queue('b').enqueue(2, { id: 'same' })
    expect((await box.queue('b').dequeue())?.body).toBe(2)
    expect((await box.queue('a').dequeue())?.body).toBe(1)
    expect(await box.queue('a').dequeue()).toBeUndefined()
  })
})

eachStorage('enqueueMany [A2 enqueueMany]', (make) => {
  it('answers with one receipt for each, in order', async () => {
    const { box } = await make()
    const queue = box.queue<number>('batch')
    const receipts = await queue.enqueueMany([
      { body: 1, id: 'one' },
      { body: 2, delayMs: 5_000 },
      { body: 3, id: 'three', priority: 9 },
    ])
    expect(receipts.map(({ status, state }) => [status, state])).toEqual([
      ['accepted', 'ready'],
      ['accepted', 'scheduled'],
      ['accepted', 'ready'],
    ])
    expect([receipts[0]?.id, receipts[2]?.id]).toEqual(['one', 'three'])
    expect((await queue.dequeueMany(10)).map(({ body }) => body)).toEqual([3, 1])
  })

  it('takes any iterable, also an empty one', async () => {
    const { box } = await make()
    const queue = box.queue<number>('batch')
    expect(await queue.enqueueMany([])).toEqual([])
    function* three(): Generator<{ body: number }> {
      for (let body = 0; body < 3; body += 1) yield { body }
    }
    expect(await queue.enqueueMany(three())).toHaveLength(3)
  })

  it('knows an id that appears twice in one batch', async () => {
    const { box } = await make()
    const queue = box.queue<string>('batch')
    const receipts = await queue.enqueueMany([
      { body: 'x', id: 'a' },
      { body: 'x', id: 'a' },
    ])
    expect(receipts.map(({ status }) => status)).toEqual(['accepted', 'duplicate'])
    expect(await queue.dequeueMany(10)).toHaveLength(1)
  })
})
