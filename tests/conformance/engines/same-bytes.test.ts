/**
 * The engines are one engine: for the same inputs they write identical journals and show deeply equal objects.
 *
 * What a box draws at random (its id, hash key and seed) stands in its journal. So both engines open copies of
 * one journal, draw the number of their run from the same bytes, and are then told the same things at the same
 * virtual times.
 */
import { createHash } from 'node:crypto'

import { open, type AckboxError, type Box } from 'ackbox'
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'

import { between, seededRandom } from '../../support/random.ts'
import { manualClock, type ManualClock } from '../support/clock.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

type EngineKind = 'native' | 'wasm'

/** The engine is chosen by option here, so the environment must not force one. */
beforeEach(() => vi.stubEnv('ACKBOX_ENGINE', undefined))

async function openWith(engine: EngineKind, storage: InjectedStorage, clock: ManualClock): Promise<Box> {
  const box = await open(storage, { engine, clock, seed: 'fixed', segmentBytes: 64 * 1024 })
  expect(box.engine).toBe(engine)
  return box
}

interface Life {
  /** Segment, length and hash of every append, also of those that were cleaned away. */
  readonly appends: string[]
  readonly objects: unknown[]
  readonly events: unknown[]
  /** What became of messages, or the code of the error that was told instead. */
  readonly ends: unknown[]
}

/** A long life with everything in it, drawn from a seed. */
async function live(engine: EngineKind, storage: InjectedStorage, seed: number): Promise<Life> {
  const random = seededRandom(seed)
  const clock = manualClock()
  const appends: string[] = []
  storage.onAppended = (segment, bytes) => {
    appends.push(`${segment} ${bytes.byteLength} ${createHash('sha256').update(bytes).digest('hex')}`)
  }
  const box = await openWith(engine, storage, clock)
  const queue = box.queue<unknown, unknown>('jobs', {
    maxAttempts: 3,
    dedup: { windowMs: 60_000 },
    history: { windowMs: 30_000, maxEntries: 20 },
  })
  const mails = box.queue<unknown>('mails', { guarantee: 'at-most-once' })
  const seen = record(queue)
  const objects: unknown[] = []
  const note = (value: unknown): void => void objects.push(structuredClone(value))
  const failing = (attempt: number): void => {
    // A real stack differs from call to call, and it is journaled.
    if (random() < 0.4) throw Object.assign(new Error(`failed ${attempt} – ä€🧾`), { stack: 'fixed' })
  }
  queue.process(async (message) => {
    const { id, attempt } = message
    if (random() < 0.4) note(await message.step('one', ({ key }) => ({ key, text: 'ß'.repeat(between(random, 0, 300)) })))
    if (random() < 0.4) note(await message.step('two', () => undefined))
    failing(attempt)
    if (random() < 0.7) return { of: id, text: 'ß'.repeat(between(random, 0, 300)) }
  }, { concurrency: 3 })
  const ends: Promise<unknown>[] = []
  const awaitEnd = (id: string): void => {
    ends.push(queue.finished(id, { timeoutMs: between(random, 1, 20_000) }).catch(({ code }: AckboxError) => code))
  }
  mails.process(({ attempt }) => failing(attempt))

  const bills = box.queue<unknown>('bills', { maxDepth: 40, leaseMs: 2_000 })
  let importer = await box.producer('importer')
  /** Settles and enqueues together, with a unit now and then that cannot be. */
  const transact = async (round: number): Promise<void> => {
    const claimed = await bills.dequeueMany(3)
    const unit = box.transaction((tx) => {
      for (const message of claimed) {
        if (random() < 0.7) tx.ack(message, { round })
        else tx.reject(message, Object.assign(new Error('not yet'), { stack: 'fixed' }), { delayMs: 500 })
      }
      const receipts = Array.from({ length: between(random, 0, 4) }, (_, n) =>
        tx.enqueue(bills, { round, n }, random() < 0.5 ? { id: `bill-${between(random, 0, round)}` } : {}),
      )
      return receipts
    })
    note(await unit.catch(({ code, message }: AckboxError) => ({ code, message })))
  }
  /** Numbered messages, most of them in order and some again. */
  const produce = async (round: number): Promise<void> => {
    if (random() < 0.1) importer = await box.producer('importer')
    const first = importer.sequence
    const sent = Array.from({ length: between(random, 1, 4) }, () => {
      const sequence = Math.max(1, first + between(random, -1, 5))
      return importer.enqueue(bills, { sequence }, { sequence, ...(random() < 0.3 ? { id: `n-${sequence}` } : {}) })
    })
    for (const receipt of sent) note(await receipt.catch(({ code, message }: AckboxError) => ({ code, message })))
    note([round, importer.sequence])
  }

  for (let round = 0; round < 150; round += 1) {
    const items = Array.from({ length: between(random, 1, 12) }, (_, n) => ({
      body: { round, n, text: 'ü'.repeat(between(random, 0, 400)) },
      ...(random() < 0.6 ? { id: `id-${round}-${n}` } : {}),
      ...(random() < 0.2 ? { delayMs: between(random, 1, 5_000) } : {}),
      ...(random() < 0.2 ? { priority: between(random, 0, 255) } : {}),
      ...(random() < 0.3 ? { group: `g-${between(random, 0, 3)}` } : {}),
      ...(random() < 0.1 ? { ttlMs: between(random, 1, 2_000) } : {}),
      ...(random() < 0.1 ? { headers: { trace: `t-${round}` } } : {}),
    }))
    note(await queue.enqueueMany(items))
    note(await mails.enqueue({ round }))
    await transact(round)
    await produce(round)
    if (random() < 0.1) await queue.pause()
    if (random() < 0.2) await queue.resume()
    if (random() < 0.2) note(await queue.cancel(`id-${round - 1}-0`))
    if (random() < 0.2) note(await queue.retryNow(`id-${round - 2}-1`))
    if (random() < 0.1) note(await queue.dead.redrive({ limit: 3, steps: random() < 0.5 ? 'forget' : 'keep' }))
    if (random() < 0.02) note(await queue.purge())
    await clock.advance(between(random, 0, 3_000))
    note(await queue.stats())
    note(await queue.get(`id-${between(random, 0, round)}-0`))
    for (const behind of [-1, 0, 5]) awaitEnd(`id-${round - behind}-0`)
  }
  await queue.resume()
  await clock.advance(600_000)
  note(await box.stats())
  note(await box.queues())
  note(await queue.peek({ limit: 100 }))
  note(await queue.dead.list().page({ limit: 100 }))
  await box.close()
  return { appends, objects, events: seen.all, ends: await Promise.all(ends) }
}

