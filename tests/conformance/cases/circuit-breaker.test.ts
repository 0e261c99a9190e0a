/** Circuit breakers outside any queue: what the traces do not show. */
import {
  AckboxError,
  CircuitBreaker,
  exponential,
  PermanentError,
  RetryAfterError,
  type CircuitBreakerOptions,
  type CircuitChange,
} from 'ackbox'
import { describe, expect, it } from 'vitest'

import { gate, isPending, manualClock } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { IN_BROWSER, nextWarning } from '../support/platform.ts'

const fail = async (): Promise<never> => {
  throw new Error('it failed')
}

async function failing(breaker: CircuitBreaker, times = 1): Promise<void> {
  for (let time = 0; time < times; time++) await breaker.execute(fail).catch(() => {})
}

/** What follows a signal in Node asks for its properties. */
const FOLLOWERS: [string, (signal: AbortSignal) => unknown][] = [
  ['AbortSignal.any', (signal) => AbortSignal.any([signal])],
  ['fetch', (signal) => fetch('data:,1', { signal })],
]

describe('execute [A7 CircuitBreaker]', () => {
  it('gives what the function gives, or what it throws', async () => {
    const breaker = new CircuitBreaker()
    expect(await breaker.execute(() => 7)).toBe(7)
    expect(await breaker.execute(async () => 'later')).toBe('later')
    await expect(breaker.execute(fail)).rejects.toThrow('it failed')
    await expect(
      breaker.execute(() => {
        throw new RangeError('at once')
      }),
    ).rejects.toThrow(RangeError)
    expect(breaker.stats()).toMatchObject({ successes: 2, failures: 2 })
  })

  it('says when to come again, and calls nothing until then', async () => {
    const clock = manualClock({ start: 1_000_000 })
    const breaker = new CircuitBreaker({ clock })
    await failing(breaker, 5)
    let calls = 0
    const error = await refusal(breaker.execute(() => calls++), 'ERR_CIRCUIT_OPEN', /the circuit is open until 1970-/)
    expect(AckboxError.is(error, 'ERR_CIRCUIT_OPEN') && error.details.retryAt).toBe(1_030_000)
    expect(breaker.retryAt).toBe(1_030_000)
    expect(calls).toBe(0)
    await clock.advance(30_000)
    expect(await breaker.execute(() => ++calls)).toBe(1)
    expect(breaker.state).toBe('closed')
    expect(breaker.retryAt).toBeUndefined()
  })

  it('never comes again by itself while it is isolated', async () => {
    const breaker = new CircuitBreaker()
    breaker.isolate()
    const error = await refusal(breaker.execute(() => 1), 'ERR_CIRCUIT_OPEN', /isolated until reset\(\)/)
    expect(AckboxError.is(error, 'ERR_CIRCUIT_OPEN') && error.details.retryAt).toBe(Infinity)
    expect(breaker.retryAt).toBe(Infinity)
    expect(breaker.stats().retryAt).toBe(Infinity)
    const told: unknown[] = []
    breaker.on('change', ({ to, retryAt }) => void told.push([to, retryAt]))
    breaker.reset()
    breaker.isolate()
    expect(told).toEqual([['closed', undefined], ['isolated', Infinity]])
    expect(CircuitBreaker.restore(JSON.stringify(breaker)).retryAt).toBe(Infinity)
  })

  it('rejects at once with the reason of its signal, and counts nothing', async () => {
    const breaker = new CircuitBreaker({ failures: 1 })
    const aborter = new AbortController()
    const reason = new Error('enough')
    let seen: AbortSignal | undefined
    const call = breaker.execute((signal) => {
      seen = signal
      return new Promise(() => {})
    }, { signal: aborter.signal })
    expect(await isPending(call)).toBe(true)
    aborter.abort(reason)
    await expect(call).rejects.toBe(reason)
    expect(seen?.aborted).toBe(true)
    expect(breaker.stats()).toMatchObject({ state: 'closed', cancelled: 1, failures: 0 })
  })

  it('calls nothing for a signal that has aborted', async () => {
    const breaker = new CircuitBreaker()
    let calls = 0
    await expect(breaker.execute(() => calls++, { signal: AbortSignal.abort('no') })).rejects.toBe('no')
    expect(calls).toBe(0)
    expect(breaker.stats()).toMatchObject({ cancelled: 0 })
  })

  it.each<[string, (signal: AbortSignal) => unknown]>([
    ['aborted', (signal) => signal.aborted],
    ['addEventListener', (signal) => signal.addEventListener('abort', () => {})],
    ['onabort', (signal) => (signal.onabort = null)],
    ['throwIfAborted', (signal) => signal.throwIfAborted()],
    // Browsers follow signals without asking their properties, and let go of whoever follows.
    ...(IN_BROWSER ? [] : FOLLOWERS),
  ])('gives no other call a signal that somebody looked at: %s', async (_, look) => {
    const breaker = new CircuitBreaker()
    const looking = async (signal: AbortSignal): Promise<AbortSignal> => {
      await look(signal)
      return signal
    }
    const first = await breaker.execute(looking)
    const second = await breaker.execute((...[signal]) => signal)
    // Who listens to one and never lets go of it is alone with that.
    expect(second).not.toBe(first)
    expect([first.aborted, first.reason, second.aborted]).toEqual([false, undefined, false])
    expect(first, 'it is like any other').toBeInstanceOf(AbortSignal)
    expect(Object.getOwnPropertyNames(first)).toEqual(Object.getOwnPropertyNames(new AbortController().signal))
  })

  it('does not close for requests for time', async () => {
    const clock = manualClock()
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs: 100, clock })
    await failing(breaker)
    await clock.advance(100)
    for (let n = 0; n < 6; n++) {
      const asked = new RetryAfterError(0)
      await expect(breaker.execute(() => Promise.reject(asked))).rejects.toBe(asked)
      expect(breaker.state).toBe('half-open')
    }
  })

  it('aborts a probe at its deadline, and the timer opens the circuit without anybody looking', async () => {
    const clock = manualClock()
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs: 100, probeTimeoutMs: 50, clock })
    await failing(breaker)
    await clock.advance(100)
    const changes: CircuitChange[] = []
    breaker.on('change', (change) => void changes.push(change))
    const started = clock.now()
    const probe = breaker.execute((signal) => new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    }))
    const refused = refusal(probe, 'ERR_TIMEOUT', /deadline/)
    await clock.advance(50)
    await refused
    expect(changes).toEqual([
      { from: 'open', to: 'half-open', why: 'cooled-down', at: started },
      { from: 'half-open', to: 'open', why: 'probe-timeout', at: started + 50, retryAt: started + 150 },
    ])
    expect(breaker.stats()).toMatchObject({ expiredProbes: 1, lateFailures: 1 })
  })

  it('leaves no timer behind', async () => {
    const clock = manualClock()
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs: 100, clock })
    await failing(breaker)
    expect(await clock.next()).toBeUndefined()
    await clock.advance(100)
    await breaker.execute(() => 1)
    expect(await clock.next()).toBeUndefined()
  })

  it('counts a RetryAfterError that says so as a failure, and holds calls until then all the same', async () => {
    const clock = manualClock({ start: 0 })
    const breaker = new CircuitBreaker({ failures: 2, cooldownMs: 1_000, clock })
    const busy = () => Promise.reject(new RetryAfterError(3_000, { countsAsFailure: true }))
    await expect(breaker.execute(busy)).rejects.toThrow(RetryAfterError)
    expect(breaker.stats()).toMatchObject({ state: 'closed', retryAt: 3_000, failures: 1, throttled: 1 })
    await clock.advance(3_000)
    await expect(breaker.execute(busy)).rejects.toThrow(RetryAfterError)
    expect(breaker.stats()).toMatchObject({ state: 'open', retryAt: 6_000, failures: 2, throttled: 2 })
    await clock.advance(3_000)
    await expect(breaker.execute(busy), 'as a probe').rejects.toThrow(RetryAfterError)
    expect(breaker.stats()).toMatchObject({ state: 'open', retryAt: 9_000, openings: 2 })
  })

  it('takes no part in what a PermanentError says, nor in what isFailure waves through', async () => {
    const breaker = new CircuitBreaker({ failures: 1, isFailure: (error) => error instanceof TypeError })
    await breaker.execute(() => Promise.reject(new PermanentError('no such account'))).catch(() => {})
    await breaker.execute(() => Promise.reject(new RangeError())).catch(() => {})
    expect(breaker.stats()).toMatchObject({ state: 'closed', ignored: 2 })
    await breaker.execute(() => Promise.reject(new TypeError())).catch(() => {})
    expect(breaker.state).toBe('open')
  })

  it('counts a failure where isFailure fails itself, and rejects with what the function threw', async () => {
    const breaker = new CircuitBreaker({
      failures: 1,
      isFailure: () => {
        throw new Error('a defect')
      },
    })
    const warned = nextWarning()
    await expect(breaker.execute(fail)).rejects.toThrow('it failed')
    expect(breaker.state).toBe('open')
    expect((await warned).message).toMatch(/isFailure failed: a defect/)
  })

  it('keeps the successes that it tells the engine together', async () => {
    const clock = manualClock()
    const breaker = new CircuitBreaker({ window: 'time', windowMs: 10_000, minCalls: 1_000, clock })
    for (let call = 0; call < 100; call++) {
      await breaker.execute(() => 1)
      if (call % 10 === 9) await clock.advance(500)
    }
    expect(breaker.stats()).toMatchObject({ successes: 100, window: { calls: 100, failures: 0, slow: 0 } })
    await failing(breaker)
    expect(breaker.stats().window).toEqual({ calls: 101, failures: 1, slow: 0 })
    await clock.advance(5_000)
    expect(breaker.stats().window).toEqual({ calls: 81, failures: 1, slow: 0 })
  })
})

