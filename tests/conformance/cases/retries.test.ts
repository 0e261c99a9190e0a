import { constant, exponential, PermanentError, RetryAfterError } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { record } from '../support/events.ts'

eachStorage('retries [A2 backoff]', (make) => {
  it('back off by 1, 2, 4, 8 and 16 seconds within a jitter of 10 %, then give up [A7 exponential, A2 maxAttempts]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    queue.process(() => {
      throw new TypeError('always')
    })
    const { id } = await queue.enqueue(1)
    for (const [index, baseMs] of [1_000, 2_000, 4_000, 8_000, 16_000].entries()) {
      const retry = await seen.until('retry', index + 1)
      expect(retry).toMatchObject({ id, attempt: index + 1, error: { name: 'TypeError', message: 'always' } })
      expect(retry.delayMs).toBeGreaterThanOrEqual(baseMs)
      expect(retry.delayMs).toBeLessThanOrEqual(baseMs * 1.1)
      expect(Number(retry.at)).toBe(clock.now() + retry.delayMs)
      await clock.advance(retry.delayMs - 1)
      expect(seen.of('started')).toHaveLength(index + 1)
      await clock.advance(1)
    }
    expect(await seen.until('dead')).toMatchObject({ id, reason: 'exhausted', error: { message: 'always' } })
    expect(seen.of('started').map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('cap the delay and keep the jitter at the cap', async () => {
    const { box, clock } = await make()
    const backoff = exponential({ baseMs: 1_000, factor: 10, capMs: 5_000, jitter: 0.5 })
    const queue = box.queue<number>('jobs', { backoff, maxAttempts: 40 })
    const seen = record(queue)
    queue.process(() => {
      throw new Error('always')
    })
    await queue.enqueue(1)
    for (let retries = 1; retries < 40; retries += 1) await clock.advance((await seen.until('retry', retries)).delayMs)
    const atCap = seen.of('retry').slice(1).map(({ delayMs }) => delayMs)
    expect(Math.max(...atCap)).toBeLessThanOrEqual(5_000)
    expect(new Set(atCap).size).toBeGreaterThan(10)
  })

  it('take a constant backoff [A7 constant]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { backoff: constant(250), maxAttempts: 3 })
    const seen = record(queue)
    queue.process(() => {
      throw new Error('always')
    })
    await queue.enqueue(1)
    expect((await seen.until('retry')).delayMs).toBe(250)
    await clock.advance(250)
    expect((await seen.until('retry', 2)).delayMs).toBe(250)
    await clock.advance(250)
    await seen.until('dead')
  })

  it('ask a function of the attempt and the error', async () => {
    const { box, clock } = await make()
    const asked: unknown[] = []
    const queue = box.queue<number>('jobs', {
      maxAttempts: 3,
      backoff: (attempt, error) => {
        asked.push([attempt, (error as Error).message])
        return attempt * 10
      },
    })
    const seen = record(queue)
    queue.process(({ attempt }) => {
      throw new Error(`failure ${attempt}`)
    })
    await queue.enqueue(1)
    for (const delayMs of [10, 20]) {
      await clock.advance(delayMs - 1)
      await clock.advance(1)
    }
    await seen.until('dead')
    expect(seen.of('retry').map(({ delayMs }) => delayMs)).toEqual([10, 20])
    expect(asked.slice(0, 2)).toEqual([
      [1, 'failure 1'],
      [2, 'failure 2'],
    ])
  })

  it('count the attempts over reopening', async () => {
    const { box, clock, reopen } = await make()
    const fail = (): never => {
      throw new Error('always')
    }
    const before = box.queue<number>('jobs', { maxAttempts: 2 })
    const seen = record(before)
    before.process(fail)
    await before.enqueue(1, { id: 'a' })
    const { delayMs } = await seen.until('retry')
    const queue = (await reopen()).queue<number>('jobs')
    const seenAgain = record(queue)
    queue.process(fail)
    await clock.advance(delayMs)
    await seenAgain.until('dead')
    const letter = await queue.dead.get('a')
    expect(letter?.history.map(({ attempt }) => attempt)).toEqual([1, 2])
  })

  it('end after the attempts that the message was enqueued with [A2 message maxAttempts]', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    queue.process(() => {
      throw new Error('no')
    })
    const { id } = await queue.enqueue(1, { maxAttempts: 1 })
    expect(await seen.until('dead')).toMatchObject({ id, reason: 'exhausted' })
    expect(seen.of('retry')).toEqual([])
  })

  it('stop at maxRetryMs after the first delivery [A2 maxRetryMs]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { backoff: constant(1_000), maxAttempts: Infinity, maxRetryMs: 2_500 })
    const seen = record(queue)
    queue.process(() => {
      throw new Error('always')
    })
    await queue.enqueue(1)
    for (let retries = 1; retries <= 2; retries += 1) {
      await seen.until('retry', retries)
      await clock.advance(1_000)
    }
    await seen.until('dead')
    expect(seen.of('started')).toHaveLength(3)
  })

  it('are not spent on a PermanentError [A3 PermanentError]', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    queue.process(() => {
      throw new PermanentError('card refused', { cause: new Error('402') })
    })
    const { id } = await queue.enqueue(1)
    expect(await seen.until('dead')).toMatchObject({ id, reason: 'permanent', error: { message: 'card refused' } })
    expect(seen.of('started')).toHaveLength(1)
  })

  it('are not spent on one that was refused, thrown or rejected with, and the reason survives reopening [A3 PermanentError]', async () => {
    const site = await make()
    const queue = site.box.queue<number>('jobs')
    await queue.enqueueMany([{ body: 1 }, { body: 2 }])
    const refused = new PermanentError('no longer wanted', { reason: 'refused' })
    await queue.drain(async (message) => {
      if (message.body === 1) throw refused
      await message.reject(refused)
    })
    const letters = (await site.reopen()).queue('jobs').dead
    expect((await letters.list().page()).items).toMatchObject([1, 2].map((body) => ({ body, reason: 'refused', attempt: 1 })))
    expect(await letters.count({ reason: 'permanent' })).toBe(0)
    expect(() => new PermanentError('x', { reason: 'exhausted' as never })).toThrow(/expected reason to be 'permanent' or 'refused'/)
  })

  it('wait as long as a RetryAfterError says, which costs no attempt [A3 RetryAfterError]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { maxAttempts: 2, backoff: constant(1) })
    const seen = record(queue)
    const attempts: number[] = []
    queue.process(({ attempt }) => {
      attempts.push(attempt)
      if (attempts.length <= 5) throw new RetryAfterError(30_000)
    })
    await queue.enqueue(1)
    for (let retries = 1; retries <= 5; retries += 1) {
      await seen.until('retry', retries)
      await clock.advance(29_999)
      expect(attempts).toHaveLength(retries)
      await clock.advance(1)
    }
    await seen.until('completed')
    expect(attempts).toEqual([1, 1, 1, 1, 1, 1])
  })

  it('come back a little later and never earlier than a RetryAfterError says, as the jitter has it', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs', { backoff: exponential({ jitter: 0.2 }) })
    const seen = record(queue)
    queue.process(() => {
      throw new RetryAfterError(30_000)
    }, { concurrency: 50 })
    await queue.enqueueMany(Array.from({ length: 50 }, (_, body) => ({ body })))
    await seen.until('retry', 50)
    const delays = seen.of('retry').map(({ delayMs }) => delayMs)
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(30_000)
    expect(Math.max(...delays)).toBeLessThanOrEqual(36_000)
    expect(new Set(delays).size).toBeGreaterThan(40)
  })

  it('cost an attempt where a RetryAfterError says so, and take a Date', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { maxAttempts: 2, backoff: constant(1) })
    const seen = record(queue)
    queue.process(() => {
      throw new RetryAfterError(new Date(clock.now() + 7_000), { costsAttempt: true })
    })
    await queue.enqueue(1)
    expect(Number((await seen.until('retry')).at)).toBe(clock.now() + 7_000)
    await clock.advance(7_000)
    await seen.until('dead')
    expect(seen.of('started').map(({ attempt }) => attempt)).toEqual([1, 2])
  })

  it('wait for the Retry-After header of a response', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { backoff: constant(1) })
    const seen = record(queue)
    queue.process(() => {
      throw new RetryAfterError(new Headers({ 'retry-after': '120' }))
    })
    await queue.enqueue(1)
    expect(await seen.until('retry')).toMatchObject({ delayMs: 120_000, at: clock.now() + 120_000 })
  })

  it.each<[string, () => RetryAfterError]>([
    ['0', () => new RetryAfterError(0)],
    ['a date that has passed', () => new RetryAfterError(new Date(0))],
    ['a header that says 0', () => new RetryAfterError({ 'retry-after': '0' })],
    ['a header that cannot be read', () => new RetryAfterError({ 'retry-after': 'soon' })],
    ['no header', () => new RetryAfterError(new Headers())],
  ])('wait for the backoff, at no cost, where a RetryAfterError names no time to come: %s [A3 RetryAfterError]', async (_, error) => {
    const { box, clock } = await make()
    const backoffs = [{ backoff: constant(700) }, { backoff: () => 700 }]
    for (const [number, options] of backoffs.entries()) {
      const queue = box.queue<number>(`jobs ${number}`, { maxAttempts: 1, ...options })
      const seen = record(queue)
      const attempts: number[] = []
      queue.process(({ attempt }) => {
        attempts.push(attempt)
        if (attempts.length <= 3) throw error()
      })
      await queue.enqueue(1)
      for (let retries = 1; retries <= 3; retries += 1) {
        await seen.until('retry', retries)
        await clock.advance(699)
        expect(attempts).toHaveLength(retries)
        await clock.advance(1)
      }
      await seen.until('completed')
      expect(attempts).toEqual([1, 1, 1, 1])
    }
  })

  it('can be had early with retryNow', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    queue.process(({ attempt }) => {
      if (attempt === 1) throw new Error('once')
    })
    const { id } = await queue.enqueue(1)
    await seen.until('retry')
    await queue.retryNow(id)
    expect(await seen.until('completed')).toMatchObject({ id, attempt: 2 })
  })
})
