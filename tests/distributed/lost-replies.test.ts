/** What becomes of a request whose reply is lost: it is done once. */

import { connect, RedisLedger, transportOf } from '../../npm/ackbox/dist/ledger/redis/index.js'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { SCRIPTS } from '../../npm/ackbox/dist/ledger/redis/scripts.gen.js'
import { openBox, type TestBox } from './support/box.ts'
import { type Proxy, startProxy } from './support/proxy.ts'
import { type RedisServer, startRedis } from './support/redis-server.ts'

let server: RedisServer
let proxy: Proxy
let box: TestBox
let ledger: RedisLedger
beforeAll(async () => {
  server = await startRedis()
})
beforeEach(async () => {
  proxy = await startProxy(server.port)
  box = await openBox(server, { windowMs: 1000 })
  ledger = await RedisLedger.open(await connect(proxy.url), { prefix: box.prefix, now: () => box.time.now, replyTimeoutMs: 300 })
})
afterEach(async () => {
  await ledger.close()
  await box.close()
  await proxy.close()
})
afterAll(() => server.remove())

test('an enqueue is accepted once and told as accepted', async () => {
  const message = box.named('id', 'm')
  proxy.dropNextReply()
  expect(await ledger.enqueue('q', [message, box.sheet('n')])).toEqual([
    { status: 'accepted', state: 'ready' },
    { status: 'accepted', state: 'ready' },
  ])
  expect(proxy.dropped).toBe(1)
  expect(await ledger.stats('q')).toMatchObject({ depth: 2, enqueued: 2 })
  expect((await ledger.stats('q')).duplicates ?? 0).toBe(0)
})

test('a claim gives what it leased, at no cost of attempts', async () => {
  await ledger.enqueue('q', [box.sheet('a'), box.sheet('b', { priority: 2 }), box.sheet('c')])
  proxy.dropNextReply()
  const { messages } = await ledger.claim('q', { max: 2, leaseMs: 1000 })
  expect(proxy.dropped).toBe(1)
  expect(messages.map((message) => [message.body.toString(), message.attempt])).toEqual([['b', 1], ['a', 1]])
  expect(await ledger.stats('q')).toMatchObject({ delivered: 2, leased: 2 })
  expect(await ledger.settle('q', { kind: 'completed', key: messages[0]!.key, token: messages[0]!.token })).toBe('settled')
})

test('a claim at most once gives what it took, though nothing of it is left on the server', async () => {
  await ledger.enqueue('q', [box.sheet('a')])
  proxy.dropNextReply()
  const { messages } = await ledger.claim('q', { max: 2, leaseMs: 1000, atMostOnce: true })
  expect(proxy.dropped).toBe(1)
  expect(messages.map((message) => message.body.toString())).toEqual(['a'])
})

test('a settlement and a transaction are told as done', async () => {
  await ledger.enqueue('q', [box.sheet('a'), box.sheet('b')])
  const { messages } = await ledger.claim('q', { max: 2, leaseMs: 1000 })
  const acks = messages.map(({ key, token }) => ({ kind: 'completed' as const, key, token }))
  proxy.dropNextReply()
  expect(await ledger.settle('q', acks[0]!)).toBe('settled')
  proxy.dropNextReply()
  const { done } = await ledger.transact([
    { kind: 'settle', queue: 'q', settlement: acks[1]! },
    { kind: 'enqueue', queue: 'q', sheet: box.sheet('c') },
  ])
  expect([done, proxy.dropped]).toEqual([true, 2])
  expect(await ledger.stats('q')).toMatchObject({ depth: 1, acked: 2, enqueued: 3 })
})

test('a producer is opened once', async () => {
  proxy.dropNextReply()
  expect(await ledger.produce('erp')).toEqual({ epoch: 1, sequence: 0 })
  expect((await ledger.produce('erp')).epoch).toBe(2)
})

test('all that is under way when the connection ends is done once', async () => {
  const rounds = 20
  const sent: Promise<unknown>[] = []
  for (let round = 0; round < rounds; round++) {
    sent.push(ledger.enqueue('q', [box.sheet(`${round}`)]))
    await new Promise((resolve) => setImmediate(resolve))
    if (round % 5 === 2) proxy.cut()
  }
  await Promise.all(sent)
  expect(await ledger.stats('q')).toMatchObject({ depth: rounds, enqueued: rounds })
})

test('a black hole ends with the connection that leads into it', async () => {
  const hasty = await RedisLedger.open(await connect(proxy.url), { prefix: box.prefix, now: () => box.time.now, replyTimeoutMs: 50 })
  proxy.swallow(true)
  let waiting = 0
  const enqueued = hasty.enqueue('q', [box.sheet('m')])
  while (hasty.waitingSince === undefined) {
    waiting++
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(waiting).toBeGreaterThan(0)
  proxy.swallow(false)
  expect(await enqueued).toEqual([{ status: 'accepted', state: 'ready' }])
  expect(hasty.waitingSince).toBeUndefined()
  expect(await hasty.stats('q')).toMatchObject({ depth: 1 })
  await hasty.close()
})

test('a copy that comes late, behind the answer to the second, does nothing', async () => {
  await ledger.enqueue('q', [box.sheet('a')])
  // As the ledger asks: process, number, time; then n, lease, bytes, mode.
  const raw = (number: string, max: string): Promise<unknown> =>
    server.admin.callBuffer('EVAL', SCRIPTS.claim, '2', `{${box.prefix}}:box`, `{${box.prefix}}:q:q`, 'late-process', number, String(box.time.now), max, '1000', '99', '0')
  const first = (await raw('7r', '0')) as Buffer[]
  expect(first).toHaveLength(2)
  expect((await raw('7', '1')) as Buffer[]).toHaveLength(2)
  expect((await raw('8', '1')) as Buffer[]).toHaveLength(5)
  await expect(raw('72r', '1').then(() => raw('8', '1'))).rejects.toThrow('ACKBOX_STALE')
})

test('scripts that the server forgot are loaded again', async () => {
  await server.admin.script('FLUSH')
  expect(await ledger.enqueue('q', [box.sheet('a')])).toEqual([{ status: 'accepted', state: 'ready' }])
  expect(await box.take()).toEqual(['a'])
})

test('clients that users made work too: ioredis, with its own resending, and node-redis', async () => {
  const port = Number(new URL(proxy.url).port)
  const ioredis = new Redis(port, { maxRetriesPerRequest: null })
  const node = createClient({ url: proxy.url })
  await node.connect()
  for (const client of [ioredis, node]) {
    const other = await RedisLedger.open(transportOf(client as never), { prefix: box.prefix, now: () => box.time.now })
    const woken = new Promise<string>((resolve) => void other.onWake((wake) => resolve(wake.kind)).then(() => other.claim('q', { max: 9, leaseMs: 9, wait: true })).then(() => {
      proxy.dropReplyTo('EVALSHA')
      return other.enqueue('q', [box.sheet('from a client')])
    }))
    expect(await woken).toBe('work')
    const { messages } = await other.claim('q', { max: 9, leaseMs: 1000 })
    expect(messages.map((message) => message.body.toString())).toEqual(['from a client'])
    await other.settle('q', { kind: 'completed', key: messages[0]!.key, token: messages[0]!.token })
    await other.close()
  }
  expect(await ledger.stats('q')).toMatchObject({ depth: 0, enqueued: 2, acked: 2 })
  ioredis.disconnect()
  node.destroy()
})