describe('events [A7 CircuitBreaker]', () => {
  it('tells of each change before the call goes on, and of who is turned away', async () => {
    const clock = manualClock({ start: 0 })
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs: 100, clock })
    const told: unknown[] = []
    for (const event of ['open', 'half-open', 'close', 'rejected'] as const) {
      breaker.on(event, (details) => void told.push([event, details]))
    }
    await failing(breaker)
    await failing(breaker)
    await clock.advance(100)
    await breaker.execute(() => 1)
    breaker.isolate()
    breaker.reset()
    expect(told).toEqual([
      ['open', { from: 'closed', why: 'failures', at: 0, retryAt: 100 }],
      ['rejected', { state: 'open', retryAt: 100 }],
      ['half-open', { from: 'open', why: 'cooled-down', at: 100 }],
      ['close', { from: 'half-open', why: 'recovered', at: 100 }],
      ['close', { from: 'isolated', why: 'manual', at: 100 }],
    ])
  })

  it('is not harmed by listeners that act on it', async () => {
    const clock = manualClock()
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs: 100, clock })
    breaker.on('half-open', () => breaker.isolate())
    await failing(breaker)
    await clock.advance(100)
    // Its permit was of the state that the listener ended.
    expect(await breaker.execute(() => 'went through')).toBe('went through')
    expect(breaker.state).toBe('isolated')
    await refusal(breaker.execute(() => 1), 'ERR_CIRCUIT_OPEN')
    expect(breaker.stats()).toMatchObject({ lateSuccesses: 1, successes: 0 })
  })

  it('come to each listener in the order in which they happened, when one of them acts on the breaker', async () => {
    const clock = manualClock({ start: 0 })
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs: 100, clock })
    const turnedAway: Promise<unknown>[] = []
    breaker.on('open', () => {
      turnedAway.push(breaker.execute(() => 1).catch(() => {}))
      breaker.reset()
      expect(breaker.state, 'what it did holds at once').toBe('closed')
    }, { once: true })
    const told: string[] = []
    breaker.on('open', ({ from }) => void told.push(`open after ${from}`))
    breaker.on('close', ({ from }) => void told.push(`close after ${from}`))
    breaker.on('rejected', ({ state }) => void told.push(`rejected while ${state}`))
    breaker.on('change', ({ from, to }) => void told.push(`${from} -> ${to}`))
    await failing(breaker)
    await Promise.all(turnedAway)
    expect(told).toEqual(['open after closed', 'closed -> open', 'rejected while open', 'close after open', 'open -> closed'])
    await failing(breaker)
    expect(told.slice(5), 'and what comes later is told as ever').toEqual(['open after closed', 'closed -> open'])
  })

  it('names the nearest event', async () => {
    const breaker = new CircuitBreaker()
    await refusal(() => breaker.on('opened' as 'open', () => {}), 'ERR_INVALID_OPTION', /did you mean 'open'/)
  })
})

