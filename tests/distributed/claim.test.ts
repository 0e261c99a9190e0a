/** Claiming on Redis: order, groups, time, leases, rates, pauses, parked destinations. */

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

test('higher priorities come first, and equal ones in the order of acceptance, over retries', async () => {
  box = await openBox(server)
  const { ledger, sheet, take } = box
  await ledger.enqueue('q', [sheet('a'), sheet('b', { priority: 1 }), sheet('c'), sheet('d', { priority: 255 }), sheet('e', { priority: 1 })])
  const { messages } = await ledger.claim('q', { max: 4, leaseMs: 100 })
  expect(messages.map((message) => message.body.toString())).toEqual(['d', 'b', 'e', 'a'])
  await Promise.all(messages.map(({ key, token }) => ledger.settle('q', { kind: 'again', key, token })))
  expect(await take()).toEqual(['d', 'b', 'e', 'a', 'c'])
})

test('what came back stands where it stood among what never left', async () => {
  box = await openBox(server)
  const { ledger, sheet, take } = box
  await ledger.enqueue('q', ['a', 'b', 'c', 'd'].map((body) => sheet(body)))
  const { messages } = await ledger.claim('q', { max: 2, leaseMs: 100 })
  await ledger.settle('q', { kind: 'again', key: messages[1]!.key, token: messages[1]!.token })
  await ledger.enqueue('q', [sheet('e')])
  expect(await take(2)).toEqual(['b', 'c'])
  expect(await take()).toEqual(['d', 'e'])
})

test('one of a group is out at a time, in order, over retries', async () => {
  box = await openBox(server)
  const { ledger, sheet, take, time } = box
  await ledger.enqueue('q', [sheet('1', { group: 'g' }), sheet('2', { group: 'g' }), sheet('other')])
  const first = await ledger.claim('q', { max: 9, leaseMs: 1000 })
  expect(first.messages.map((message) => message.body.toString())).toEqual(['1', 'other'])
  const { key, token } = first.messages[0]!
  await ledger.settle('q', { kind: 'again', key, token, delayMs: 50 })
  expect(await take()).toEqual([])
  time.now += 50
  const again = await ledger.claim('q', { max: 9, leaseMs: 1000 })
  expect(again.messages.map((message) => [message.body.toString(), message.attempt])).toEqual([['1', 2]])
  await ledger.settle('q', { kind: 'completed', key: again.messages[0]!.key, token: again.messages[0]!.token })
  expect(await take()).toEqual(['2'])
})

test('groups take turns: a long one does not hold the others back', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  await ledger.enqueue('q', [1, 2, 3, 4].map((n) => sheet(`a${n}`, { group: 'a' })))
  await ledger.enqueue('q', [1, 2].map((n) => sheet(`b${n}`, { group: 'b' })))
  const order: string[] = []
  for (let n = 0; n < 6; n++) {
    const [message] = (await ledger.claim('q', { max: 1, leaseMs: 1000 })).messages
    order.push(message!.body.toString())
    await ledger.settle('q', { kind: 'completed', key: message!.key, token: message!.token })
  }
  expect(order).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'a4'])
})

test('a dead head lets its group go on, or holds it back until it is redriven', async () => {
  box = await openBox(server)
  const { ledger, sheet, take } = box
  const bury = async (): Promise<Buffer> => {
    const [message] = (await ledger.claim('q', { max: 1, leaseMs: 1000 })).messages
    await ledger.settle('q', { kind: 'dead', reason: 'permanent', key: message!.key, token: message!.token })
    return message!.key
  }
  await ledger.enqueue('q', ['1', '2', '3'].map((body) => sheet(body, { group: 'g' })))
  await bury()
  await ledger.define('q', { groupBlocks: 1 })
  const held = await bury()
  expect(await take()).toEqual([])
  expect(await ledger.redrive('q', [held])).toEqual([true])
  const [message] = (await ledger.claim('q', { max: 1, leaseMs: 1000 })).messages
  expect(message!.body.toString()).toBe('2')
  await ledger.settle('q', { kind: 'completed', key: message!.key, token: message!.token })
  expect(await take()).toEqual(['3'])
})

test('nothing is given before it is due, and who waits knows when that is', async () => {
  box = await openBox(server)
  const { ledger, sheet, time } = box
  await ledger.enqueue('q', [sheet('late', { delayMs: 100 }), sheet('later', { at: time.now + 200 })])
  expect(await ledger.claim('q', { max: 9, leaseMs: 1000, wait: true })).toEqual({ messages: [], paused: false, moreAt: time.now + 100 })
  time.now += 99
  expect(await box.take()).toEqual([])
  time.now += 1
  expect(await box.take()).toEqual(['late'])
  time.now += 100
  expect(await box.take()).toEqual(['later'])
})

test('no delivery starts after the time to live: the message is dead, not gone', async () => {
  box = await openBox(server)
  const { ledger, sheet, time } = box
  const message = sheet('short', { ttlMs: 10 })
  await ledger.enqueue('q', [message, sheet('long', { ttlMs: 11 })])
  time.now += 10
  expect(await box.take()).toEqual(['long'])
  const [found] = await ledger.inspect('q', [message.key])
  expect(found).toMatchObject({ state: 'dead', track: { reason: 'expired', attempts: 0 } })
})

