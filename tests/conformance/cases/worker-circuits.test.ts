/** Circuit breakers of workers: a failing destination pauses, its messages pay nothing, and all others go on. */
import { CircuitBreaker, constant, type Delivery, PermanentError, type Queue, RetryAfterError, type WorkerOptions } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'

const BREAKER = { failures: 2, cooldownMs: 10_000 }
const OPTIONS = { backoff: constant(0), destination: (body: string): string => body.split('-')[0]! }

/** A world outside whose parts can be down. */
class Outside {
  readonly down = new Set<string>()
  readonly calls: string[] = []

  readonly handle = (message: Delivery<string>): void => {
    this.calls.push(`${message.body} ${message.attempt}`)
    if (this.down.has(message.destination!)) throw new Error(`${message.destination} is down`)
  }

  process(queue: Queue<string>, options: WorkerOptions<string> = {}) {
    return queue.process(this.handle, { breaker: BREAKER, ...options })
  }
}

eachStorage('circuits of a worker [A3 breaker, S8]', (make) => {
  it('an outage costs no attempt but those that opened the circuit, and other destinations do not wait', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('jobs', { ...OPTIONS, maxAttempts: 3 })
    const seen = record(queue)
    const outside = new Outside()
    outside.down.add('a')
    const worker = outside.process(queue)
    await queue.enqueue('a-1')
    const { retryAt } = await seen.until('circuit')
    expect(retryAt).toBe(clock.now() + 10_000)
    expect(worker.circuit('a')).toMatchObject({ state: 'open', retryAt })
    await queue.enqueueMany([{ body: 'a-2' }, { body: 'b-1' }])
    await seen.until('completed')
    expect(outside.calls).toEqual(['a-1 1', 'a-1 2', 'b-1 1'])
    for (let probes = 0; probes < 6; probes += 1) await clock.advance(10_000)
    expect(outside.calls.slice(3)).toEqual(['a-1 3', 'a-2 1', 'a-1 3', 'a-2 1', 'a-1 3', 'a-2 1'])
    outside.down.clear()
    await clock.advance(10_000)
    await queue.idle()
    expect(outside.calls.slice(9)).toEqual(['a-1 3', 'a-2 1'])
    expect(worker.circuit('a')).toMatchObject({ state: 'closed', retryAt: undefined, openings: 0 })
    expect(await queue.stats()).toMatchObject({ dead: 0, acked: 3 })
  })

  it('an open circuit stays open over a restart', async () => {
    const site = await make()
    const outside = new Outside()
    outside.down.add('a')
    const before = site.box.queue<string>('jobs', OPTIONS)
    const seen = record(before)
    outside.process(before)
    await before.enqueue('a-1')
    await seen.until('circuit')
    const after = (await site.reopen()).queue<string>('jobs', OPTIONS)
    const worker = outside.process(after)
    expect(worker.circuits()).toEqual([
      { destination: 'a', state: 'open', retryAt: site.clock.now() + 10_000, openings: 1 },
    ])
    outside.down.clear()
    await site.clock.advance(10_000)
    await after.idle()
    expect(outside.calls).toEqual(['a-1 1', 'a-1 2', 'a-1 3'])
  })
})