describe('a cooldown that a function tells [A7 CircuitBreaker]', () => {
  it('is asked for the number of openings and the error', async () => {
    const clock = manualClock({ start: 0 })
    const asked: unknown[] = []
    const cooldownMs = (openings: number, error: unknown): number => {
      asked.push([openings, (error as Error).message])
      return openings * 100
    }
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs, clock })
    const retries: number[] = []
    breaker.on('open', ({ retryAt }) => void retries.push(retryAt))
    await failing(breaker)
    await clock.advance(100)
    await failing(breaker)
    expect(asked).toEqual([[1, 'it failed'], [2, 'it failed']])
    expect(retries).toEqual([100, 300])
    expect(breaker.retryAt).toBe(300)
  })

  it('is the default where the function fails', async () => {
    const clock = manualClock({ start: 0 })
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs: () => Number.NaN, clock })
    const warned = nextWarning()
    await failing(breaker)
    expect(breaker.retryAt).toBe(30_000)
    expect((await warned).message).toMatch(/cooldownMs failed, 30000 ms are taken/)
  })
})

describe('jitter of the cooldown [A7 CircuitBreaker]', () => {
  const opened = async (seed: string | undefined): Promise<number> => {
    const cooldownMs = exponential({ baseMs: 10_000, jitter: 'full' })
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs, clock: manualClock({ start: 0 }), seed })
    await failing(breaker)
    return breaker.retryAt!
  }

  it('is fixed by a seed, on both engines alike', async () => {
    expect(await opened('fixed')).toBe(await opened('fixed'))
    expect(await opened('fixed')).toMatchInlineSnapshot(`4952`)
    expect(await opened('other')).not.toBe(await opened('fixed'))
  })

  it('differs between breakers otherwise', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => opened(undefined)))
    expect(new Set(all).size).toBeGreaterThan(5)
  })
})

