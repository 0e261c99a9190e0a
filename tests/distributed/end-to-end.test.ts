/** A box on Redis as its users have it: messages of one process are worked on by others. */

import { PermanentError, RetryAfterError, type Box } from 'ackbox'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'

import { openRedis } from '../../npm/ackbox/dist/ledger/redis/index.js'
import { type RedisServer, startRedis } from './support/redis-server.ts'

let server: RedisServer
let boxes: Box[] = []
let last = 0
beforeAll(async () => {
  server = await startRedis()
})
afterEach(async () => {
  await Promise.all(boxes.map((box) => box.close()))
  boxes = []
})
afterAll(() => server.remove())

/** Boxes of so many processes, as far as the server knows: each has connections and an engine of its own. */
async function processes(count: number): Promise<Box[]> {
  const prefix = `e2e-${++last}`
  const opened = await Promise.all(Array.from({ length: count }, () => openRedis({ url: server.url, prefix })))
  boxes.push(...opened)
  for (const box of opened) box.on('warning', () => {})
  return opened
}

test('what one process enqueues others work on, each message once', async () => {
  const [producer, ...workers] = await processes(4)
  const seen = new Map<number, number>()
  for (const box of workers) {
    box.queue<number, number>('orders').process(async (message) => {
      seen.set(message.body, (seen.get(message.body) ?? 0) + 1)
      return message.body * 2
    }, { concurrency: 5 })
  }
  const orders = producer!.queue<number, number>('orders')
  const receipts = await Promise.all(Array.from({ length: 200 }, (_, order) => orders.enqueue(order, { id: `order-${order}` })))
  expect(new Set(receipts.map(({ status }) => status))).toEqual(new Set(['accepted']))
  const outcomes = await Promise.all(receipts.map(({ id }) => orders.finished(id)))
  outcomes.forEach((outcome, order) => expect(outcome).toMatchObject({ state: 'completed', result: order * 2, attempt: 1 }))
  expect([...seen.values()].every((count) => count === 1)).toBe(true)
  expect(seen.size).toBe(200)
  expect(await orders.stats()).toMatchObject({ enqueued: 200, acked: 200, ready: 0, leased: 0 })
})

test('an id is accepted once, by whichever process; another body under it is refused', async () => {
  const [one, other] = await processes(2)
  const [a, b] = [one!.queue<string>('q'), other!.queue<string>('q')]
  expect(await a.enqueue('x', { id: 'i' })).toMatchObject({ status: 'accepted', state: 'ready', id: 'i' })
  expect(await b.enqueue('x', { id: 'i' })).toMatchObject({ status: 'duplicate', state: 'ready' })
  await expect(b.enqueue('y', { id: 'i' })).rejects.toMatchObject({ code: 'ERR_ID_CONFLICT' })
  const delivery = await b.dequeue()
  expect(await a.enqueue('x', { id: 'i' })).toMatchObject({ status: 'duplicate', state: 'leased' })
  await delivery!.ack()
  expect(await a.enqueue('x', { id: 'i' })).toMatchObject({ status: 'duplicate', state: 'completed' })
})

test('failures are retried with the delays of the policies, then dead, then redriven', async () => {
  const [producer, worker] = await processes(2)
  const options = { maxAttempts: 2, backoff: () => 20 }
  const queue = producer!.queue<string>('q', options)
  const attempts: number[] = []
  let isMended = false
  worker!.queue<string>('q', options).process((message) => {
    attempts.push(message.attempt)
    if (!isMended) throw new Error('no luck')
  })
  const { id } = await queue.enqueue('x')
  expect(await queue.finished(id)).toMatchObject({ state: 'dead', reason: 'exhausted', error: { message: 'no luck' } })
  expect(attempts).toEqual([1, 2])
  const [letter] = (await queue.dead.list().page()).items
  expect(letter).toMatchObject({ id, body: 'x', reason: 'exhausted', history: [{ attempt: 1 }, { attempt: 2 }] })
  isMended = true
  expect(await queue.dead.redrive()).toEqual({ moved: 1, skipped: 0 })
  await queue.finished(id)
  expect(attempts).toEqual([1, 2, 1])
})