describe('circuits of a worker', () => {
  it('probes have as much time as handlers, and close the circuit of a service that is slow and well [A3 timeoutMs]', async () => {
    const { box, clock } = await makeInMemory()
    const breakers = { options: BREAKER, instance: new CircuitBreaker({ ...BREAKER, clock }) }
    let isDown = true
    const workers = Object.entries(breakers).map(([name, breaker]) => {
      const queue = box.queue<string>(name, { ...OPTIONS, destination: () => undefined })
      const worker = queue.process(async () => {
        if (isDown) throw new Error('down')
        await new Promise((resolve) => clock.setTimeout(() => resolve(undefined), 40_000))
      }, { breaker, timeoutMs: 120_000 })
      return { queue, worker }
    })
    for (const { queue } of workers) await queue.enqueue('a-1')
    await clock.advance(0)
    expect(workers.map(({ worker }) => worker.circuit().state)).toEqual(['open', 'open'])
    isDown = false
    await clock.advance(10_000)
    await clock.advance(39_999)
    expect(workers.map(({ worker }) => worker.circuit().state)).toEqual(['half-open', 'half-open'])
    await clock.advance(1)
    await Promise.all(workers.map(({ queue }) => queue.idle()))
    expect(workers.map(({ worker }) => worker.circuit().state)).toEqual(['closed', 'closed'])
  })

  it('handlers that never return are failures when their time is up [A3 timeoutMs]', async () => {
    const { box, clock } = await makeInMemory()
    const breakers = { options: BREAKER, instance: new CircuitBreaker({ ...BREAKER, clock }) }
    const workers = Object.entries(breakers).map(([name, breaker]) => {
      const queue = box.queue<string>(name, { ...OPTIONS, destination: () => undefined })
      return { queue, worker: queue.process(() => new Promise(() => {}), { breaker, concurrency: 2, timeoutMs: 1_000 }) }
    })
    for (const { queue } of workers) await queue.enqueueMany([{ body: 'a-1' }, { body: 'a-2' }])
    await clock.advance(999)
    expect(workers.map(({ worker }) => worker.circuit().state)).toEqual(['closed', 'closed'])
    await clock.advance(1)
    expect(workers.map(({ worker }) => worker.circuit().state)).toEqual(['open', 'open'])
    await box.close({ timeoutMs: 0 })
  })

  it('events tell each change [A6 events]', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', OPTIONS)
    const changes: string[] = []
    queue.on('circuit', ({ destination, from, to }) => changes.push(`${destination}: ${from} to ${to}`))
    const outside = new Outside()
    outside.down.add('a')
    outside.process(queue)
    await queue.enqueue('a-1')
    await clock.advance(0)
    outside.down.clear()
    await clock.advance(10_000)
    await queue.idle()
    expect(changes).toEqual(['a: closed to open', 'a: open to half-open', 'a: half-open to closed'])
  })

  it('what says nothing about the destination opens nothing', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', OPTIONS)
    const errors = [new PermanentError('no'), new PermanentError('no'), new RetryAfterError(1_000), new RetryAfterError(1_000)]
    const throwNext = (): void => {
      const error = errors.shift()
      if (error !== undefined) throw error
    }
    const worker = queue.process(throwNext, { breaker: BREAKER })
    await queue.enqueueMany([{ body: 'a-1' }, { body: 'a-2' }, { body: 'a-3' }])
    await clock.advance(0)
    expect(errors).toHaveLength(1)
    await clock.advance(1_000)
    await clock.advance(1_000)
    await queue.idle()
    expect(worker.circuit('a').state).toBe('closed')
  })

  it('a circuit that hears nothing but refusals of messages closes after five [A3 breaker]', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', OPTIONS)
    let isUp = false
    const worker = queue.process(() => {
      throw isUp ? new PermanentError('404') : new Error('no answer')
    }, { breaker: BREAKER, concurrency: 10 })
    await queue.enqueueMany(Array.from({ length: 20 }, (_, n) => ({ body: `a-${n}` })))
    await clock.advance(0)
    const { state, retryAt } = worker.circuit('a')
    expect(state).toBe('open')
    isUp = true
    await clock.advance(retryAt! - clock.now())
    await queue.idle()
    expect(worker.circuit('a').state).toBe('closed')
    expect(await queue.stats()).toMatchObject({ deadLetters: 20 })
  })

  it('what names no time opens nothing and holds nobody else', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', OPTIONS)
    const blameless = [new RetryAfterError({}), new RetryAfterError(0), new RetryAfterError({ 'retry-after': 'soon' })]
    const worker = queue.process(({ body }) => {
      if (body === 'a-1' && blameless.length > 0) throw blameless.shift()!
    }, { breaker: BREAKER, perDestination: {} })
    await queue.enqueueMany([{ body: 'a-1', maxAttempts: 1 }, { body: 'a-2' }])
    await queue.idle()
    expect([blameless.length, worker.circuit('a').state]).toEqual([0, 'closed'])
    expect(await queue.stats()).toMatchObject({ acked: 2, retried: 0 })
    const failing = queue.process(() => Promise.reject(new Error('no')), {
      name: 'blaming', breaker: BREAKER, classify: () => ({ retryAfterMs: 0, countsAsFailure: true }),
    })
    await worker.close()
    await queue.enqueue('a-3')
    await clock.advance(0)
    expect(failing.circuit('a').state, 'unless it is said to be a failure').toBe('open')
  })

  it('classify says whether a failure counts', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', OPTIONS)
    const outside = new Outside()
    outside.down.add('a')
    const worker = outside.process(queue, { classify: () => ({ retryAfterMs: 1_000, countsAsFailure: true }) })
    await queue.enqueue('a-1')
    await clock.advance(0)
    await clock.advance(1_000)
    expect(worker.circuit('a').state).toBe('open')
  })

  it.each([
    ['dead-letter', { reason: 'circuit-open', attempt: 2 }],
    ['reject', { reason: 'exhausted', attempt: 4 }],
  ] as const)('whenOpen: %o [A3 whenOpen]', async (whenOpen, expected) => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', { ...OPTIONS, maxAttempts: 4 })
    const seen = record(queue)
    const outside = new Outside()
    outside.down.add('a')
    outside.process(queue, { whenOpen })
    const until = new Date(clock.now() + 10_000).toISOString()
    await queue.enqueue('a-1', { id: 'x' })
    // Attempts that fail without a backoff are a millisecond apart.
    for (let ms = 0; ms < 2; ms += 1) await clock.advance(1)
    await seen.until('dead')
    const letter = await queue.dead.get('x')
    const error = { code: 'ERR_CIRCUIT_OPEN', message: `the circuit of destination 'a' is open until ${until}` }
    expect(letter).toMatchObject({ ...expected, error })
    expect(outside.calls).toHaveLength(2)
  })

  it('without a backoff and an end, whenOpen: reject costs an attempt a millisecond and no more', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', { ...OPTIONS, maxAttempts: Infinity })
    const outside = new Outside()
    outside.down.add('a')
    outside.process(queue, { whenOpen: 'reject' })
    await queue.enqueue('a-1', { id: 'x' })
    await clock.advance(0)
    const { attempt = 0 } = (await queue.get('x'))!
    for (let ms = 0; ms < 5; ms += 1) await clock.advance(1)
    expect(await queue.get('x')).toMatchObject({ attempt: attempt + 5, state: 'scheduled' })
    expect(outside.calls).toHaveLength(2)
  })

  it('a circuit is isolated and reset by hand', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', OPTIONS)
    const outside = new Outside()
    const seen = record(queue)
    const worker = outside.process(queue)
    const circuit = worker.circuit('a')
    circuit.isolate()
    expect(circuit).toMatchObject({ state: 'isolated', retryAt: Infinity })
    expect(worker.circuits()).toMatchObject([{ state: 'isolated', retryAt: Infinity }])
    expect(await seen.until('circuit')).toMatchObject({ to: 'isolated', retryAt: Infinity })
    await queue.enqueue('a-1')
    await clock.advance(1_000_000)
    expect(outside.calls).toEqual([])
    circuit.reset()
    expect(circuit).toMatchObject({ state: 'closed', retryAt: undefined })
    expect(await seen.until('circuit', 2)).toMatchObject({ to: 'closed', retryAt: undefined })
    await queue.idle()
    expect(outside.calls).toEqual(['a-1 1'])
  })

  it('of a worker that is closed are read no more, a breaker of the user aside', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', OPTIONS)
    const own = queue.process(() => {}, { breaker: BREAKER })
    const shared = queue.process(() => {}, { name: 'shared', breaker: new CircuitBreaker({ ...BREAKER, clock }) })
    const circuit = own.circuit('a')
    expect(circuit.state).toBe('closed')
    await Promise.all([own.close(), shared.close()])
    expect(() => circuit.state).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }))
    expect(() => own.circuits()).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }))
    expect(shared.circuit().state).toBe('closed')
  })

  it('a worker without a breaker has none to be isolated', async () => {
    const { box } = await makeInMemory()
    const circuit = box.queue('jobs').process(() => {}).circuit()
    expect(circuit.state).toBe('disabled')
    await refusal(() => circuit.isolate(), 'ERR_INVALID_OPTION', /breaker/)
  })
})

