/** Delays that are asked without a queue: those of the vectors, and those that a box waits. */
import { constant, exponential, open, memoryStorage, schedule, type Backoff, type Delays } from 'ackbox'
import { describe, expect, it, onTestFinished } from 'vitest'

import { manualClock } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { BACKOFF } from '../support/traces.ts'

interface Vector {
  readonly name: string
  readonly backoff: Backoff
  readonly seed: string
  readonly id: string
  readonly attempts: readonly number[]
  readonly delaysMs: readonly number[]
}

const VECTORS = BACKOFF as Vector[]

/** A schedule as a program makes it. */
function build(backoff: Backoff): Delays {
  switch (backoff.kind) {
    case 'exponential': {
      const { kind, ...options } = backoff
      return exponential(options)
    }
    case 'constant':
      return constant(backoff.ms, { jitter: backoff.jitter })
    case 'schedule':
      return schedule(backoff.delaysMs, { jitter: backoff.jitter })
  }
}

describe('delay() [A7 delay, A7 exponential, A7 constant, A7 decorrelated]', () => {
  it('is tested with all vectors', () => expect(VECTORS.length).toBeGreaterThanOrEqual(69))

  it.each(VECTORS)('gives the vector: $name', ({ backoff, seed, id, attempts, delaysMs }) => {
    const delays = build(backoff)
    expect(attempts.map((attempt) => delays.delay(attempt, { seed, id }))).toEqual(delaysMs)
  })

  it.each([0.1, 'full', 'equal', 'decorrelated'] as const)('is what a box of that seed waits, jitter %o', async (jitter) => {
    const clock = manualClock()
    const box = await open(memoryStorage(), { clock, seed: 4711 })
    onTestFinished(async () => void (await box.close()))
    const backoff = exponential({ baseMs: 500, capMs: 4_000, jitter })
    const queue = box.queue('jobs', { backoff, maxAttempts: 9 })
    const seen = record(queue)
    queue.process(() => {
      throw new Error('always')
    })
    await queue.enqueue(1, { id: 'order-1' })
    while (seen.of('dead').length === 0) await clock.next()
    const waited = seen.of('retry').map(({ delayMs }) => delayMs)
    expect(waited).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => backoff.delay(attempt, { seed: 4711, id: 'order-1' })))
  })

  it('is random where neither seed nor id is named, and stays in its range', () => {
    const delays = Array.from({ length: 50 }, () => exponential({ jitter: 0.5 }).delay(1))
    expect(new Set(delays).size).toBeGreaterThan(10)
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(1_000)
    expect(Math.max(...delays)).toBeLessThanOrEqual(1_500)
  })

  it('is the same for one id, and another for another', () => {
    const backoff = exponential({ baseMs: 1_000_000, capMs: 10_000_000, jitter: 1 })
    expect(backoff.delay(2, { id: 'a' })).toBe(backoff.delay(2, { id: 'a' }))
    expect(backoff.delay(2, { id: 'a' })).not.toBe(backoff.delay(2, { id: 'b' }))
    expect(backoff.delay(2, { seed: 1 })).toBe(backoff.delay(2, { seed: '1' }))
  })

  it('refuses what is no attempt, seed or id', async () => {
    const backoff = exponential()
    for (const attempt of [0, -1, 1.5, NaN, '1', undefined]) {
      await refusal(() => backoff.delay(attempt as never), 'ERR_INVALID_OPTION', /attempt/)
    }
    await refusal(() => backoff.delay(1, { seed: {} as never }), 'ERR_INVALID_OPTION', /seed/)
    await refusal(() => backoff.delay(1, { id: 5 as never }), 'ERR_INVALID_OPTION', /id/)
    await refusal(() => backoff.delay(1, { message: 'a' } as never), 'ERR_INVALID_OPTION', /'message'/)
  })
})

it('decorrelated jitter is for delays that grow', async () => {
  await refusal(() => constant(1, { jitter: 'decorrelated' as never }), 'ERR_INVALID_OPTION', /jitter/)
  await refusal(() => schedule([1], { jitter: 'decorrelated' as never }), 'ERR_INVALID_OPTION', /jitter/)
})

it('a schedule is plain data that nobody can change', () => {
  const backoff = exponential()
  expect(Object.keys(backoff)).toEqual(['kind', 'baseMs', 'factor', 'capMs', 'jitter'])
  expect(JSON.parse(JSON.stringify(backoff))).toEqual(backoff)
  expect(() => Object.assign(backoff, { baseMs: 1 })).toThrow(TypeError)
})
