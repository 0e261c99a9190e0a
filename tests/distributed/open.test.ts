/** Opening a box on Redis: what the server promises, what is refused, what is waited for. */

import { AckboxError } from 'ackbox'
import { connect, RedisLedger, transportOf, whatCouldBeLost } from '../../npm/ackbox/dist/ledger/redis/index.js'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'

import { openBox } from './support/box.ts'
import { freePort, type RedisServer, startRedis } from './support/redis-server.ts'

let server: RedisServer
const ends: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  server = await startRedis()
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(() => server.remove())

async function another(settings: Record<string, string>): Promise<RedisServer> {
  const started = await startRedis(settings)
  ends.push(() => started.remove())
  return started
}

async function open(url: string, options = {}): Promise<RedisLedger> {
  const transport = await connect(url)
  ends.push(() => transport.close())
  return RedisLedger.open(transport, { prefix: 'open', ...options })
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => undefined, (reason: unknown) => reason)
  return AckboxError.is(error) ? `${error.code}: ${error.message}` : `no AckboxError: ${String(error)}`
}

test('a server tells what it keeps, and what could be lost is said', async () => {
  const ledger = await open(server.url)
  expect(ledger.facts).toMatchObject({ role: 'master', appendonly: false, appendfsync: 'everysec', maxmemoryPolicy: 'noeviction' })
  expect(whatCouldBeLost(ledger.facts)).toEqual([expect.stringContaining('appendonly is no')])
  const evicting = await another({ appendonly: 'yes', 'maxmemory-policy': 'allkeys-lru' })
  expect(whatCouldBeLost((await open(evicting.url)).facts)).toEqual([
    expect.stringContaining('appendfsync is everysec'),
    expect.stringContaining('maxmemory-policy is allkeys-lru'),
  ])
})

test('requireDurable refuses a server that could lose something, and only that', async () => {
  expect(await codeOf(open(server.url, { requireDurable: true }))).toMatch(/^ERR_UNAVAILABLE: requireDurable: .*appendonly is no/)
  const durable = await another({ appendonly: 'yes', appendfsync: 'always' })
  const ledger = await open(durable.url, { requireDurable: true })
  expect(whatCouldBeLost(ledger.facts)).toEqual([])
})

test('a box of a newer format is left alone, at open and afterwards', async () => {
  const box = await openBox(server)
  ends.push(() => box.close())
  await server.admin.hset(`{${box.prefix}}:box`, 'format', 2)
  expect(await codeOf(box.another())).toMatch(/^ERR_NEWER_FORMAT: .*expected format 1 at most, found 2/)
  expect(await codeOf(box.ledger.enqueue('q', [box.sheet('m')]))).toMatch(/^ERR_NEWER_FORMAT/)
  expect(await codeOf(box.ledger.claim('q', { max: 1, leaseMs: 1 }))).toMatch(/^ERR_NEWER_FORMAT/)
})

test('a URL that is none, a client that is none, a prefix that would leave its slot', async () => {
  expect(await codeOf(open('http://localhost'))).toMatch(/^ERR_INVALID_OPTION: redis\(url\): expected redis:/)
  expect(await codeOf(open('localhost:6379'))).toMatch(/^ERR_INVALID_OPTION/)
  expect(() => transportOf({} as never)).toThrow(/expected a client of ioredis/)
  expect(await codeOf(open(server.url, { prefix: 'a}b' }))).toMatch(/^ERR_INVALID_OPTION: prefix/)
})

test('a wrong password, and none where one is asked for', async () => {
  const locked = await another({ requirepass: 'secret' })
  expect(await codeOf(open(locked.url))).toMatch(/^ERR_INVALID_OPTION: Redis refuses these credentials/)
  expect(await codeOf(open(locked.url.replace('//', '//:wrong@')))).toMatch(/^ERR_INVALID_OPTION: Redis refuses these credentials/)
  await open(locked.url.replace('//', '//:secret@'))
})

test('a replica that only reads is refused', async () => {
  const replica = await another({ replicaof: `127.0.0.1 ${server.port}` })
  expect(await codeOf(open(replica.url))).toMatch(/^ERR_UNAVAILABLE: expected a Redis that takes writes/)
})

