/** Accepting messages on Redis: all or nothing, identity, limits. */

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

test('the same id again is a duplicate, in the state of the original', async () => {
  box = await openBox(server, { windowMs: 1000 })
  const { ledger, named, sheet } = box
  expect(await ledger.enqueue('q', [named('a', 'x'), named('a', 'x'), named('b', 'x', { delayMs: 5 })])).toEqual([
    accepted,
    { status: 'duplicate', state: 'ready' },
    { status: 'accepted', state: 'scheduled' },
  ])
  expect(await ledger.enqueue('q', [named('b', 'x')])).toEqual([{ status: 'duplicate', state: 'scheduled' }])
  const claim = await ledger.claim('q', { max: 1, leaseMs: 100 })
  expect(await ledger.enqueue('q', [named('a', 'x')])).toEqual([{ status: 'duplicate', state: 'leased' }])
  await ledger.settle('q', { kind: 'dead', reason: 'permanent', key: claim.messages[0]!.key, token: claim.messages[0]!.token })
  expect(await ledger.enqueue('q', [named('a', 'x'), sheet('other')])).toEqual([{ status: 'duplicate', state: 'dead' }, accepted])
})

test('an id is taken through the window after its message finished, and no longer', async () => {
  box = await openBox(server, { windowMs: 1000 })
  const { ledger, named, time } = box
  await ledger.enqueue('q', [named('a', 'x')])
  const [message] = (await ledger.claim('q', { max: 1, leaseMs: 100 })).messages
  await ledger.settle('q', { kind: 'completed', key: message!.key, token: message!.token, result: Buffer.from('7') })
  time.now += 999
  expect(await ledger.enqueue('q', [named('a', 'x')])).toEqual([{ status: 'duplicate', state: 'completed' }])
  time.now += 1
  expect(await ledger.enqueue('q', [named('a', 'x')])).toEqual([accepted])
})

test('the same id with another body is a conflict, and what came with it in one unit is refused', async () => {
  box = await openBox(server, { windowMs: 1000 })
  const { ledger, named, sheet, take } = box
  await ledger.enqueue('q', [named('a', 'x')])
  expect(await ledger.enqueue('q', [sheet('1'), named('a', 'y'), sheet('2')])).toEqual([
    { status: 'refused', why: 'unit-refused' },
    { status: 'refused', why: 'id-conflict' },
    { status: 'refused', why: 'unit-refused' },
  ])
  expect(await take()).toEqual(['x'])
})

test('units of one turn do not depend on each other', async () => {
  box = await openBox(server, { maxDepth: 3 })
  const { ledger, sheet, take } = box
  const results = await Promise.all([
    ledger.enqueue('q', [sheet('a'), sheet('b')]),
    ledger.enqueue('q', [sheet('c'), sheet('d')]),
    ledger.enqueue('q', [sheet('e')]),
  ])
  expect(results.map((unit) => unit.map((item) => (item.status === 'refused' ? item.why : item.status)))).toEqual([
    ['accepted', 'accepted'],
    ['unit-refused', 'queue-full'],
    ['accepted'],
  ])
  expect(await take()).toEqual(['a', 'b', 'e'])
})

test('a queue is full by its bytes too, and has room when something is done', async () => {
  box = await openBox(server, { maxBytes: 40 })
  const { ledger, sheet } = box
  const body = 'x'.repeat(30)
  expect(await ledger.enqueue('q', [sheet(body)])).toEqual([accepted])
  expect(await ledger.enqueue('q', [sheet(body)])).toEqual([{ status: 'refused', why: 'queue-full' }])
  const [message] = (await ledger.claim('q', { max: 1, leaseMs: 100 })).messages
  await ledger.settle('q', { kind: 'completed', key: message!.key, token: message!.token })
  expect(await ledger.enqueue('q', [sheet(body)])).toEqual([accepted])
})

test('with no room for ids an enqueue is refused, or the earliest that ended is forgotten', async () => {
  box = await openBox(server, { windowMs: 10_000, dedupMax: 2 })
  const { ledger, named, sheet } = box
  const finish = async (): Promise<void> => {
    for (const message of (await ledger.claim('q', { max: 9, leaseMs: 100 })).messages) {
      await ledger.settle('q', { kind: 'completed', key: message.key, token: message.token })
    }
  }
  await ledger.enqueue('q', [named('a', 'x')])
  await finish()
  await ledger.enqueue('q', [named('b', 'x')])
  await finish()
  expect(await ledger.enqueue('q', [named('c', 'x')])).toEqual([{ status: 'refused', why: 'dedup-full' }])
  expect(await ledger.enqueue('q', [sheet('without an id')])).toEqual([accepted])
  await ledger.define('q', { dedupShortens: 1 })
  expect(await ledger.enqueue('q', [named('c', 'x')])).toEqual([accepted])
  expect((await ledger.stats('q')).shortened).toBeGreaterThan(0)
})

test('a unit may be as large as ten thousand items', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  const results = await ledger.enqueue('q', Array.from({ length: 10_000 }, (_, at) => sheet(String(at))))
  expect(new Set(results.map((result) => result.status))).toEqual(new Set(['accepted']))
  expect((await ledger.stats('q')).ready).toBe(10_000)
  expect(await box.take(3)).toEqual(['0', '1', '2'])
})

test('all that a message has comes back with it', async () => {
  box = await openBox(server)
  const { ledger, named, time } = box
  const all = { priority: 7, maxAttempts: 3, at: time.now - 5, ttlMs: 50, group: 'göttingen', destination: 'https://a', headers: '{"a":"b"}' }
  await ledger.enqueue('q', [named('an-id', 'body', all)])
  const [message] = (await ledger.claim('q', { max: 1, leaseMs: 100 })).messages
  const { ttlMs: _, at: dueAt, ...same } = all
  expect(message).toMatchObject({ ...same, id: 'an-id', dueAt, expiresAt: time.now + 50, enqueuedAt: time.now, order: 1, attempt: 1 })
  expect(message!.body.toString()).toBe('body')
})

test('generated ids sort as they were made and tell their key', async () => {
  box = await openBox(server)
  const { keys } = box.ledger
  const made = Array.from({ length: 50 }, () => keys.generate(1_700_000_000_000))
  const ids = made.map((key) => keys.idOf(key, 'q'))
  expect([...ids].sort()).toEqual(ids)
  for (const [at, id] of ids.entries()) expect(keys.keyOf(id, 'q')).toEqual({ key: made[at], generated: true })
  expect(keys.keyOf(ids[0]!, 'another queue').generated).toBe(false)
})