describe.each([1, 2, 3])('with seed %i', (seed) => {
  let native: Life
  let wasm: Life

  beforeAll(async () => {
    vi.stubEnv('ACKBOX_ENGINE', undefined)
    const drawn = vi.spyOn(crypto, 'getRandomValues').mockImplementation((bytes) => {
      if (bytes instanceof Uint8Array) bytes.fill(seed)
      return bytes
    })
    const origin = new InjectedStorage()
    const box = await openWith('native', origin, manualClock())
    await box.queue('jobs').enqueue({ first: true })
    await box.close()
    native = await live('native', origin.copy(), seed)
    wasm = await live('wasm', origin.copy(), seed)
    expect(drawn).toHaveBeenCalledTimes(3)
    drawn.mockRestore()
  })

  it('the journals are identical [A1 clock]', () => {
    expect(wasm.appends).toStrictEqual(native.appends)
    expect(native.appends.length).toBeGreaterThan(500)
  })

  it('the objects are deeply equal', () => {
    expect(wasm.objects).toStrictEqual(native.objects)
    expect(native.objects.length).toBeGreaterThan(600)
  })

  it('the transactions and producers among them came to every end', () => {
    const told = JSON.stringify(native.objects)
    for (const word of ['ERR_QUEUE_FULL', 'ERR_ID_CONFLICT', '"status":"duplicate"']) expect(told).toContain(word)
    const sequences = native.objects.filter((object): object is number[] => Array.isArray(object) && typeof object[1] === 'number')
    expect(sequences.at(-1)![1]).toBeGreaterThan(50)
  })

  it('the ends are deeply equal, and of every kind', () => {
    expect(wasm.ends).toStrictEqual(native.ends)
    const kinds = new Set(native.ends.map((end) => (end as { state?: string }).state ?? end))
    expect([...kinds].sort()).toEqual(['ERR_TIMEOUT', 'cancelled', 'completed', 'dead'])
  })

  it('the events are deeply equal', () => {
    expect(wasm.events).toStrictEqual(native.events)
    expect(native.events.length).toBeGreaterThan(1_000)
  })
})

it('each engine opens what the other one wrote', async () => {
  for (const [writer, reader] of [['native', 'wasm'], ['wasm', 'native']] as const) {
    const storage = new InjectedStorage()
    const clock = manualClock()
    const box = await openWith(writer, storage, clock)
    await box.queue('jobs').enqueueMany([{ body: 1, id: 'a' }, { body: 2, id: 'b', delayMs: 1_000 }])
    await (await box.queue('jobs').dequeue())!.reject(new Error('no'), { dead: true })
    await box.close()
    const other = await openWith(reader, storage.copy(), clock)
    expect(await other.queue('jobs').dead.get('a')).toMatchObject({ body: 1, error: { message: 'no' } })
    expect(await other.queue('jobs').get('b')).toMatchObject({ state: 'scheduled' })
    await other.close()
  }
})

it('the same seed, message and attempt give the same delay on both engines [A1 seed]', async () => {
  const delays = async (engine: EngineKind): Promise<number[]> => {
    const clock = manualClock()
    const box = await openWith(engine, new InjectedStorage(), clock)
    const queue = box.queue('jobs', { maxAttempts: 12 })
    const seen = record(queue)
    queue.process(() => {
      throw new Error('always')
    })
    await queue.enqueue(1, { id: 'fixed' })
    for (let retries = 1; retries < 12; retries += 1) await clock.advance((await seen.until('retry', retries)).delayMs)
    await box.close()
    return seen.of('retry').map(({ delayMs }) => delayMs)
  }
  const native = await delays('native')
  expect(native).toHaveLength(11)
  expect(await delays('wasm')).toEqual(native)
})
