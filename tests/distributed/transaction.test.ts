/** Units over several queues, and numbered producers. */

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'

import { openBox, type TestBox } from './support/box.ts'
import { type RedisServer, startRedis } from './support/redis-server.ts'

let server: RedisServer
let box: TestBox
beforeAll(async () => {
  server = await startRedis()
})
afterEach(() => box.close())
afterAll(() => server.remove())

const accepted = { status: 'accepted', state: 'ready' }

test('settlements and enqueues over queues happen together', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  await ledger.define('other')
  await ledger.enqueue('q', [sheet('in')])
  const [message] = (await ledger.claim('q', { max: 1, leaseMs: 1000 })).messages
  const { key, token } = message!
  const result = await ledger.transact([
    { kind: 'settle', queue: 'q', settlement: { kind: 'completed', key, token } },
    { kind: 'enqueue', queue: 'other', sheet: sheet('out') },
    { kind: 'enqueue', queue: 'q', sheet: sheet('next') },
  ])
  expect(result).toEqual({ done: true, items: ['settled', accepted, accepted] })
  expect(await box.take(9, 'other')).toEqual(['out'])
  expect(await box.take()).toEqual(['next'])
})

test('a lost lease takes all of it back, and so does a queue that is full', async () => {
  box = await openBox(server, { maxDepth: 3 })
  const { ledger, sheet, time } = box
  await ledger.define('other')
  await ledger.enqueue('q', [sheet('a'), sheet('b')])
  const { messages } = await ledger.claim('q', { max: 2, leaseMs: 100 })
  const ack = (at: number) => ({ kind: 'settle' as const, queue: 'q', settlement: { kind: 'completed' as const, key: messages[at]!.key, token: messages[at]!.token } })
  const out = { kind: 'enqueue' as const, queue: 'other', sheet: sheet('out') }
  const more = (body: string) => ({ kind: 'enqueue' as const, queue: 'q', sheet: sheet(body) })
  expect(await ledger.transact([ack(0), out, more('c'), more('d')])).toEqual({
    done: false,
    items: ['settled', accepted, accepted, { status: 'refused', why: 'queue-full' }],
  })
  expect(await ledger.transact([ack(0), ack(0), out])).toMatchObject({ done: false, items: ['settled', 'lost', accepted] })
  expect(await ledger.stats('q')).toMatchObject({ depth: 2, leased: 2, acked: 0, enqueued: 2 })
  expect(await ledger.stats('other')).toMatchObject({ depth: 0 })
  time.now += 100
  expect(await ledger.transact([out, ack(1)])).toMatchObject({ done: false, items: [accepted, 'lost'] })
  expect(await box.take(9, 'other')).toEqual([])
})

test('the same id twice in a transaction is one message', async () => {
  box = await openBox(server, { windowMs: 1000 })
  const { ledger, named } = box
  const item = (body: string) => ({ kind: 'enqueue' as const, queue: 'q', sheet: named('id', body) })
  expect(await ledger.transact([item('x'), item('x')])).toEqual({ done: true, items: [accepted, { status: 'duplicate', state: 'ready' }] })
  expect(await ledger.transact([item('y')])).toEqual({ done: false, items: [{ status: 'refused', why: 'id-conflict' }] })
})

test('a numbered producer brings each sequence once, whatever their order', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  const { epoch, sequence } = await ledger.produce('erp')
  expect(sequence).toBe(0)
  const send = (...sequences: number[]) =>
    ledger.enqueueNumbered('q', { name: 'erp', epoch }, sequences.map((number) => ({ sequence: number, sheet: sheet(String(number)) })))
  const statuses = async (...sequences: number[]): Promise<string[]> =>
    (await send(...sequences)).map((result) => (result.status === 'refused' ? result.why : result.status))
  expect(await statuses(1, 3, 1024, 1025, 3)).toEqual(['accepted', 'accepted', 'accepted', 'accepted', 'duplicate'])
  expect(await statuses(1026)).toEqual(['too-far-ahead'])
  expect(await statuses(1, 2, 2, 1024, 1027)).toEqual(['duplicate', 'accepted', 'duplicate', 'duplicate', 'accepted'])
  expect(await box.take()).toEqual(['1', '3', '1024', '1025', '2', '1027'])
})

test('opening a producer again fences who had it, and tells where to go on', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  const first = await ledger.produce('erp')
  await ledger.enqueueNumbered('q', { name: 'erp', epoch: first.epoch }, [1, 2, 4].map((sequence) => ({ sequence, sheet: sheet('m') })))
  const second = await ledger.produce('erp')
  expect(second.sequence).toBe(2)
  const again = [{ sequence: 3, sheet: sheet('m') }]
  expect(await ledger.enqueueNumbered('q', { name: 'erp', epoch: first.epoch }, again)).toEqual([{ status: 'refused', why: 'fenced' }])
  expect(await ledger.enqueueNumbered('q', { name: 'erp', epoch: second.epoch }, again)).toEqual([accepted])
  expect((await ledger.produce('erp')).sequence).toBe(4)
})
