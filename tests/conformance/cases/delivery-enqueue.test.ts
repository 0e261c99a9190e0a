/** `message.enqueue`: durable with the acknowledgement of the message that it comes from, or not at all. */
import type { Box, Delivery, Queue, Receipt } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory, openOn } from '../support/boxes.ts'
import { gate, manualClock, turns } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

interface Site {
  readonly box: Box
  readonly orders: Queue<number, string | void>
  readonly bills: Queue<number>
}

const queuesOf = (box: Box): Site => ({ box, orders: box.queue('orders'), bills: box.queue('bills') })

const ready = async (queue: Queue<number>): Promise<number> => (await queue.stats()).ready

eachStorage('enqueue of a delivery [A3 delivery enqueue]', (make) => {
  it('is durable with what its handler returned', async () => {
    const site = await make()
    const { orders, bills } = queuesOf(site.box)
    const seen = record(orders)
    const receipts: Receipt[] = []
    orders.process((message) => {
      receipts.push(message.enqueue(bills, 10 * message.body, { id: `bill-${message.id}` }), message.enqueue(bills, 1))
      expect(receipts).toEqual([{ id: 'bill-a' }, {}])
      return 'billed'
    })
    await orders.enqueue(1, { id: 'a' })
    await seen.until('completed', 1)
    const box = await site.reopen()
    expect(receipts[0]).toEqual({ id: 'bill-a', status: 'accepted', state: 'ready' })
    expect(receipts[1]).toEqual({ id: expect.any(String), status: 'accepted', state: 'ready' })
    expect(await box.queue('orders').get('a')).toMatchObject({ state: 'completed', result: 'billed' })
    expect((await box.queue('bills').dequeueMany(9)).map(({ body }) => body)).toEqual([10, 1])
  })
})

it('goes out in one append with the end of the handler', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const { orders, bills } = queuesOf(box)
  const started = gate<Delivery<number>>()
  const goOn = gate()
  orders.process(async (message) => {
    message.enqueue(bills, 1)
    started.open(message)
    await goOn.promise
    return 'done'
  })
  await orders.enqueue(1, { id: 'a' })
  await started.promise
  const appends = storage.appends
  storage.hold()
  goOn.open()
  await turns()
  expect(storage.appends).toBe(appends + 1)
  const copy = storage.copy()
  storage.release()
  await turns()
  expect(storage.appends).toBe(appends + 1)
  const lost = queuesOf(await openOn(copy, { clock: manualClock() }))
  expect([await lost.orders.get('a'), await ready(lost.bills)]).toMatchObject([{ state: 'ready' }, 0])
  const kept = queuesOf(await openOn(storage.copy(), { clock: manualClock() }))
  expect([await kept.orders.get('a'), await ready(kept.bills)]).toMatchObject([{ state: 'completed' }, 1])
})

const ends: [string, (message: Delivery<number>) => unknown][] = [
  ['reject', (message) => message.reject(new Error('no'))],
  ['its return to the queue', (message) => message[Symbol.asyncDispose]()],
]

it.each(ends)('is dropped with %s', async (_, end) => {
  const { orders, bills } = queuesOf((await makeInMemory()).box)
  await orders.enqueue(1)
  const message = await orders.dequeue()
  message!.enqueue(bills, 1)
  await end(message!)
  expect(await ready(bills)).toBe(0)
  expect(() => message!.enqueue(bills, 1)).toThrow(expect.objectContaining({ code: 'ERR_ALREADY_SETTLED' }))
})

it('is dropped with what its handler throws', async () => {
  const { orders, bills } = queuesOf((await makeInMemory()).box)
  const seen = record(orders)
  orders.process((message) => {
    message.enqueue(bills, 1)
    throw new Error('no')
  })
  await orders.enqueue(1)
  await seen.until('retry', 1)
  expect(await ready(bills)).toBe(0)
})

it('fails the attempt if it cannot be enqueued, and is tried again with it', async () => {
  const { box, clock } = await makeInMemory()
  const { orders } = queuesOf(box)
  const bills = box.queue<number>('bills', { maxDepth: 1 })
  await bills.enqueue(0)
  const seen = record(orders)
  orders.process((message) => {
    message.enqueue(bills, 1)
    return 'billed'
  }, { concurrency: 2 })
  await orders.enqueue(1, { id: 'a' })
  expect(await seen.until('retry', 1)).toMatchObject({ id: 'a', attempt: 1, error: { code: 'ERR_QUEUE_FULL' } })
  await bills.purge()
  await clock.advance(10_000)
  await seen.until('completed', 1)
  expect(await orders.get('a')).toMatchObject({ state: 'completed', attempt: 2, result: 'billed' })
  expect(await ready(bills)).toBe(1)
})

