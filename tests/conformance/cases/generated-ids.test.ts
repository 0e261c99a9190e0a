import { expect, it } from 'vitest'

import { eachStorage, type Site } from '../support/boxes.ts'

async function enqueueSome(site: Site, count: number): Promise<string[]> {
  const queue = site.box.queue<number>('orders')
  const receipts = await Promise.all(Array.from({ length: count }, (_, n) => queue.enqueue(n)))
  return receipts.map(({ id }) => id)
}

eachStorage('generated ids [S9]', (make) => {
  it('are unique and sort in the order of enqueueing, over time and reopening', async () => {
    const site = await make()
    const ids = await enqueueSome(site, 300)
    await site.clock.advance(1)
    ids.push(...(await enqueueSome(site, 300)))
    await site.reopen()
    ids.push(...(await enqueueSome(site, 300)))
    expect(new Set(ids).size).toBe(900)
    expect([...ids].sort()).toEqual(ids)
  })

  it('are unique across boxes', async () => {
    const first = await enqueueSome(await make(), 50)
    const second = await enqueueSome(await make(), 50)
    expect(new Set([...first, ...second]).size).toBe(100)
  })

  it('are known when passed back, while unfinished and after', async () => {
    const { box } = await make()
    const queue = box.queue<number>('orders')
    const { id } = await queue.enqueue(1)
    expect(await queue.enqueue(1, { id })).toMatchObject({ id, status: 'duplicate', state: 'ready' })
    await (await queue.dequeue())?.ack()
    expect(await queue.enqueue(1, { id })).toMatchObject({ id, status: 'duplicate' })
    expect(await queue.dequeue()).toBeUndefined()
  })

  it('are known again after reopening', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('orders')
    const finished = await queue.enqueue(1)
    await (await queue.dequeue())?.ack()
    const waiting = await queue.enqueue(2)
    const again = (await reopen()).queue<number>('orders')
    expect(await again.enqueue(1, { id: finished.id })).toMatchObject({ status: 'duplicate' })
    expect(await again.enqueue(2, { id: waiting.id })).toMatchObject({ status: 'duplicate', state: 'ready' })
    expect((await again.dequeueMany(10)).map(({ body }) => body)).toEqual([2])
  })
})
