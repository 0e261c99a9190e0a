import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'

const DAY_MS = 86_400_000

eachStorage('deduplication [A2 dedup, S10]', (make) => {
  it('answers a known id with the state of the original and enqueues nothing [A2 receipt, A2 idempotency]', async () => {
    const { box } = await make()
    const queue = box.queue<{ n: number }>('orders')
    await queue.enqueue({ n: 1 }, { id: 'a', delayMs: 1_000 })
    expect(await queue.enqueue({ n: 1 }, { id: 'a' })).toEqual({ id: 'a', status: 'duplicate', state: 'scheduled' })
    await queue.enqueue({ n: 1 }, { id: 'b' })
    expect(await queue.enqueue({ n: 1 }, { id: 'b' })).toEqual({ id: 'b', status: 'duplicate', state: 'ready' })
    const message = await queue.dequeue()
    expect(await queue.enqueue({ n: 1 }, { id: 'b' })).toEqual({ id: 'b', status: 'duplicate', state: 'leased' })
    await message?.ack()
    expect(await queue.enqueue({ n: 1 }, { id: 'b' })).toEqual({ id: 'b', status: 'duplicate', state: 'completed' })
    expect(await queue.dequeue()).toBeUndefined()
  })

  it('refuses a known id with a different body [A2 idempotency]', async () => {
    const { box } = await make()
    const queue = box.queue<{ n: number }>('orders')
    await queue.enqueue({ n: 1 }, { id: 'a' })
    await refusal(queue.enqueue({ n: 2 }, { id: 'a' }), 'ERR_ID_CONFLICT', /\ba\b/)
    expect((await queue.dequeueMany(10)).map(({ body }) => body)).toEqual([{ n: 1 }])
  })

  it("ignores the body with compare: 'id'", async () => {
    const { box } = await make()
    const queue = box.queue<{ n: number }>('orders', { dedup: { compare: 'id' } })
    await queue.enqueue({ n: 1 }, { id: 'a' })
    expect(await queue.enqueue({ n: 2 }, { id: 'a' })).toMatchObject({ status: 'duplicate' })
    expect((await queue.dequeue())?.body).toEqual({ n: 1 })
  })

  it('takes the id from the body where the queue says how [A2 id]', async () => {
    const { box } = await make()
    const queue = box.queue<{ order: string }>('orders', { id: (body) => body.order })
    expect(await queue.enqueue({ order: 'o-1' })).toMatchObject({ id: 'o-1', status: 'accepted' })
    expect(await queue.enqueue({ order: 'o-1' })).toMatchObject({ id: 'o-1', status: 'duplicate' })
  })

  it('starts the window when the message finishes, not when it was enqueued', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('orders', { leaseMs: 2 * DAY_MS })
    await queue.enqueue(1, { id: 'a' })
    const message = await queue.dequeue()
    await clock.advance(DAY_MS + 1)
    expect(await queue.enqueue(1, { id: 'a' })).toMatchObject({ status: 'duplicate', state: 'leased' })
    await message?.ack()
    await clock.advance(DAY_MS - 1)
    expect(await queue.enqueue(1, { id: 'a' })).toMatchObject({ status: 'duplicate', state: 'completed' })
    await clock.advance(2)
    expect(await queue.enqueue(2, { id: 'a' })).toMatchObject({ status: 'accepted' })
  })

  it('keeps to a window of its own over reopening', async () => {
    const { box, clock, reopen } = await make()
    const queue = box.queue<number>('orders', { dedup: { windowMs: 10_000 } })
    await queue.enqueue(1, { id: 'a' })
    await (await queue.dequeue())?.ack()
    const again = (await reopen()).queue<number>('orders')
    await clock.advance(9_999)
    expect(await again.enqueue(1, { id: 'a' })).toMatchObject({ status: 'duplicate', state: 'completed' })
    await clock.advance(2)
    expect(await again.enqueue(1, { id: 'a' })).toMatchObject({ status: 'accepted' })
  })

  it('keeps the id of a dead letter until it is removed', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('orders')
    await queue.enqueue(1, { id: 'a' })
    await (await queue.dequeue())?.reject(new Error('no'), { dead: true })
    await clock.advance(10 * DAY_MS)
    expect(await queue.enqueue(1, { id: 'a' })).toMatchObject({ status: 'duplicate', state: 'dead' })
    await queue.dead.remove({ ids: ['a'] })
    expect(await queue.enqueue(1, { id: 'a' })).toMatchObject({ status: 'accepted' })
  })

  it('frees the id of what is cancelled or purged', async () => {
    const { box } = await make()
    const queue = box.queue<number>('orders')
    await queue.enqueue(1, { id: 'a' })
    await queue.cancel('a')
    expect(await queue.enqueue(2, { id: 'a' })).toMatchObject({ status: 'accepted' })
    await queue.purge()
    expect(await queue.enqueue(3, { id: 'a' })).toMatchObject({ status: 'accepted' })
    expect((await queue.dequeueMany(10)).map(({ body }) => body)).toEqual([3])
  })

  it('forgets an id on request, also over reopening [A5 forget]', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('orders')
    await queue.enqueue(1, { id: 'a' })
    await (await queue.dequeue())?.ack()
    await queue.forget('a')
    const again = (await reopen()).queue<number>('orders')
    expect(await again.enqueue(2, { id: 'a' })).toMatchObject({ status: 'accepted' })
  })

  it('forgets no id whose message is unfinished or dead', async () => {
    const { box } = await make()
    const queue = box.queue<number>('orders', { guarantee: 'exactly-once' })
    await queue.enqueue(1, { id: 'a' })
    expect(await queue.forget('a')).toBe(false)
    const delivery = await queue.dequeue()
    expect(await queue.forget('a')).toBe(false)
    expect(await queue.enqueue(1, { id: 'a' })).toMatchObject({ status: 'duplicate', state: 'leased' })
    await delivery!.reject(new Error('no'), { dead: true })
    expect(await queue.forget('a')).toBe(false)
    expect(await queue.get('a')).toMatchObject({ state: 'dead' })
    await queue.dead.redrive({})
    await queue.drain(() => {})
    expect([await queue.forget('a'), await queue.forget('a')]).toEqual([true, false])
  })

  it('refuses new ids when the index is full and the queue says so', async () => {
    const { box } = await make()
    const queue = box.queue<number>('orders', { dedup: { maxEntries: 2, whenFull: 'reject' } })
    await queue.enqueue(1, { id: 'a' })
    await queue.enqueue(2, { id: 'b' })
    await refusal(queue.enqueue(3, { id: 'c' }), 'ERR_DEDUP_FULL', /\b2\b/)
    expect(await queue.enqueue(1, { id: 'a' })).toMatchObject({ status: 'duplicate' })
    expect(await queue.enqueue(4)).toMatchObject({ status: 'accepted' })
  })

  it('forgets the earliest finished with a warning when the queue may shorten', async () => {
    const { box, clock } = await make()
    const warnings: unknown[] = []
    box.on('warning', (warning) => warnings.push(warning))
    const queue = box.queue<number>('orders', { dedup: { maxEntries: 2, whenFull: 'shorten' } })
    for (const id of ['a', 'b']) {
      await queue.enqueue(1, { id })
      await (await queue.dequeue())?.ack()
    }
    expect(await queue.enqueue(1, { id: 'c' })).toMatchObject({ status: 'accepted' })
    expect(await queue.enqueue(1, { id: 'b' })).toMatchObject({ status: 'duplicate' })
    await clock.advance()
    expect(warnings).toHaveLength(1)
    expect((await queue.dequeueMany(10)).map(({ id }) => id)).toEqual(['c'])
    expect(await queue.enqueue(1, { id: 'a' })).toMatchObject({ status: 'accepted' })
  })
})