describe('what outlives a process [A7 CircuitBreaker]', () => {
  it('is plain JSON with the options, and makes an equal breaker', async () => {
    const clock = manualClock({ start: 1_000 })
    const breaker = new CircuitBreaker({ failures: 2, cooldownMs: exponential({ jitter: 'none' }), clock })
    await failing(breaker, 2)
    const json = breaker.toJSON()
    expect(JSON.parse(JSON.stringify(json))).toEqual(json)
    expect(json).toMatchObject({ version: 1, state: 'open', openedAt: 1_000, openUntil: 2_000, options: { failures: 2 } })
    await clock.advance(400)
    for (const saved of [json, JSON.stringify(json)]) {
      const restored = CircuitBreaker.restore(saved, { clock })
      expect(restored.state).toBe('open')
      expect(restored.retryAt).toBe(2_000)
      expect(restored.toJSON().options).toEqual(json.options)
    }
  })

  it('is over no later than it would have been, if the clock was set back meanwhile', async () => {
    const clock = manualClock({ start: 3_600_000 })
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs: 1_000, clock })
    await failing(breaker)
    await clock.advance(900)
    const saved = JSON.stringify(breaker)
    const restored = CircuitBreaker.restore(saved, { clock: manualClock({ start: 5_000 }) })
    expect(restored.retryAt, '100 ms were left').toBe(5_100)
  })

  it('is refused with what is wrong about it', async () => {
    const json = new CircuitBreaker().toJSON()
    await refusal(() => CircuitBreaker.restore('{'), 'ERR_INVALID_OPTION', /the text of what toJSON\(\) gave/)
    await refusal(() => CircuitBreaker.restore(null as never), 'ERR_INVALID_OPTION', /what toJSON\(\) gave, got null/)
    await refusal(() => CircuitBreaker.restore({ ...json, version: 2 }), 'ERR_INVALID_OPTION', /version 1, got version 2/)
    await refusal(() => CircuitBreaker.restore({ ...json, state: 'ajar' as never }), 'ERR_INVALID_OPTION', /ajar/)
    await refusal(() => CircuitBreaker.restore({ ...json, state: 'open' }), 'ERR_INVALID_OPTION', /openedAt/)
    await refusal(() => CircuitBreaker.restore({ ...json, savedAt: Number.NaN }), 'ERR_INVALID_OPTION', /finite/)
    await refusal(
      () => CircuitBreaker.restore({ ...json, options: { failure: 1 } as never }),
      'ERR_INVALID_OPTION',
      /did you mean 'failures'/,
    )
  })
})

