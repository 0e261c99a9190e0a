/**
 * The engines are one engine: for the same inputs they write identical journals and show deeply equal objects. That the
 * engine in a browser does too, `browser/same-bytes.test.ts` shows.
 */
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'

import { manualClock } from '../support/clock.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'
import { type EngineKind, type Life, live, openWith, origin } from '../support/life.ts'

/** The engine is chosen by option here, so the environment must not force one. */
beforeEach(() => vi.stubEnv('ACKBOX_ENGINE', undefined))

describe.each([1, 2, 3])('with seed %i', (seed) => {
  let native: Life
  let wasm: Life

  beforeAll(async () => {
    vi.stubEnv('ACKBOX_ENGINE', undefined)
    const first = await origin('native', seed)
    native = await live('native', first.copy(), seed)
    wasm = await live('wasm', first.copy(), seed)
  }, 60_000)

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
