/** Calls that are tried again outside any queue, on a manual clock. */
import { constant, exponential, httpErrors, PermanentError, retry, RetryAfterError, schedule, type RetryContext, type RetryOptions } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { isPending, manualClock, turns, type ManualClock } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'

/** Fails so often, each time with another error, then gives its attempts. */
function failing(times: number, errorOf = (call: number): unknown => new Error(`failure ${call}`)) {
  const attempts: number[] = []
  const at: number[] = []
  return {
    attempts,
    at,
    call: (clock: ManualClock) => ({ attempt }: RetryContext) => {
      attempts.push(attempt)
      at.push(clock.now())
      if (attempts.length <= times) throw errorOf(attempts.length)
      return 'done' as const
    },
  }
}

/** Passes time until the promise settles; how long each wait was. */
async function passing(clock: ManualClock, promise: Promise<unknown>): Promise<number[]> {
  const waits: number[] = []
  while (await isPending(promise)) waits.push((await clock.next())!)
  return waits
}

describe('retry [A7 retry]', () => {
  it('calls until it succeeds, after the delays of its backoff', async () => {
    const clock = manualClock()
    const work = failing(3)
    const done = retry(work.call(clock), { backoff: schedule([100, 1_000, 20_000]), clock })
    expect(await passing(clock, done)).toEqual([100, 1_000, 20_000])
    expect(await done).toBe('done')
    expect(work.attempts).toEqual([1, 2, 3, 4])
  })

  it('waits as the default of queues does, and rejects with the last error', async () => {
    const clock = manualClock()
    const work = failing(Infinity)
    const done = retry(work.call(clock), { clock, seed: 'fixed' })
    const waits = await passing(clock, done)
    await expect(done).rejects.toThrow('failure 6')
    expect(waits).toEqual([1, 2, 3, 4, 5].map((attempt) => exponential().delay(attempt, { seed: 'fixed' })))
  })

  it('gives different jitter to calls beside each other', async () => {
    const clock = manualClock()
    const works = Array.from({ length: 20 }, () => failing(1))
    await Promise.all([
      ...works.map((work) => retry(work.call(clock), { backoff: exponential({ jitter: 'full' }), clock })),
      clock.advance(1_000),
    ])
    expect(new Set(works.map(({ at }) => at[1])).size).toBeGreaterThan(15)
  })

  it('asks a function of attempt and error', async () => {
    const clock = manualClock()
    const asked: unknown[] = []
    const backoff = (attempt: number, error: unknown): number => {
      asked.push([attempt, (error as Error).message])
      return attempt * 7
    }
    expect(await passing(clock, retry(failing(2).call(clock), { backoff, clock }))).toEqual([7, 14])
    expect(asked).toEqual([[1, 'failure 1'], [2, 'failure 2']])
  })

  it('ends at once with a PermanentError, and with an error that classify calls dead', async () => {
    const clock = manualClock()
    const work = failing(Infinity, () => new PermanentError('never'))
    await expect(retry(work.call(clock), { clock })).rejects.toThrow('never')
    const other = failing(Infinity, () => ({ status: 404 }))
    await expect(retry(other.call(clock), { clock, classify: httpErrors({ clock }) })).rejects.toEqual({ status: 404 })
    expect([work.attempts, other.attempts]).toEqual([[1], [1]])
  })

  it('waits as long as a RetryAfterError says at least, which costs no attempt', async () => {
    const clock = manualClock()
    const work = failing(9, () => new RetryAfterError(30_000))
    const done = retry(work.call(clock), { maxAttempts: 1, clock })
    const waits = await passing(clock, done)
    expect(await done).toBe('done')
    expect(work.attempts).toEqual(Array(10).fill(1))
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(30_000)
    expect(Math.max(...waits)).toBeLessThanOrEqual(33_000)
  })

  it('waits for the backoff after a RetryAfterError that names no time to come, which costs no attempt', async () => {
    for (const error of [new RetryAfterError(0), new RetryAfterError(new Date(0)), new RetryAfterError({})]) {
      const clock = manualClock()
      const work = failing(3, () => error)
      expect(await passing(clock, retry(work.call(clock), { maxAttempts: 1, backoff: constant(7), clock }))).toEqual([7, 7, 7])
      expect(work.attempts).toEqual([1, 1, 1, 1])
    }
  })

  it('counts a RetryAfterError that says so', async () => {
    const clock = manualClock()
    const work = failing(9, () => new RetryAfterError(50, { costsAttempt: true }))
    const done = retry(work.call(clock), { maxAttempts: 3, backoff: constant(1), clock })
    expect(await passing(clock, done)).toEqual([50, 50])
    await expect(done).rejects.toBeInstanceOf(RetryAfterError)
  })

  it('waits for longer than a timer can', async () => {
    const clock = manualClock()
    const done = retry(failing(1).call(clock), { backoff: constant(2 ** 31 + 5), clock })
    expect(await passing(clock, done)).toEqual([2 ** 31 - 1, 6])
    expect(await done).toBe('done')
  })

  it('lets others in although nothing is waited for', async () => {
    const stop = new AbortController()
    let calls = 0
    setImmediate(() => stop.abort(new Error('enough')))
    const busy = retry(() => {
      calls++
      throw new Error('always')
    }, { backoff: constant(0), maxAttempts: Infinity, signal: stop.signal })
    await expect(busy).rejects.toThrow('enough')
    expect(calls).toBeGreaterThan(0)
  })
})

describe('the signal of retry', () => {
  it('ends a wait, and its timer', async () => {
    const clock = manualClock()
    const stop = new AbortController()
    const work = failing(Infinity)
    const done = retry(work.call(clock), { clock, signal: stop.signal })
    await turns()
    const reason = new Error('stop')
    stop.abort(reason)
    await expect(done).rejects.toBe(reason)
    expect(await clock.next()).toBeUndefined()
    expect(work.attempts).toEqual([1])
  })

  it('ends a call that runs, which sees it', async () => {
    const clock = manualClock()
    const stop = new AbortController()
    let seen: AbortSignal | undefined
    const done = retry(({ signal }) => new Promise(() => (seen = signal)), { clock, signal: stop.signal })
    await turns()
    stop.abort('enough')
    await expect(done).rejects.toBe('enough')
    expect(seen?.aborted).toBe(true)
  })

  it('that has aborted lets nothing begin', async () => {
    const clock = manualClock()
    const work = failing(0)
    await expect(retry(work.call(clock), { clock, signal: AbortSignal.abort('before') })).rejects.toBe('before')
    expect(work.attempts).toEqual([])
  })

  it('is one that never aborts, if there is none', async () => {
    expect(await retry(({ signal }) => signal.aborted)).toBe(false)
  })
})

it.each<[string, RetryOptions, RegExp]>([
  ['an unknown option', { retries: 3 } as never, /'retries'/],
  ['no schedule', { backoff: 5 as never }, /backoff/],
  ['no attempts', { maxAttempts: 0 }, /maxAttempts/],
  ['no signal', { signal: {} as never }, /signal/],
  ['no clock', { clock: {} as never }, /clock/],
  ['no seed', { seed: {} as never }, /seed/],
  ['no classify', { classify: 5 as never }, /classify/],
])('is refused: %s', async (_, options, message) => {
  let calls = 0
  await refusal(retry(() => calls++, options), 'ERR_INVALID_OPTION', message)
  expect(calls).toBe(0)
})

it('a function is needed', async () => {
  await refusal(retry(5 as never), 'ERR_INVALID_OPTION', /the function/)
})