describe('options [A7 CircuitBreaker]', () => {
  const wrong: [CircuitBreakerOptions | object, RegExp][] = [
    [{ failure: 3 }, /unknown option 'failure'; did you mean 'failures'\?/],
    [{ cooldown: 3 }, /did you mean 'cooldownMs'\?/],
    [{ failures: 0 }, /failures to be a whole number from 1/],
    [{ failures: 2.5 }, /failures to be a whole number/],
    [{ window: 'sliding' }, /'consecutive' or 'count' or 'time'/],
    [{ window: 'count', size: 65_537 }, /size to be a whole number from 1 to 65536/],
    [{ window: 'count', size: 10, minCalls: 11 }, /`minCalls` to be from 1 to 10, got 11/],
    [{ window: 'time', windowMs: 0 }, /windowMs to be milliseconds from 1/],
    [{ window: 'time', failureRate: 50 }, /failureRate to be a share above 0, at most 1, got 50/],
    [{ window: 'time', failureRate: 0 }, /failureRate/],
    [{ window: 'time', slowRate: 0.5 }, /`slowMs` beside the option `slowRate`/],
    [{ slowMs: 100 }, /`window` to be count or time with the option `slowMs`, got consecutive/],
    [{ size: 10 }, /`window` to be count with the option `size`/],
    [{ window: 'count', windowMs: 10 }, /`window` to be time with the option `windowMs`, got count/],
    [{ window: 'time', failures: 5 }, /`window` to be consecutive with the option `failures`/],
    [{ probes: 101 }, /probes to be a whole number from 1 to 100/],
    [{ successes: 0 }, /successes/],
    [{ probeTimeoutMs: 0 }, /probeTimeoutMs/],
    [{ cooldownMs: -1 }, /cooldownMs to be milliseconds from 0/],
    [{ cooldownMs: 'long' }, /cooldownMs/],
    [{ cooldownMs: { kind: 'exponential', baseMs: -1 } }, /baseMs/],
    [{ isFailure: true }, /isFailure to be a function/],
    [{ clock: {} }, /clock to have now, setTimeout and clearTimeout/],
    [{ seed: {} }, /seed to be a string or a number/],
  ]

  it.each(wrong)('refuses %j', async (options, message) => {
    const error = await refusal(() => new CircuitBreaker(options), 'ERR_INVALID_OPTION', message)
    expect(error.message).toMatch(/^(CircuitBreaker|exponential\(\)): /)
  })

  it('refuses what is no function, and wrong options of execute', async () => {
    const breaker = new CircuitBreaker()
    await refusal(breaker.execute(7 as never), 'ERR_INVALID_OPTION', /the function/)
    await refusal(breaker.execute(() => 1, { sgnal: undefined } as never), 'ERR_INVALID_OPTION', /did you mean 'signal'/)
    await refusal(breaker.execute(() => 1, { signal: 7 as never }), 'ERR_INVALID_OPTION', /an AbortSignal/)
  })

  it('is not taken down by a clock that tells nonsense', async () => {
    let now = 1_000
    const breaker = new CircuitBreaker({ clock: { ...manualClock(), now: () => now }, failures: 1 })
    await failing(breaker)
    now = Number.NaN
    await refusal(breaker.execute(() => 1), 'ERR_ENGINE', /clock.now failed/)
    now = 2_000
    expect(breaker.state).toBe('open')
    expect(new CircuitBreaker().state).toBe('closed')
  })

  it('serves many breakers beside each other', async () => {
    const breakers = Array.from({ length: 1_000 }, () => new CircuitBreaker({ failures: 1 }))
    await Promise.all(breakers.map((breaker, index) => (index % 2 === 0 ? failing(breaker) : breaker.execute(() => 1))))
    expect(breakers.filter(({ state }) => state === 'open')).toHaveLength(500)
    const waiting = gate()
    const call = breakers[1]!.execute(() => waiting.promise)
    waiting.open()
    await call
  })
})