test('a lease that runs out ends its attempt, and the last one makes a dead letter with its history', async () => {
  box = await openBox(server)
  const { ledger, sheet, time } = box
  const message = sheet('m', { maxAttempts: 2 })
  await ledger.enqueue('q', [message])
  const first = await ledger.claim('q', { max: 1, leaseMs: 100 })
  time.now += 99
  expect(await box.take()).toEqual([])
  time.now += 1
  const second = await ledger.claim('q', { max: 1, leaseMs: 100 })
  expect(second.messages[0]).toMatchObject({ attempt: 2, deaths: 1 })
  expect(second.messages[0]!.token).toBeGreaterThan(first.messages[0]!.token)
  time.now += 100
  expect(await box.take()).toEqual([])
  const [found] = await ledger.inspect('q', [message.key], { history: true })
  expect(found).toMatchObject({ state: 'dead', track: { reason: 'lease-expired', attempts: 2 } })
  expect(found!.history).toEqual([
    { at: time.now - 100, attempt: 1, reason: 'lease-expired' },
    { at: time.now, attempt: 2, reason: 'lease-expired' },
  ])
  expect(await ledger.stats('q')).toMatchObject({ leasesLost: 2, dead: 1, deadLetters: 1, leased: 0, ready: 0 })
})

test('a rate holds over all processes', async () => {
  box = await openBox(server)
  const { ledger, sheet, time } = box
  const other = await box.another()
  await ledger.enqueue('q', Array.from({ length: 20 }, (_, n) => sheet(String(n))))
  const rate = { name: 'r', limit: 4, perMs: 1000 }
  const take = async (who: typeof ledger): Promise<number> => (await who.claim('q', { max: 3, leaseMs: 99_000, rate })).messages.length
  expect([await take(ledger), await take(other), await take(ledger)]).toEqual([3, 1, 0])
  const { moreAt } = await ledger.claim('q', { max: 3, leaseMs: 99_000, rate })
  expect(moreAt).toBe(time.now + 250)
  time.now += 250
  expect([await take(other), await take(ledger)]).toEqual([1, 0])
  time.now += 10_000
  expect([await take(ledger), await take(other)]).toEqual([3, 1])
})

test('a paused queue gives nothing to anybody until it goes on', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  const other = await box.another()
  await ledger.enqueue('q', [sheet('m')])
  expect(await ledger.pause('q', true)).toBe(true)
  expect(await ledger.pause('q', true)).toBe(false)
  expect(await other.claim('q', { max: 1, leaseMs: 100 })).toMatchObject({ messages: [], paused: true })
  await other.pause('q', false)
  expect(await box.take()).toEqual(['m'])
})

test('nobody claims for a parked destination, and all of it comes back in order', async () => {
  box = await openBox(server)
  const { ledger, sheet, time, take } = box
  const messages = [sheet('a1', { destination: 'a' }), sheet('b1', { destination: 'b' }), sheet('a2', { destination: 'a' }), sheet('plain')]
  await ledger.enqueue('q', messages)
  await ledger.park('q', 'a', time.now + 100)
  await ledger.park('q', 'a', time.now + 50)
  const claim = await ledger.claim('q', { max: 9, leaseMs: 1000, wait: true })
  expect(claim.messages.map((message) => message.body.toString())).toEqual(['b1', 'plain'])
  time.now += 99
  await ledger.enqueue('q', [sheet('a3', { destination: 'a' })])
  expect(await take()).toEqual([])
  time.now += 1
  expect(await take()).toEqual(['a1', 'a2', 'a3'])
})

test('a destination that is well again comes back at once', async () => {
  box = await openBox(server)
  const { ledger, sheet, time, take } = box
  await ledger.enqueue('q', [1, 2, 3].map((n) => sheet(`a${n}`, { destination: 'a' })))
  await ledger.park('q', 'a', time.now + 1_000_000)
  expect(await take()).toEqual([])
  expect(await ledger.park('q', 'a', 0, 2)).toBe(false)
  expect(await ledger.park('q', 'a', 0, 2)).toBe(true)
  expect(await take()).toEqual(['a1', 'a2', 'a3'])
})

test('at most once, a message is settled before anybody has it, and its group waits all the same', async () => {
  box = await openBox(server, { windowMs: 1000 })
  const { ledger, named, sheet, time } = box
  await ledger.enqueue('q', [named('id', 'plain'), sheet('1', { group: 'g' }), sheet('2', { group: 'g' })])
  const request = { max: 9, leaseMs: 100, atMostOnce: true }
  const { messages } = await ledger.claim('q', request)
  expect(messages.map((message) => message.body.toString())).toEqual(['plain', '1'])
  expect(await ledger.enqueue('q', [named('id', 'plain')])).toEqual([{ status: 'duplicate', state: 'completed' }])
  expect((await ledger.claim('q', request)).messages).toEqual([])
  expect(await ledger.settle('q', { kind: 'completed', key: messages[1]!.key, token: messages[1]!.token })).toBe('settled')
  expect((await ledger.claim('q', request)).messages.map((message) => message.body.toString())).toEqual(['2'])
  expect(await ledger.stats('q')).toMatchObject({ depth: 0, bytes: 0 })
  await ledger.enqueue('q', [sheet('3', { group: 'g' })])
  time.now += 100
  expect((await ledger.claim('q', request)).messages.map((message) => message.body.toString())).toEqual(['3'])
})

test('a claim stays within its bytes, but always gives one', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  await ledger.enqueue('q', [sheet('x'.repeat(500)), sheet('y'.repeat(500)), sheet('z')])
  const sizes = async (maxBytes: number): Promise<string[]> =>
    (await ledger.claim('q', { max: 9, leaseMs: 1000, maxBytes })).messages.map((message) => message.body.toString()[0]!)
  expect(await sizes(100)).toEqual(['x'])
  expect(await sizes(2000)).toEqual(['y', 'z'])
})
