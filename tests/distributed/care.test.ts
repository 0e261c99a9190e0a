/** Looking after queues: cancelling, dead letters, purging, lists, counters. */

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

async function bury(reason: 'permanent' | 'refused' = 'permanent'): Promise<Buffer> {
  const [message] = (await box.ledger.claim('q', { max: 1, leaseMs: 1000 })).messages
  await box.ledger.settle('q', { kind: 'dead', reason, key: message!.key, token: message!.token, error: Buffer.from('why') })
  return message!.key
}

test('what is cancelled is not delivered, wherever it waits, and its id is free', async () => {
  box = await openBox(server, { windowMs: 1000 })
  const { ledger, named } = box
  const messages = [
    named('plain', 'x'),
    named('ranked', 'x', { priority: 3 }),
    named('late', 'x', { delayMs: 10 }),
    named('head', 'x', { group: 'g' }),
    named('behind', 'x', { group: 'g' }),
    named('last', 'last', { group: 'g' }),
  ]
  await ledger.enqueue('q', messages)
  const keys = messages.slice(0, 5).map((message) => message.key)
  expect(await ledger.withdraw('q', 'cancel', keys)).toEqual([true, true, true, true, true])
  expect(await ledger.withdraw('q', 'cancel', keys)).toEqual([false, false, false, false, false])
  box.time.now += 10
  expect(await box.take()).toEqual(['last'])
  expect(await ledger.stats('q')).toMatchObject({ depth: 1, leased: 1, ready: 0, scheduled: 0 })
  expect(await ledger.enqueue('q', [named('plain', 'another body')])).toEqual([{ status: 'accepted', state: 'ready' }])
})

test('an id that is free and taken again is one message, at its new place', async () => {
  box = await openBox(server)
  const { ledger, named, sheet, time } = box
  const parked = { destination: 'd' }
  const of = (what: object) => [named('plain', 'old', what), named('behind', 'old', { ...what, group: 'g' })]
  await ledger.enqueue('q', [sheet('head', { group: 'g' }), ...of(parked), sheet('other', { group: 'g' })])
  const [head] = (await ledger.claim('q', { max: 1, leaseMs: 1000 })).messages
  await ledger.park('q', 'd', time.now + 10)
  expect(await box.take()).toEqual([])
  const keys = of({}).map((message) => message.key)
  for (let n = 0; n < 2; n++) {
    expect(await ledger.withdraw('q', 'cancel', keys)).toEqual([true, true])
    await ledger.enqueue('q', [sheet(`between ${n}`), ...of({})])
  }
  time.now += 10
  expect(await box.take()).toEqual(['between 0', 'between 1', 'old'])
  const order: string[] = []
  let { key, token } = head!
  for (let n = 0; n < 3; n++) {
    await ledger.settle('q', { kind: 'completed', key, token })
    const { messages } = await ledger.claim('q', { max: 9, leaseMs: 1000 })
    order.push(...messages.map((message) => message.body.toString()))
    if (messages[0] !== undefined) ({ key, token } = messages[0])
  }
  expect(order).toEqual(['other', 'old'])
})

test('who has a message that is cancelled loses its lease', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  const message = sheet('m')
  await ledger.enqueue('q', [message])
  const [claimed] = (await ledger.claim('q', { max: 1, leaseMs: 1000 })).messages
  expect(await ledger.withdraw('q', 'cancel', [message.key])).toEqual([true])
  expect(await ledger.extend('q', { key: message.key, token: claimed!.token, ms: 1000 })).toBe('lost')
  expect(await ledger.stats('q')).toMatchObject({ depth: 0, leased: 0, bytes: 0 })
})

test('what is scheduled can be made ready', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  const late = sheet('late', { delayMs: 1000 })
  await ledger.enqueue('q', [late])
  expect(await ledger.withdraw('q', 'now', [late.key])).toEqual([true])
  expect(await ledger.withdraw('q', 'now', [late.key])).toEqual([false])
  expect(await box.take()).toEqual(['late'])
})

