/** Settling on Redis: fencing, retries, what is remembered, what a lease is. */

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

async function one(leaseMs = 1000): Promise<{ key: Buffer; token: number; attempt: number }> {
  const [message] = (await box.ledger.claim('q', { max: 1, leaseMs })).messages
  return message!
}

test('a delivery is settled once', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  await ledger.enqueue('q', [sheet('m')])
  const { key, token } = await one()
  const ack = { kind: 'completed', key, token } as const
  expect(await Promise.all([ledger.settle('q', ack), ledger.settle('q', ack)])).toEqual(['settled', 'lost'])
  expect(await ledger.settle('q', ack)).toBe('lost')
  expect(await ledger.stats('q')).toMatchObject({ depth: 0, bytes: 0, acked: 1, leased: 0 })
})

test('who lost the lease settles nothing, nor does another process with its token', async () => {
  box = await openBox(server)
  const { ledger, sheet, time } = box
  const other = await box.another()
  await ledger.enqueue('q', [sheet('m')])
  const { key, token } = await one(100)
  expect(await other.settle('q', { kind: 'completed', key, token })).toBe('lost')
  time.now += 100
  expect(await ledger.settle('q', { kind: 'completed', key, token })).toBe('lost')
  const [second] = (await other.claim('q', { max: 1, leaseMs: 100 })).messages
  expect(await ledger.settle('q', { kind: 'again', key, token })).toBe('lost')
  expect(await ledger.extend('q', { key, token, ms: 1000 })).toBe('lost')
  expect(await other.settle('q', { kind: 'completed', key, token: second!.token })).toBe('settled')
})

test('an extended lease lasts so long from then', async () => {
  box = await openBox(server)
  const { ledger, sheet, time } = box
  await ledger.enqueue('q', [sheet('m')])
  const { key, token } = await one(100)
  time.now += 90
  expect(await ledger.extend('q', { key, token, ms: 100 })).toBe('extended')
  time.now += 99
  expect(await box.take()).toEqual([])
  time.now += 1
  expect(await ledger.extend('q', { key, token, ms: 100 })).toBe('lost')
  expect(await box.take()).toEqual(['m'])
})

test('tokens go up over deliveries, even if the time of the server goes back', async () => {
  box = await openBox(server)
  const { ledger, sheet, time } = box
  await ledger.enqueue('q', [sheet('m')])
  const tokens: number[] = []
  for (const jump of [0, -5000, 3000]) {
    time.now += jump
    const { key, token } = await one()
    tokens.push(token)
    await ledger.settle('q', { kind: 'again', key, token })
  }
  expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b))
})

test('attempts count by start, but for those that were given back or cost none', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  await ledger.enqueue('q', [sheet('m')])
  const attempts: number[] = []
  for (const settlement of [{ kind: 'again' }, { kind: 'returned' }, { kind: 'again', costsAttempt: false }, { kind: 'again' }] as const) {
    const { key, token, attempt } = await one()
    attempts.push(attempt)
    await ledger.settle('q', { ...settlement, key, token })
  }
  attempts.push((await one()).attempt)
  expect(attempts).toEqual([1, 2, 2, 2, 3])
})

test('the history keeps the last 32 attempts with their errors', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  const message = sheet('m')
  await ledger.enqueue('q', [message])
  for (let n = 1; n <= 34; n++) {
    const { key, token } = await one()
    await ledger.settle('q', { kind: 'again', key, token, reason: 'timeout', error: Buffer.from(`error ${n}`) })
  }
  const [found] = await ledger.inspect('q', [message.key], { history: true })
  expect(found!.history).toHaveLength(32)
  expect(found!.history![0]).toMatchObject({ attempt: 3, reason: 'timeout', error: 'error 3' })
  expect(found!.history![31]).toMatchObject({ attempt: 34, error: 'error 34' })
})

