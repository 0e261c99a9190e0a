/** A box on a server, in a time that the test moves. */

import { connect, RedisLedger, type QueueSettings, type RedisLedgerOptions, type Sheet } from '../../../npm/ackbox/dist/ledger/redis/index.js'

import type { RedisServer } from './redis-server.ts'

let boxes = 0

/** When the time of a test begins. */
export const START = 1_700_000_000_000

/** A time for all ledgers of a test. */
export interface TestTime {
  now: number
}

/** What a test works with. */
export interface TestBox {
  readonly ledger: RedisLedger
  readonly time: TestTime
  readonly prefix: string
  /** The same box as another process has it. */
  another(options?: Partial<RedisLedgerOptions>): Promise<RedisLedger>
  /** A message with a generated key. */
  sheet(body: string, options?: Partial<Sheet>): Sheet
  /** A message under an id of the caller. */
  named(id: string, body: string, options?: Partial<Sheet>): Sheet
  /** Claims, and gives bodies. */
  take(max?: number, queue?: string): Promise<string[]>
  close(): Promise<void>
}

/** Opens a box of its own with a queue `q`. */
export async function openBox(server: RedisServer, settings: QueueSettings = {}, options: Partial<RedisLedgerOptions> = {}): Promise<TestBox> {
  const prefix = `test-${process.pid}-${++boxes}`
  const time = { now: START }
  const ledgers: RedisLedger[] = []
  const another = async (more: Partial<RedisLedgerOptions> = {}): Promise<RedisLedger> => {
    const opened = await RedisLedger.open(await connect(server.url), { prefix, now: () => time.now, ...options, ...more })
    ledgers.push(opened)
    return opened
  }
  const ledger = await another()
  await ledger.define('q', settings)
  return {
    ledger,
    time,
    prefix,
    another,
    sheet: (body, more = {}) => ({ key: ledger.keys.generate(time.now), body: Buffer.from(body), ...more }),
    named: (id, body, more = {}) => {
      const bytes = Buffer.from(body)
      return { key: ledger.keys.keyOf(id, 'q').key, id, fingerprint: ledger.keys.fingerprint(bytes), body: bytes, ...more }
    },
    take: async (max = 100, queue = 'q') => {
      const { messages } = await ledger.claim(queue, { max, leaseMs: 30_000 })
      return messages.map((message) => message.body.toString())
    },
    close: async () => {
      await Promise.all(ledgers.map((opened) => opened.close()))
    },
  }
}