test('dead letters are listed in the order of their deaths, with why', async () => {
  box = await openBox(server)
  const { ledger, sheet, time } = box
  await ledger.enqueue('q', [sheet('a'), sheet('b'), sheet('c')])
  const keys: Buffer[] = []
  for (let n = 0; n < 3; n++) {
    keys.push(await bury(n === 1 ? 'refused' : 'permanent'))
    time.now += 10
  }
  expect(await ledger.page('q', 'dead', { from: time.now - 20, limit: 1 })).toEqual([{ key: keys[1], at: time.now - 20 }])
  const found = await ledger.inspect('q', keys, { history: true })
  expect(found.map((one) => [one!.state, one!.track!.reason, one!.message!.body.toString()])).toEqual([
    ['dead', 'permanent', 'a'],
    ['dead', 'refused', 'b'],
    ['dead', 'permanent', 'c'],
  ])
  expect(found[0]!.history).toEqual([{ at: time.now - 30, attempt: 1, reason: 'permanent', error: 'why' }])
})

test('a redriven message has its attempts again and stands behind the others, here or elsewhere', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  await ledger.define('other')
  await ledger.enqueue('q', [sheet('a'), sheet('b'), sheet('c')])
  const [a, b] = [await bury(), await bury()]
  expect(await ledger.redrive('q', [a])).toEqual([true])
  expect(await ledger.redrive('q', [a])).toEqual([false])
  expect(await ledger.redrive('q', [b], { to: 'other' })).toEqual([true])
  const { messages } = await ledger.claim('q', { max: 9, leaseMs: 1000 })
  expect(messages.map((message) => [message.body.toString(), message.attempt])).toEqual([['c', 1], ['a', 1]])
  expect(await box.take(9, 'other')).toEqual(['b'])
  expect((await ledger.inspect('q', [a], { history: true }))[0]!.history).toBeUndefined()
  expect(await ledger.stats('q')).toMatchObject({ depth: 2, deadLetters: 0 })
  expect(await ledger.stats('other')).toMatchObject({ depth: 1 })
})

test('a dead letter is edited as it was read, or not at all', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  const before = sheet('wrong', { headers: '{}' })
  await ledger.enqueue('q', [before])
  await bury()
  const after = { ...before, body: Buffer.from('right one') }
  expect(await ledger.edit('q', after, before)).toBe('changed')
  expect(await ledger.edit('q', before, after)).toBe('edited')
  await ledger.redrive('q', [before.key])
  expect(await box.take()).toEqual(['right one'])
  expect(await ledger.edit('q', after, before)).toBe('absent')
})

test('a purge takes what waits and leaves what is leased, dead or came later', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  await ledger.enqueue('q', [sheet('leased'), sheet('dead')])
  const [leased] = (await ledger.claim('q', { max: 1, leaseMs: 1000 })).messages
  await bury()
  await ledger.enqueue('q', Array.from({ length: 500 }, (_, n) => sheet('m', n % 3 === 0 ? { delayMs: 5 } : n % 3 === 1 ? { group: `g${n % 7}` } : {})))
  expect(await ledger.purge('q', 50)).toBe(500)
  await ledger.enqueue('q', [sheet('new'), sheet('of a group', { group: 'g1' })])
  box.time.now += 5
  expect(await box.take()).toEqual(['new', 'of a group'])
  expect(await ledger.settle('q', { kind: 'completed', key: leased!.key, token: leased!.token })).toBe('settled')
  expect(await ledger.stats('q')).toMatchObject({ depth: 3, deadLetters: 1 })
})

test('nothing is left of what is done', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  await ledger.enqueue('q', Array.from({ length: 60 }, (_, n) => sheet('m', { priority: n % 2, ...(n % 3 === 0 ? { group: `g${n % 4}` } : {}) })))
  for (;;) {
    const { messages } = await ledger.claim('q', { max: 10, leaseMs: 1000 })
    if (messages.length === 0) break
    await Promise.all(messages.map(({ key, token }) => ledger.settle('q', { kind: 'completed', key, token })))
  }
  const keys = (await server.admin.keys(`{${box.prefix}}:*`)).filter((key) => !key.includes(':a:'))
  expect(keys.sort()).toEqual([`{${box.prefix}}:box`, `{${box.prefix}}:q:q`, `{${box.prefix}}:queues`])
  expect(await ledger.stats('q')).toMatchObject({ depth: 0, bytes: 0, enqueued: 60, delivered: 60, acked: 60 })
})
