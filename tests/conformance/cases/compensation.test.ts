/** `deadLetterTo`: another queue gets a message for every dead letter, in the same commit. */
import { type DeathNotice, constant, memoryStorage, open, PermanentError } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'

interface Order {
  cents: number
}

eachStorage('deadLetterTo [A2 deadLetterTo]', (make) => {
  it('tells another queue of each death, with all there is to know', async () => {
    const { box } = await make()
    const refunds = box.queue<DeathNotice<Order>>('refunds')
    const orders = box.queue<Order>('orders', { deadLetterTo: 'refunds' })
    const seen = record(orders)
    orders.process(() => {
      throw new PermanentError('no such card')
    })
    await orders.enqueue({ cents: 5 }, { id: 'o-1', headers: { trace: 't' } })
    await seen.until('dead')
    const notice = await refunds.dequeue()
    expect(notice!.body).toEqual({
      queue: 'orders',
      id: 'o-1',
      body: { cents: 5 },
      headers: { trace: 't' },
      reason: 'permanent',
      error: expect.objectContaining({ message: 'no such card' }),
    })
    await notice!.ack()
    expect(await orders.dead.get('o-1')).toMatchObject({ reason: 'permanent' })
  })

  it('tells of each death once, over reopening and redrive', async () => {
    const site = await make()
    const options = { deadLetterTo: 'refunds', maxAttempts: 1, backoff: constant(1) }
    await site.box.queue<Order>('orders', options).enqueue({ cents: 5 }, { id: 'o-1' })
    const ids: string[] = []
    for (let death = 0; death < 2; death += 1) {
      const orders = site.box.queue<Order>('orders')
      await (await orders.dequeue())!.reject(new Error('no'))
      await site.reopen()
      const refunds = site.box.queue<DeathNotice<Order>>('refunds')
      const notices = await refunds.dequeueMany(10)
      expect(notices.map(({ body }) => body.id)).toEqual(['o-1'])
      await notices[0]!.ack()
      ids.push(notices[0]!.id)
      await site.box.queue('orders').dead.redrive({ ids: ['o-1'] })
    }
    expect(new Set(ids).size).toBe(2)
  })

  it('survives reopening, and is taken back with null', async () => {
    const site = await make()
    site.box.queue('orders', { deadLetterTo: 'refunds' })
    await site.reopen()
    const orders = site.box.queue<number>('orders')
    await orders.enqueue(1, { id: 'told' })
    await (await orders.dequeue())!.reject('no', { dead: true })
    const warnings: string[] = []
    site.box.on('warning', ({ message }) => warnings.push(message))
    site.box.queue('orders', { deadLetterTo: null })
    expect(warnings).toEqual([expect.stringContaining("deadLetterTo from 'refunds' to none")])
    await orders.enqueue(2, { id: 'not told' })
    await (await orders.dequeue())!.reject('no', { dead: true })
    expect((await site.box.queue('refunds').stats()).ready).toBe(1)
    expect(await orders.dead.count()).toBe(2)
  })

  it('tells the bytes of a body that a codec made as Base64', async () => {
    const { box } = await make()
    const codec = {
      encode: (text: string) => new TextEncoder().encode(text),
      decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
    }
    const words = box.queue<string>('words', { codec, deadLetterTo: 'lost words' })
    await words.enqueue('1')
    await (await words.dequeue())!.reject('no', { dead: true })
    const notice = await box.queue<DeathNotice>('lost words').dequeue()
    expect(notice!.body).toMatchObject({ queue: 'words', bodyBase64: 'MQ==' })
    expect(notice!.body).not.toHaveProperty('body')
  })

  it('tells JSON again once the queue has no codec any more', async () => {
    const site = await make()
    const codec = { encode: () => new Uint8Array([1]), decode: () => 'one' }
    site.box.queue('words', { codec, deadLetterTo: 'lost words' })
    await site.reopen()
    const words = site.box.queue<string>('words')
    await words.enqueue('plain')
    await (await words.dequeue())!.reject('no', { dead: true })
    expect((await site.box.queue<DeathNotice>('lost words').dequeue())!.body).toMatchObject({ body: 'plain' })
  })

  it('keeps the letter and warns when the other queue is full', async () => {
    const { box } = await make()
    const warnings: string[] = []
    box.on('warning', ({ message }) => warnings.push(message))
    const refunds = box.queue('refunds', { maxDepth: 1 })
    const orders = box.queue<number>('orders', { deadLetterTo: 'refunds' })
    for (const id of ['a', 'b']) {
      await orders.enqueue(1, { id })
      await (await orders.dequeue())!.reject('no', { dead: true })
    }
    expect((await refunds.stats()).ready).toBe(1)
    expect(await orders.dead.count()).toBe(2)
    expect(warnings).toEqual([expect.stringContaining("'refunds' is not told of the dead letter 'b'")])
  })
})

describe('deadLetterTo', () => {
  it.each<[string, unknown, RegExp]>([
    ['itself', 'orders', /deadLetterTo.*'orders' to 'orders'/],
    ['a queue that tells it in turn', 'refunds', /'orders' to 'refunds' to 'orders'/],
    ['nothing in particular', '', /deadLetterTo.*string that is not empty/],
    ['what is no name', 5, /deadLetterTo.*5/],
  ])('refuses %s', async (_, deadLetterTo, message) => {
    const box = await open(memoryStorage())
    box.queue('refunds', { deadLetterTo: 'orders' })
    await refusal(() => box.queue('orders', { deadLetterTo } as never), 'ERR_INVALID_OPTION', message)
    await box.close()
  })
})
