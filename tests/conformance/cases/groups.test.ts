import { expect, it } from 'vitest'

import type { Delivery } from 'ackbox'

import { eachStorage } from '../support/boxes.ts'
import { record } from '../support/events.ts'

function bodies<T>(deliveries: Delivery<T>[]): T[] {
  return deliveries.map(({ body }) => body)
}

eachStorage('groups [A2 group]', (make) => {
  it('have one message in flight each, in order, beside other groups', async () => {
    const { box } = await make()
    const queue = box.queue<string>('jobs')
    for (const body of ['a1', 'a2', 'b1', 'a3', 'b2']) await queue.enqueue(body, { group: body[0]! })
    await queue.enqueue('free 1')
    await queue.enqueue('free 2')
    const first = await queue.dequeueMany(10)
    expect(bodies(first)).toEqual(['a1', 'b1', 'free 1', 'free 2'])
    expect(await queue.dequeue()).toBeUndefined()
    await first[0]!.ack()
    expect(bodies(await queue.dequeueMany(10))).toEqual(['a2'])
    await first[1]!.ack()
    expect(bodies(await queue.dequeueMany(10))).toEqual(['b2'])
  })

  it('keep their order over retries, however often', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const handled: number[] = []
    queue.process(
      ({ body, attempt }) => {
        if (attempt <= body % 3) throw new Error(`not yet ${body}`)
        handled.push(body)
      },
      { concurrency: 8 },
    )
    await queue.enqueueMany(Array.from({ length: 12 }, (_, body) => ({ body, group: 'g' })))
    for (let body = 0, retries = 0; body < 12; body += 1) {
      for (let attempt = 1; attempt <= body % 3; attempt += 1) {
        retries += 1
        await clock.advance((await seen.until('retry', retries)).delayMs)
      }
      await seen.until('completed', body + 1)
    }
    expect(handled).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  it('wait for a head that is delayed [S7]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('jobs')
    await queue.enqueue('head', { group: 'g', delayMs: 1_000 })
    await queue.enqueue('tail', { group: 'g' })
    await queue.enqueue('other', { group: 'h' })
    expect(bodies(await queue.dequeueMany(10))).toEqual(['other'])
    await clock.advance(1_000)
    const head = await queue.dequeueMany(10)
    expect(bodies(head)).toEqual(['head'])
    await head[0]!.ack()
    expect(bodies(await queue.dequeueMany(10))).toEqual(['tail'])
  })

  it('wait for a head that is to be retried, also over reopening', async () => {
    const { box, clock, reopen } = await make()
    const before = box.queue<string>('jobs')
    await before.enqueue('head', { group: 'g' })
    await before.enqueue('tail', { group: 'g' })
    await (await before.dequeue())?.reject(new Error('no'), { delayMs: 10_000 })
    const queue = (await reopen()).queue<string>('jobs')
    expect(await queue.dequeue()).toBeUndefined()
    await clock.advance(10_000)
    expect(bodies(await queue.dequeueMany(10))).toEqual(['head'])
  })

  it('are ordered by the priority of their heads, and ignore it inside [S7]', async () => {
    const { box } = await make()
    const queue = box.queue<string>('jobs')
    await queue.enqueue('a1', { group: 'a', priority: 1 })
    await queue.enqueue('a2', { group: 'a', priority: 200 })
    await queue.enqueue('b1', { group: 'b', priority: 5 })
    const first = await queue.dequeueMany(10)
    expect(bodies(first)).toEqual(['b1', 'a1'])
    await first[1]!.ack()
    expect(bodies(await queue.dequeueMany(10))).toEqual(['a2'])
  })

  it('take the group from the body where the queue says how', async () => {
    const { box } = await make()
    const queue = box.queue<{ customer: string; n: number }>('jobs', { group: (body) => body.customer })
    await queue.enqueue({ customer: 'c', n: 1 })
    await queue.enqueue({ customer: 'c', n: 2 })
    const deliveries = await queue.dequeueMany(10)
    expect(deliveries.map(({ group, body }) => [group, body.n])).toEqual([['c', 1]])
  })

  it('go on behind a dead letter by default', async () => {
    const { box } = await make()
    const queue = box.queue<string>('jobs')
    await queue.enqueue('head', { group: 'g' })
    await queue.enqueue('tail', { group: 'g' })
    await (await queue.dequeue())?.reject(new Error('no'), { dead: true })
    expect(bodies(await queue.dequeueMany(10))).toEqual(['tail'])
  })

  it("wait behind a dead letter with groupOnDead: 'block', and run it first once redriven [A2 groupOnDead, S7]", async () => {
    const { box } = await make()
    const queue = box.queue<string>('jobs', { groupOnDead: 'block' })
    await queue.enqueue('head', { id: 'head', group: 'g' })
    await queue.enqueue('tail', { id: 'tail', group: 'g' })
    await (await queue.dequeue())?.reject(new Error('no'), { dead: true })
    expect(await queue.dequeue()).toBeUndefined()
    await queue.dead.redrive({ ids: ['head'] })
    const head = await queue.dequeueMany(10)
    expect(bodies(head)).toEqual(['head'])
    await head[0]!.reject(new Error('no'), { dead: true })
    expect(await queue.dequeue()).toBeUndefined()
    await queue.dead.remove({ ids: ['head'] })
    expect(bodies(await queue.dequeueMany(10))).toEqual(['tail'])
  })
})