test('the result of a message is there through its window, and for who waits for one without an id', async () => {
  box = await openBox(server, { windowMs: 1000 })
  const { ledger, named, sheet } = box
  const [own, generated] = [named('id', 'x'), sheet('y')]
  await ledger.enqueue('q', [own, generated])
  expect(await ledger.watch('q', [own.key, generated.key])).toEqual([false, false])
  const told: string[] = []
  const both = new Promise<void>((resolve) => {
    void ledger.onWake((wake) => {
      if (wake.kind === 'end' && told.push(wake.key.toString('hex')) === 2) resolve()
    }).then(async () => {
      for (const message of (await ledger.claim('q', { max: 2, leaseMs: 1000 })).messages) {
        await ledger.settle('q', { kind: 'completed', key: message.key, token: message.token, result: message.body })
      }
    })
  })
  await both
  expect(told).toEqual([own.key.toString('hex'), generated.key.toString('hex')])
  const ends = await ledger.inspect('q', [own.key, generated.key])
  expect(ends.map((found) => [found!.state, found!.end!.attempt, found!.end!.result.toString()])).toEqual([
    ['completed', 1, 'x'],
    ['completed', 1, 'y'],
  ])
  expect(await ledger.watch('q', [own.key])).toEqual([true])
})

test('a step is recorded once, survives retry and redrive, and goes with its message', async () => {
  box = await openBox(server)
  const { ledger, sheet } = box
  const message = sheet('m')
  await ledger.enqueue('q', [message])
  const first = await one()
  expect(await ledger.record('q', first, 'charge', Buffer.from('1'))).toEqual({ status: 'recorded' })
  expect(await ledger.record('q', first, 'charge', Buffer.from('2'))).toEqual({ status: 'known', result: Buffer.from('1') })
  expect(await ledger.record('q', first, 'other', Buffer.from('2'), 1)).toEqual({ status: 'full' })
  await ledger.settle('q', { kind: 'again', key: message.key, token: first.token })
  const second = await one()
  expect(second).toMatchObject({ hasSteps: true, attempt: 2 })
  expect(await ledger.record('q', first, 'late', Buffer.from('x'))).toEqual({ status: 'lost' })
  await ledger.settle('q', { kind: 'dead', reason: 'permanent', key: message.key, token: second.token })
  await ledger.redrive('q', [message.key])
  const third = await one()
  expect(third).toMatchObject({ hasSteps: true, attempt: 1 })
  expect(await ledger.recall('q', message.key)).toEqual(new Map([['charge', Buffer.from('1')]]))
  await ledger.settle('q', { kind: 'completed', key: message.key, token: third.token })
  expect(await server.admin.keys(`{${box.prefix}}:s:*`)).toEqual([])
})

test('a waiting worker is woken, once, and by what is due sooner than it thinks', async () => {
  box = await openBox(server)
  const { ledger, sheet, time } = box
  const other = await box.another()
  const told: string[] = []
  await other.onWake((wake) => told.push(wake.kind))
  const count = async (): Promise<number> => {
    // What was published before a circuit's hint has come when the hint has.
    const hints = told.filter((kind) => kind === 'circuit').length
    await ledger.park('q', 'nobody', 0)
    while (told.filter((kind) => kind === 'circuit').length === hints) await new Promise((resolve) => setImmediate(resolve))
    return told.filter((kind) => kind === 'work').length
  }
  await ledger.enqueue('q', [sheet('nobody waits')])
  expect(await count()).toBe(0)
  await box.take()
  await ledger.enqueue('q', [sheet('due', { delayMs: 1000 })])
  await other.claim('q', { max: 1, leaseMs: 100, wait: true })
  await ledger.enqueue('q', [sheet('later', { delayMs: 2000 })])
  expect(await count()).toBe(0)
  await ledger.enqueue('q', [sheet('sooner', { delayMs: 500 })])
  expect(await count()).toBe(1)
  await ledger.enqueue('q', [sheet('sooner still', { delayMs: 100 })])
  expect(await count()).toBe(1)
  expect(await other.claim('q', { max: 1, leaseMs: 100, wait: true })).toMatchObject({ moreAt: time.now + 100 })
  await Promise.all([ledger.enqueue('q', [sheet('now')]), ledger.enqueue('q', [sheet('now')])])
  expect(await count()).toBe(2)
})