describe('a cooldown that a function tells', () => {
  async function failing(options: WorkerOptions<string>) {
    const { box, clock, reopen } = await makeInMemory()
    const warnings: string[] = []
    box.on('warning', ({ message }) => warnings.push(message))
    const queue = box.queue<string>('jobs', OPTIONS)
    const seen = record(queue)
    const outside = new Outside()
    outside.down.add('a')
    const worker = outside.process(queue, options)
    await queue.enqueue('a-1')
    return { clock, reopen, queue, seen, outside, worker, warnings }
  }

  it('is asked once for each opening, with its number in a row and what opened it [A3 breaker]', async () => {
    const asked: unknown[] = []
    const cooldownMs = (openings: number, error: unknown): number => {
      asked.push([openings, (error as Error).message])
      return openings * 60_000
    }
    const { clock, seen, outside, worker, reopen } = await failing({ breaker: { failures: 2, cooldownMs } })
    expect((await seen.until('circuit')).retryAt).toBe(clock.now() + 60_000)
    expect(asked).toEqual([[1, 'a is down']])
    await clock.advance(59_999)
    expect(outside.calls).toHaveLength(2)
    await clock.advance(1)
    expect(outside.calls).toHaveLength(3)
    expect(worker.circuit('a')).toMatchObject({ state: 'open', openings: 2, retryAt: clock.now() + 120_000 })
    const after = (await reopen()).queue<string>('jobs', OPTIONS)
    outside.process(after, { breaker: { failures: 2, cooldownMs } })
    outside.down.clear()
    await clock.advance(119_999)
    expect(outside.calls).toHaveLength(3)
    await clock.advance(1)
    await after.idle()
    expect([outside.calls.length, asked.length]).toEqual([4, 2])
  })

  it('may be no time at all', async () => {
    const { clock, outside } = await failing({ breaker: { failures: 2, cooldownMs: (openings) => (openings < 4 ? 0 : 1e9) } })
    await clock.advance(0)
    expect(outside.calls).toEqual(['a-1 1', 'a-1 2', 'a-1 3', 'a-1 3', 'a-1 3'])
  })

  it('of a destination goes before that of the worker', async () => {
    const options = { breaker: { cooldownMs: () => 1 }, perDestination: { breaker: { failures: 2, cooldownMs: () => 5_000 } } }
    const { clock, seen } = await failing(options)
    expect((await seen.until('circuit')).retryAt).toBe(clock.now() + 5_000)
  })

  it('that fails is 30 s, and is told of', async () => {
    const { clock, seen, warnings } = await failing({ breaker: { failures: 2, cooldownMs: () => NaN } })
    expect((await seen.until('circuit')).retryAt).toBe(clock.now() + 30_000)
    expect(warnings).toMatchObject([expect.stringMatching(/cooldownMs failed, 30000 ms/)])
  })
})