it('by hand stays staged and open when the acknowledgement fails', async () => {
  const { box } = await makeInMemory()
  const { orders } = queuesOf(box)
  const bills = box.queue<number>('bills', { maxDepth: 1 })
  await bills.enqueue(0)
  await orders.enqueue(1, { id: 'a' })
  const message = await orders.dequeue()
  message!.enqueue(bills, 1)
  await refusal(() => message!.ack(), 'ERR_QUEUE_FULL', /bills/)
  await bills.purge()
  await message!.ack('later')
  expect(await orders.get('a')).toMatchObject({ state: 'completed', result: 'later' })
  expect(await ready(bills)).toBe(1)
})

it('works in consume and drain', async () => {
  const { orders, bills } = queuesOf((await makeInMemory()).box)
  await orders.enqueueMany([1, 2, 3].map((body) => ({ body })))
  for await (const message of orders.consume()) {
    message.enqueue(bills, message.body)
    await message.ack()
    break
  }
  const report = await orders.drain((message) => void message.enqueue(bills, message.body))
  expect(report).toMatchObject({ completed: 2, remaining: 0 })
  expect((await bills.dequeueMany(5)).map(({ body }) => body)).toEqual([1, 2, 3])
})

it('goes along with a transaction that acknowledges its message', async () => {
  const { box, orders, bills } = queuesOf((await makeInMemory()).box)
  await orders.enqueueMany([{ body: 1 }, { body: 2 }])
  const [acked, rejected] = await orders.dequeueMany(2)
  const receipt = acked!.enqueue(bills, 1)
  rejected!.enqueue(bills, 2)
  await box.transaction((tx) => {
    tx.ack(acked!)
    tx.reject(rejected!)
    tx.enqueue(bills, 0)
  })
  expect(receipt).toMatchObject({ status: 'accepted' })
  expect((await bills.dequeueMany(5)).map(({ body }) => body)).toEqual([0, 1])
})

it('refuses what is lost, at-most-once, or no queue of its box', async () => {
  const { box, clock } = await makeInMemory()
  const { orders, bills } = queuesOf(box)
  const once = box.queue<number>('once', { guarantee: 'at-most-once' })
  await Promise.all([orders.enqueue(1, { id: 'a' }), once.enqueue(1)])
  const [message, handedOver] = [await orders.dequeue({ leaseMs: 5 }), await once.dequeue()]
  await refusal(() => handedOver!.enqueue(bills, 1), 'ERR_LEASE_LOST', /at-most-once/)
  await refusal(() => message!.enqueue({ name: 'bills' } as never, 1 as never), 'ERR_INVALID_OPTION', /a queue of this box/)
  message!.enqueue(bills, 1)
  await clock.advance(5)
  await refusal(() => message!.enqueue(bills, 1), 'ERR_LEASE_LOST')
  await refusal(() => message!.ack(), 'ERR_LEASE_LOST')
  expect(await ready(bills)).toBe(0)
})

it('is lost with the lease while middleware takes its time', async () => {
  const { box } = await makeInMemory()
  const { orders, bills } = queuesOf(box)
  const asked = gate()
  const goOn = gate()
  const outcomes: unknown[] = []
  box.use({
    async enqueue({ queue }, next) {
      if (queue !== 'bills') return next()
      asked.open()
      await goOn.promise
      const receipt = next()
      outcomes.push(await receipt.catch(({ code }: { code: string }) => code))
      return receipt
    },
  })
  const worker = orders.process((message) => void message.enqueue(bills, 1))
  await orders.enqueue(1, { id: 'a' })
  await asked.promise
  expect(await orders.cancel('a')).toBe(true)
  goOn.open()
  await turns()
  expect(outcomes).toEqual(['ERR_LEASE_LOST'])
  expect(await ready(bills)).toBe(0)
  expect(await worker.close()).toEqual({ returned: 0 })
})