test('a key of somebody else under the prefix is refused before anything is written', async () => {
  const box = await openBox(server)
  ends.push(() => box.close())
  await server.admin.set(`{${box.prefix}}:w:mine`, 'text')
  expect(await codeOf(box.ledger.define('mine'))).toMatch(/^ERR_INVALID_OPTION: .*expected .*:w:mine to be a list, found a string/)
  expect(await server.admin.exists(`{${box.prefix}}:q:mine`)).toBe(0)
})

test('with its memory full the server refuses messages cleanly, and what is there can be worked on', async () => {
  const small = await another({ 'maxmemory-policy': 'noeviction' })
  const box = await openBox(small)
  ends.push(() => box.close())
  await box.ledger.enqueue('q', Array.from({ length: 20 }, (_, n) => box.sheet(`${n}`.padEnd(1000), { ...(n % 2 ? { priority: 1 } : {}), ...(n % 5 ? {} : { group: 'g' }) })))
  await small.admin.config('SET', 'maxmemory', '1')
  expect(await codeOf(box.ledger.enqueue('q', [box.sheet('m')]))).toMatch(/^ERR_STORAGE_FULL/)
  expect(await box.ledger.stats('q')).toMatchObject({ depth: 20, enqueued: 20 })
  const [first, second] = (await box.ledger.claim('q', { max: 2, leaseMs: 1000 })).messages
  expect(await box.ledger.extend('q', { key: first!.key, token: first!.token, ms: 5000 })).toBe('extended')
  expect(await box.ledger.settle('q', { kind: 'again', key: first!.key, token: first!.token })).toBe('settled')
  expect(await box.ledger.settle('q', { kind: 'dead', reason: 'permanent', key: second!.key, token: second!.token, error: Buffer.from('why') })).toBe('settled')
  expect(await codeOf(box.ledger.pause('q', true))).toMatch(/^ERR_STORAGE_FULL/)
  expect(await box.ledger.redrive('q', [second!.key])).toEqual([true])
  const done: number[] = []
  for (;;) {
    const { messages } = await box.ledger.claim('q', { max: 3, leaseMs: 1000 })
    if (messages.length === 0) break
    const settled = await Promise.all(messages.map(({ key, token }) => box.ledger.settle('q', { kind: 'completed', key, token })))
    expect(new Set(settled)).toEqual(new Set(['settled']))
    done.push(messages.length)
  }
  expect(done.reduce((sum, count) => sum + count, 0)).toBe(20)
  await small.admin.config('SET', 'maxmemory', '0')
  expect(await box.ledger.enqueue('q', [box.sheet('m')])).toEqual([{ status: 'accepted', state: 'ready' }])
})

test('a server that is not there is waited for, and says so', async () => {
  const port = await freePort()
  let told: (since: number | undefined) => void = () => {}
  const waits = new Promise<number | undefined>((resolve) => (told = resolve))
  const opened = open(`redis://127.0.0.1:${port}`, { onWaiting: (since: number | undefined) => told(since) })
  expect(await waits).toBeTypeOf('number')
  const late = await another({ port: String(port) })
  expect((await opened).facts.role).toBe('master')
  expect(late.port).toBe(port)
})

test('what was accepted with appendfsync always is there when the server was killed, and work goes on by itself', async () => {
  const durable = await another({ appendonly: 'yes', appendfsync: 'always' })
  const box = await openBox(durable)
  ends.push(() => box.close())
  await box.ledger.enqueue('q', [box.sheet('a'), box.sheet('b')])
  const { messages } = await box.ledger.claim('q', { max: 1, leaseMs: 1000 })
  await durable.kill()
  const late = box.ledger.enqueue('q', [box.sheet('c')])
  await durable.start()
  expect(await late).toEqual([{ status: 'accepted', state: 'ready' }])
  expect(await box.ledger.settle('q', { kind: 'completed', key: messages[0]!.key, token: messages[0]!.token })).toBe('settled')
  expect(await box.take()).toEqual(['b', 'c'])
})
