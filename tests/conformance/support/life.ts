/**
 * A long life of a box with everything in it, drawn from a seed: for the same seed each engine, wherever it runs, writes
 * the same bytes and shows the same objects.
 *
 * What a box draws at random (its id, hash key and seed) stands in its journal. So every life begins with a copy of one
 * journal, and draws the number of its run from the same bytes.
 */
import { open, type AckboxError, type Box } from 'ackbox'

import { between, seededRandom } from '../../support/random.ts'
import { manualClock, type ManualClock } from './clock.ts'
import { record } from './events.ts'
import { InjectedStorage } from './injected-storage.ts'

export type EngineKind = Box['engine']

export async function openWith(engine: EngineKind, storage: InjectedStorage, clock: ManualClock): Promise<Box> {
  const box = await open(storage, { engine, clock, seed: 'fixed', segmentBytes: 64 * 1024 })
  if (box.engine !== engine) throw new Error(`expected the engine ${engine}, got ${box.engine}`)
  return box
}

export interface Life {
  /** Segment, length and hash of every append, also of those that were cleaned away. */
  readonly appends: string[]
  readonly objects: unknown[]
  readonly events: unknown[]
  /** What became of messages, or the code of the error that was told instead. */
  readonly ends: unknown[]
}

/** The journal that all lives of a seed begin with. */
export function origin(engine: EngineKind, seed: number): Promise<InjectedStorage> {
  return withEntropy(seed, async () => {
    const storage = new InjectedStorage()
    const box = await openWith(engine, storage, manualClock())
    await box.queue('jobs').enqueue({ first: true })
    await box.close()
    return storage.copy()
  })
}

/** A life over a copy of an origin. */
export function live(engine: EngineKind, storage: InjectedStorage, seed: number): Promise<Life> {
  return withEntropy(seed, () => liveDrawn(engine, storage, seed))
}

/** Whatever is drawn meanwhile are bytes of the seed; something has to be. */
async function withEntropy<T>(seed: number, action: () => Promise<T>): Promise<T> {
  const original = crypto.getRandomValues
  let draws = 0
  crypto.getRandomValues = (array) => {
    draws += 1
    if (array instanceof Uint8Array) array.fill(seed)
    return array
  }
  try {
    return await action()
  } finally {
    crypto.getRandomValues = original
    if (draws !== 1) throw new Error(`expected that a box draws once, it drew ${draws} times`)
  }
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function liveDrawn(engine: EngineKind, storage: InjectedStorage, seed: number): Promise<Life> {
  const random = seededRandom(seed)
  const clock = manualClock()
  const appends: Promise<string>[] = []
  storage.onAppended = (segment, bytes) => {
    appends.push(sha256(Uint8Array.from(bytes)).then((hash) => `${segment} ${bytes.byteLength} ${hash}`))
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
  return { appends: await Promise.all(appends), objects, events: seen.all, ends: await Promise.all(ends) }
}