test('a permanent error kills at once, and one that asks for time costs nothing', async () => {
  const [box] = await processes(1)
  const queue = box!.queue<string, number>('q', { maxAttempts: 1 })
  let isLate = true
  queue.process((message) => {
    if (message.body === 'bad') throw new PermanentError('never')
    if (isLate) {
      isLate = false
      throw new RetryAfterError(5)
    }
    return message.attempt
  })
  const [bad, late] = await queue.enqueueMany([{ body: 'bad' }, { body: 'late', id: 'late' }])
  expect(await queue.finished(bad!.id)).toMatchObject({ state: 'dead', reason: 'permanent' })
  expect(await queue.finished(late!.id)).toMatchObject({ state: 'completed', result: 1 })
  await queue.idle()
  expect(await queue.stats()).toMatchObject({ deadLetters: 1, acked: 1, ready: 0, leased: 0 })
})

test('steps that were recorded are not run again, in whichever process the next attempt is', async () => {
  const [one, other] = await processes(2)
  const options = { backoff: () => 1 }
  const runs: string[] = []
  const keys = new Set<string>()
  for (const box of [one!, other!]) {
    box.queue<string, number>('q', options).process(async (message) => {
      const first = await message.step('first', ({ key }) => {
        keys.add(key)
        runs.push('first')
        return 7
      })
      keys.add(message.key('first'))
      await message.step('second', () => {
        runs.push('second')
        if (runs.length < 4) throw new Error('again')
      })
      return first
    })
  }
  const { id } = await one!.queue<string>('q').enqueue('x', { id: 'named' })
  expect(await one!.queue<string>('q').finished(id)).toMatchObject({ state: 'completed', result: 7 })
  expect(runs).toEqual(['first', 'second', 'second', 'second'])
  expect(keys.size).toBe(1)
})

test('what a delivery enqueues is there with its acknowledgement, and transactions are whole', async () => {
  const [one, other] = await processes(2)
  const [orders, bills] = [one!.queue<string>('orders'), one!.queue<string>('bills', { maxDepth: 2 })]
  await orders.enqueue('o')
  const delivery = (await other!.queue<string>('orders').dequeue())!
  delivery.enqueue(other!.queue<string>('bills'), 'b')
  expect(await bills.peek()).toEqual([])
  await delivery.ack()
  expect((await bills.peek()).map(({ body }) => body)).toEqual(['b'])
  await orders.enqueue('p')
  const next = (await orders.dequeue())!
  const unit = one!.transaction((tx) => {
    tx.ack(next)
    tx.enqueue(bills, 'c')
    tx.enqueue(bills, 'd')
  })
  await expect(unit).rejects.toMatchObject({ code: 'ERR_QUEUE_FULL' })
  expect(await bills.stats()).toMatchObject({ ready: 1 })
  await next.ack()
  expect(await orders.stats()).toMatchObject({ acked: 2, ready: 0, leased: 0 })
})

test('a box that closes gives back what it has not begun, at no cost', async () => {
  const [one, other] = await processes(2)
  const queue = one!.queue<number>('q')
  await queue.enqueueMany(Array.from({ length: 5 }, (_, body) => ({ body })))
  const open = await other!.queue<number>('q').dequeueMany(3)
  expect(open).toHaveLength(3)
  expect(await other!.close()).toEqual({ returned: 3 })
  expect(await queue.stats()).toMatchObject({ ready: 5, leased: 0 })
  const report = await queue.drain(() => {})
  expect(report).toMatchObject({ completed: 5, retried: 0, dead: 0 })
})

test('groups keep their order over workers of several processes', async () => {
  const [producer, ...workers] = await processes(3)
  const seen: number[] = []
  for (const box of workers) {
    box.queue<number>('q').process(async (message) => {
      await new Promise((resolve) => setImmediate(resolve))
      seen.push(message.body)
    }, { concurrency: 4 })
  }
  const queue = producer!.queue<number>('q')
  const receipts = await queue.enqueueMany(Array.from({ length: 30 }, (_, body) => ({ body, group: 'g' })))
  await queue.finished(receipts.at(-1)!.id)
  expect(seen).toEqual(Array.from({ length: 30 }, (_, body) => body))
})
