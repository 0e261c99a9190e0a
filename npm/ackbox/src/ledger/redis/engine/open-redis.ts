/** Opening a box on Redis: the ledger on the server, an engine of this process beside it, and what the server keeps said aloud. */

import { loadEngine } from '#engine'
import type { Box } from '../../../api.js'
import { EmbeddedBox } from '../../../box.js'
import { type Clock, registerBusy, systemClock } from '../../../clock.js'
import { GuardedClock } from '../../../guarded-clock.js'
import type { OpenOptions } from '../../../open.js'
import type { Storage } from '../../../storage/storage.js'
import { whatCouldBeLost } from '../facts.js'
import { RedisLedger } from '../redis-ledger.js'
import { connect, type IoredisClient, type NodeRedisClient, transportOf } from '../transport.js'
import { RedisEngine } from './redis-engine.js'

/** Where a box on Redis is. */
export interface RedisOptions {
  /** Address of the server: a connection of the box's own, by ioredis. */
  readonly url?: string | undefined
  /** A client of ioredis or node-redis, which its owner ends. */
  readonly client?: IoredisClient | NodeRedisClient | undefined
  /** Name of the box on its server. Default `ackbox`. */
  readonly prefix?: string | undefined
  /** Refuses a server that could lose what it accepted. Default false. */
  readonly requireDurable?: boolean | undefined
}

/** Opens a box on Redis. */
export async function openRedis(where: RedisOptions, options: OpenOptions = {}): Promise<Box> {
  const clock = new GuardedClock(options.clock ?? systemClock())
  const transport = where.client === undefined ? await connect(where.url ?? '') : transportOf(where.client)
  const ledger = await RedisLedger.open(transport, {
    prefix: where.prefix ?? 'ackbox',
    requireDurable: where.requireDurable ?? false,
    // Time that tests move is that of the scripts too.
    ...(options.clock === undefined ? {} : { now: () => clock.now() }),
  })
  try {
    return await openOver(ledger, clock, options)
  } catch (error) {
    await ledger.close()
    throw error
  }
}

async function openOver(ledger: RedisLedger, clock: GuardedClock, options: OpenOptions): Promise<Box> {
  const module = await loadEngine({ engine: options.engine, wasm: options.wasm })
  const seed = options.seed === undefined ? {} : { seed: String(options.seed) }
  // All processes of a box draw the same: its identity, the jitter of its retries, the keys of its steps.
  const core = module.create(clock.now(), { remote: true, ...seed }, ledger.secret)
  const engine = new RedisEngine(core, ledger, clock)
  const losses = whatCouldBeLost(ledger.facts)
  const unregister = registerBusy(clock as Clock, () => engine.busy())
  const box = new EmbeddedBox(engine, clock, asStorage(ledger, losses, unregister), false)
  await engine.listen()
  await box.recover([])
  if (losses.length > 0) box.inbox.warn({ message: `Redis ${ledger.facts.version}: ${losses.join('; ')}` })
  return box
}

/** What a box wants to know of its storage. There is no journal. */
function asStorage(ledger: RedisLedger, losses: readonly string[], unregister: () => void): Storage {
  const none = async (): Promise<never> => {
    throw new Error('a box on Redis has no journal')
  }
  return {
    durability: losses.length === 0 ? 'power-loss' : 'none',
    open: async () => [],
    append: none,
    read: none,
    truncate: none,
    remove: none,
    close: async () => {
      unregister()
      await ledger.close()
    },
  }
}
