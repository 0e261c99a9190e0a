/** Keys of a box lie in one slot, and the packed scripts are those that people read. */

import { readFile } from 'node:fs/promises'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { slotOf } from '../../npm/ackbox/dist/ledger/redis/keys.js'
import { generated } from '../../npm/ackbox/scripts/inline-lua.mjs'
import { openBox } from './support/box.ts'
import { type RedisServer, startRedis } from './support/redis-server.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis({ 'cluster-enabled': 'yes' })
  // One node that has every slot: it refuses whatever touches two of them.
  const slots = Array.from({ length: 16384 }, (_, slot) => slot)
  await server.admin.cluster('ADDSLOTS', slots as never)
  while (!String(await server.admin.cluster('INFO')).includes('cluster_state:ok')) await new Promise((resolve) => setImmediate(resolve))
})
afterAll(() => server.remove())

test('a node of a cluster takes every transition, and all keys of a box share a slot', async () => {
  const box = await openBox(server, { windowMs: 1000 })
  const { ledger, named, sheet, time } = box
  await ledger.define('other:q')
  await ledger.enqueue('q', [named('a', 'x'), named('b', 'x', { group: 'g{x}', destination: 'd{y}' }), sheet('c', { group: 'g{x}' }), sheet('d', { delayMs: 9, priority: 4 })])
  await ledger.park('q', 'e{z}', time.now + 5)
  await ledger.enqueue('q', [sheet('e', { destination: 'e{z}' })])
  const { messages } = await ledger.claim('q', { max: 3, leaseMs: 1000, rate: { name: 'r', limit: 5, perMs: 10 } })
  const [first, second] = messages
  await ledger.record('q', first!, 'step', Buffer.from('1'))
  await ledger.settle('q', { kind: 'dead', reason: 'permanent', key: first!.key, token: first!.token, error: Buffer.from('why') })
  await ledger.watch('q', [second!.key])
  const keys = await server.admin.keys('*')
  await ledger.transact([
    { kind: 'settle', queue: 'q', settlement: { kind: 'completed', key: second!.key, token: second!.token } },
    { kind: 'enqueue', queue: 'other:q', sheet: sheet('out') },
  ])
  await ledger.redrive('q', [first!.key], { to: 'other:q' })
  const { epoch } = await ledger.produce('p')
  await ledger.enqueueNumbered('q', { name: 'p', epoch }, [{ sequence: 1, sheet: sheet('numbered') }])
  await ledger.withdraw('q', 'cancel', [first!.key])
  await ledger.purge('q')
  const all = [...new Set([...keys, ...(await server.admin.keys('*'))])]
  const letters = new Set(all.map((key) => key.split(':')[1]))
  for (const letter of 'abqmtrdxhieogpksfnw') expect([letter, letters.has(letter) || letter === 'b']).toEqual([letter, true])
  expect(new Set(all.map(slotOf))).toEqual(new Set([slotOf(`{${box.prefix}}:box`)]))
  for (const key of all.slice(0, 20)) expect(await server.admin.cluster('KEYSLOT', key)).toBe(slotOf(key))
  await box.close()
})

test('the packed scripts are the Lua files as they are', async () => {
  const packed = await readFile(new URL('../../npm/ackbox/src/ledger/redis/scripts.gen.ts', import.meta.url), 'utf8')
  expect(packed).toBe(generated())
})
