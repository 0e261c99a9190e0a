/** A breaker of the user in front of workers: one gate for all their messages, and for calls outside queues. */
import { CircuitBreaker, constant, type Delivery, PermanentError, type Queue, RetryAfterError, type WorkerOptions } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { eachStorage, makeInMemory, openOn } from '../support/boxes.ts'
import { gate, type Gate, manualClock } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

const OPTIONS = { backoff: constant(0), destination: (body: string): string => body.split('-')[0]! }
const COOLDOWN_MS = 10_000

/** A service that can be down. */
class Outside {
  isDown = true
  readonly calls: string[] = []

  readonly handle = ({ body, attempt }: Delivery<string>): void => {
    this.calls.push(`${body} ${attempt}`)
    if (this.isDown) throw new Error('down')
  }
}

async function guarded(options: WorkerOptions<string> = {}, make = makeInMemory) {
  const site = await make()
  const { box, clock } = site
  const breaker = new CircuitBreaker({ failures: 2, cooldownMs: COOLDOWN_MS, clock })
  const queue = box.queue<string>('jobs', OPTIONS)
  const outside = new Outside()
  const worker = queue.process(outside.handle, { breaker, ...options })
  return { ...site, breaker, queue, outside, worker, seen: record(queue) }
}

const bodies = (...all: string[]): { body: string }[] => all.map((body) => ({ body }))

eachStorage('a CircuitBreaker as the breaker of a worker [A3 breaker, A7 CircuitBreaker]', (make) => {
  it('is one gate for all destinations: while it is open nothing is claimed and no attempt is lost', async () => {
    const { clock, breaker, queue, outside, worker } = await guarded({ concurrency: 5 }, make)
    await queue.enqueue('a-1')
    await clock.advance(0)
    expect(breaker.state).toBe('open')
    await queue.enqueueMany(bodies('a-2', 'b-1', 'c-1'))
    await clock.advance(COOLDOWN_MS - 1)
    expect(outside.calls).toEqual(['a-1 1', 'a-1 2'])
    expect(await queue.stats()).toMatchObject({ ready: 4, leased: 0 })
    for (let probes = 0; probes < 5; probes += 1) await clock.advance(COOLDOWN_MS)
    expect(outside.calls.slice(2), 'one probe at a time, each another message, at no cost')
      .toEqual(['a-1 3', 'a-2 1', 'b-1 1', 'c-1 1', 'a-1 3'])
    expect(worker.circuit()).toMatchObject({ state: 'open', openings: 6 })
    outside.isDown = false
    await clock.advance(COOLDOWN_MS)
    await queue.idle()
    expect(breaker.state).toBe('closed')
    expect(outside.calls.slice(7).sort()).toEqual(['a-1 3', 'a-2 1', 'b-1 1', 'c-1 1'])
    expect(await queue.stats()).toMatchObject({ dead: 0, acked: 4 })
  })
})

describe('a breaker of the user in front of workers', () => {
  it('comes back in growing numbers', async () => {
    const { box, clock } = await makeInMemory()
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs: COOLDOWN_MS, clock })
    const queue = box.queue<number>('jobs')
    const held: Gate[] = []
    const rounds: number[] = []
    queue.process(() => {
      const end = gate()
      held.push(end)
      return end.promise
    }, { breaker, concurrency: 16 })
    await breaker.execute(() => Promise.reject(new Error('down'))).catch(() => {})
    await queue.enqueueMany(Array.from({ length: 15 }, (_, body) => ({ body })))
    await clock.advance(COOLDOWN_MS)
    while (held.length > 0) {
      rounds.push(held.length)
      for (const end of held.splice(0)) end.open()
      await clock.advance(0)
    }
    expect(rounds).toEqual([1, 1, 2, 4, 7])
  })

  it('lets several probes through where it says so, and never more', async () => {
    const { box, clock } = await makeInMemory()
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs: COOLDOWN_MS, probes: 2, successes: 3, clock })
    const queue = box.queue<number>('jobs')
    const held: Gate[] = []
    queue.process(() => {
      const end = gate()
      held.push(end)
      return end.promise
    }, { breaker, concurrency: 9 })
    await breaker.execute(() => Promise.reject(new Error('down'))).catch(() => {})
    await queue.enqueueMany(Array.from({ length: 9 }, (_, body) => ({ body })))
    await clock.advance(COOLDOWN_MS)
    expect([held.length, (await queue.stats()).leased]).toEqual([2, 2])
    held[0]!.open()
    await clock.advance(0)
    expect(held).toHaveLength(3)
    expect(breaker.state).toBe('half-open')
    held[1]!.open()
    await clock.advance(0)
    held[2]!.open()
    await clock.advance(0)
    expect(breaker.state).toBe('closed')
  })

  it('is shared by workers of several queues and by calls outside queues', async () => {
    const { box, clock, breaker, queue, outside } = await guarded()
    const others = box.queue<string>('others', OPTIONS)
    const also: string[] = []
    others.process(({ body }) => void also.push(body), { breaker })
    await queue.enqueue('a-1')
    await clock.advance(0)
    await others.enqueue('b-1')
    await clock.advance(0)
    expect(also, 'what one worker finds out counts for the other').toEqual([])
    await refusal(() => breaker.execute(() => 1), 'ERR_CIRCUIT_OPEN')
    outside.isDown = false
    await clock.advance(COOLDOWN_MS)
    await Promise.all([queue.idle(), others.idle()])
    expect([also, breaker.state]).toEqual([['b-1'], 'closed'])
    for (let calls = 0; calls < 2; calls += 1) await breaker.execute(() => Promise.reject(new Error('down'))).catch(() => {})
    await queue.enqueue('a-2')
    await clock.advance(0)
    expect(outside.calls.at(-1), 'what calls find out counts for workers').toBe('a-1 3')
    breaker.reset()
    await queue.idle()
    expect(outside.calls.at(-1)).toBe('a-2 1')
  })

  it('is told of by each queue behind it, whoever caused the change [A6 events]', async () => {
    const { box, clock } = await makeInMemory()
    const breaker = new CircuitBreaker({ failures: 2, cooldownMs: COOLDOWN_MS, clock })
    const told: unknown[][] = [[], []]
    const [one, other] = ['one', 'other'].map((name, number) => {
      const queue = box.queue<string>(name, OPTIONS)
      queue.on('circuit', (change) => told[number]!.push(change))
      return queue
    })
    const outside = new Outside()
    // Two workers of one queue are one circuit.
    for (const name of ['a', 'b']) one!.process(outside.handle, { breaker, name })
    const last = other!.process(outside.handle, { breaker })
    await one!.enqueue('a-1')
    await clock.advance(0)
    const openedAt = clock.now()
    outside.isDown = false
    await clock.advance(COOLDOWN_MS)
    await one!.idle()
    const changes = [
      { destination: undefined, from: 'closed', to: 'open', retryAt: openedAt + COOLDOWN_MS },
      { destination: undefined, from: 'open', to: 'half-open', retryAt: undefined },
      { destination: undefined, from: 'half-open', to: 'closed', retryAt: undefined },
    ]
    expect(told).toEqual([changes, changes])
    await last.close()
    breaker.isolate()
    const isolated = { destination: undefined, from: 'closed', to: 'isolated', retryAt: Infinity }
    expect(told, 'without a worker behind it, it is nothing to a queue').toEqual([[...changes, isolated], changes])
    const ended = one!.events()[Symbol.asyncIterator]()
    const next = ended.next()
    breaker.reset()
    expect(await next).toMatchObject({ value: { type: 'circuit', from: 'isolated', to: 'closed' } })
    await ended.return!()
  })

  it('may have its probe taken by a call outside queues', async () => {
    const { box, clock } = await makeInMemory()
    const breaker = new CircuitBreaker({ failures: 1, cooldownMs: COOLDOWN_MS, clock })
    const call = gate()
    // The call and the worker are woken at the same instant, and the call asks first.
    clock.setTimeout(() => void breaker.execute(() => call.promise), COOLDOWN_MS)
    await breaker.execute(() => Promise.reject(new Error('down'))).catch(() => {})
    const queue = box.queue<string>('jobs', OPTIONS)
    const seen: string[] = []
    queue.process(({ body, attempt }) => void seen.push(`${body} ${attempt}`), { breaker })
    await queue.enqueue('a-1')
    await clock.advance(COOLDOWN_MS)
    expect([breaker.state, breaker.stats().probes, seen]).toEqual(['half-open', 1, []])
    call.open()
    await queue.idle()
    expect(seen).toEqual(['a-1 1'])
  })

  it('is told what says nothing of the service', async () => {
    const { box, clock } = await makeInMemory()
    const breaker = new CircuitBreaker({ failures: 1, isFailure: (error) => !(error instanceof TypeError), clock })
    const queue = box.queue<string>('jobs', { ...OPTIONS, maxAttempts: 2 })
    const errors = [new TypeError('mine'), new PermanentError('no'), new RetryAfterError({}), new RetryAfterError(5_000)]
    queue.process(() => {
      const error = errors.shift()
      if (error !== undefined) throw error
    }, { breaker })
    await queue.enqueueMany(bodies('a-1', 'a-2', 'a-3'))
    await clock.advance(0)
    expect([errors.length, breaker.state, breaker.retryAt]).toEqual([0, 'closed', clock.now() + 5_000])
    expect((await queue.stats()).acked, 'who asked for time holds all').toBe(0)
    await clock.advance(5_000)
    await queue.idle()
    expect(breaker.stats()).toMatchObject({ failures: 0, ignored: 2, cancelled: 1, throttled: 1, successes: 2 })
  })

  it('counts what is settled by hand, what took too long, and nothing of what was given up', async () => {
    const { box, clock } = await makeInMemory()
    const breaker = new CircuitBreaker({ failures: 9, clock })
    const queue = box.queue<string>('jobs', { ...OPTIONS, maxAttempts: 1 })
    const seen = record(queue)
    const handler = async (message: Delivery<string>): Promise<void> => {
      if (message.body === 'ack') return message.ack()
      if (message.body === 'reject') return message.reject(new Error('no'))
      if (message.body === 'dead') return message.reject('no use', { dead: true })
      await new Promise((resolve) => message.signal.addEventListener('abort', resolve))
    }
    const worker = queue.process(handler, { breaker, timeoutMs: 50 })
    await queue.enqueueMany(bodies('ack', 'reject', 'dead'))
    await queue.idle()
    expect(breaker.stats()).toMatchObject({ successes: 1, failures: 1, ignored: 1 })
    await queue.enqueue('late')
    await seen.until('started', 4)
    await clock.advance(50)
    expect(breaker.stats()).toMatchObject({ failures: 2, timeouts: 1 })
    await queue.enqueue('closed')
    await seen.until('started', 5)
    await worker.close({ timeoutMs: 0 })
    expect(breaker.stats()).toMatchObject({ successes: 1, failures: 2, cancelled: 1 })
  })

  it('that counts what asked for time as failures is held until then as well', async () => {
    const { clock, breaker, queue, worker, outside, seen } = await guarded({
      classify: () => ({ retryAfterMs: 30_000, countsAsFailure: true }),
    })
    await queue.enqueue('a-1')
    await seen.until('retry')
    expect(breaker.stats()).toMatchObject({ state: 'closed', failures: 1, retryAt: clock.now() + 30_000 })
    await queue.enqueue('b-1')
    await clock.advance(29_999)
    expect(outside.calls).toEqual(['a-1 1'])
    await clock.advance(1)
    await seen.until('retry', 2)
    expect(worker.circuit()).toMatchObject({ state: 'open', retryAt: clock.now() + 30_000 })
  })

  it.each([
    ['dead-letter', { reason: 'circuit-open' }],
    ['reject', { reason: 'exhausted' }],
  ] as const)('whenOpen: %o [A3 whenOpen]', async (whenOpen, expected) => {
    const { clock, breaker, queue, outside, worker, seen } = await guarded({ whenOpen })
    breaker.isolate()
    expect([worker.circuit(), ...worker.circuits()]).toMatchObject([{ retryAt: Infinity }, { retryAt: Infinity }])
    await queue.enqueue('a-1', { id: 'x', maxAttempts: 2 })
    await clock.advance(1)
    await seen.until('dead')
    expect(await queue.dead.get('x')).toMatchObject({ ...expected, error: { code: 'ERR_CIRCUIT_OPEN' } })
    expect(outside.calls).toEqual([])
  })

  it('is shown as the circuit of the worker, and forced through it', async () => {
    const { clock, breaker, queue, outside, worker } = await guarded()
    outside.isDown = false
    expect(worker.circuits()).toEqual([{ destination: undefined, state: 'closed', retryAt: undefined, openings: 0 }])
    worker.circuit('a').isolate()
    expect([breaker.state, worker.circuit().state, worker.circuit().retryAt]).toEqual(['isolated', 'isolated', Infinity])
    await queue.enqueue('a-1')
    await clock.advance(1_000_000)
    expect(outside.calls).toEqual([])
    worker.circuit().reset()
    await queue.idle()
    expect(outside.calls).toEqual(['a-1 1'])
  })

  it('goes with circuits of destinations', async () => {
    const { clock, breaker, queue, outside, worker } = await guarded({ perDestination: { breaker: { failures: 1 } } })
    await queue.enqueue('a-1')
    await clock.advance(0)
    expect([breaker.state, worker.circuit('a').state]).toEqual(['closed', 'open'])
    outside.isDown = false
    breaker.isolate()
    await queue.enqueue('b-1')
    await clock.advance(1_000_000)
    expect(outside.calls).toEqual(['a-1 1'])
    breaker.reset()
    await queue.idle()
    expect(outside.calls.slice(1).sort()).toEqual(['a-1 2', 'b-1 1'])
  })

  it('is not kept in the box', async () => {
    const { clock, breaker, queue, reopen } = await guarded()
    await queue.enqueue('a-1')
    await clock.advance(0)
    const after = (await reopen()).queue<string>('jobs', OPTIONS)
    const outside = new Outside()
    outside.isDown = false
    const restored = CircuitBreaker.restore(JSON.stringify(breaker), { clock })
    after.process(outside.handle, { breaker: restored })
    await clock.advance(COOLDOWN_MS - 1)
    expect([restored.state, outside.calls]).toEqual(['open', []])
    await clock.advance(1)
    await after.idle()
    expect(outside.calls).toEqual(['a-1 3'])
  })

  it('is let go of by workers that were closed', async () => {
    const { breaker, queue, worker, outside } = await guarded()
    await worker.close()
    breaker.isolate()
    outside.isDown = false
    queue.process(outside.handle)
    await queue.enqueue('a-1')
    await queue.idle()
    expect(outside.calls).toEqual(['a-1 1'])
  })

  it('hears nothing of a box that fails, at whatever moment it changes', async () => {
    for (let turns = 0; turns < 12; turns += 1) {
      const clock = manualClock()
      const breaker = new CircuitBreaker({ clock })
      const changed = gate()
      const change = async (): Promise<void> => {
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
        breaker.isolate()
      }
      const storage = new InjectedStorage()
      const append = storage.append.bind(storage)
      storage.append = (segment, bytes) => {
        const appended = append(segment, bytes)
        appended.catch(() => change().then(changed.open, changed.fail))
        return appended
      }
      const box = await openOn(storage, { clock })
      box.on('error', () => {})
      const queue = box.queue<string>('jobs')
      queue.process(() => {}, { breaker })
      storage.failNext(new Error('no space left on device'))
      await refusal(queue.enqueue('a'), 'ERR_STORAGE_FAILED')
      await changed.promise
      expect(breaker.state).toBe('isolated')
    }
  })

  it('is no breaker for each destination', async () => {
    const { box } = await makeInMemory()
    const breaker = new CircuitBreaker()
    const options = { perDestination: { breaker: breaker as never } }
    await refusal(() => box.queue<string>('jobs').process(() => {}, options), 'ERR_INVALID_OPTION', /one gate for all/)
  })
})

describe('isFailure of the breaker of a worker [A3 breaker]', () => {
  class Mine extends Error {}
  const isFailure = (error: unknown): boolean => !(error instanceof Mine)

  async function failing(error: Error, options: WorkerOptions<string>) {
    const { box, clock } = await makeInMemory()
    const queue: Queue<string> = box.queue<string>('jobs', { ...OPTIONS, maxAttempts: 4 })
    const worker = queue.process(() => {
      throw error
    }, options)
    await queue.enqueue('a-1', { id: 'x' })
    await clock.advance(0)
    return { queue, worker, state: worker.circuit('a').state, dead: await queue.dead.get('x') }
  }

  it('says what is no failure of the destination: the attempt counts, the circuit does not', async () => {
    expect(await failing(new Mine(), { breaker: { failures: 2, isFailure } })).toMatchObject({ state: 'closed', dead: { attempt: 4 } })
    expect(await failing(new Error('down'), { breaker: { failures: 2, isFailure } })).toMatchObject({ state: 'open', dead: undefined })
  })

  it('of a destination goes before that of the worker', async () => {
    const options = { breaker: { failures: 2, isFailure: () => true }, perDestination: { breaker: { failures: 2, isFailure } } }
    expect(await failing(new Mine(), options)).toMatchObject({ state: 'closed' })
  })

  it('is asked about what is rejected by hand, and not about what took too long', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs', { ...OPTIONS, maxAttempts: 9 })
    const seen = record(queue)
    const asked: unknown[] = []
    const breaker = { failures: 3, isFailure: (error: unknown) => asked.push(error) === 0 }
    let rounds = 0
    const worker = queue.process(async (message) => {
      if (rounds++ < 2) return message.reject('by hand')
      await new Promise((resolve) => message.signal.addEventListener('abort', resolve))
    }, { breaker, timeoutMs: 50 })
    await queue.enqueue('a-1')
    await seen.until('started', 3)
    for (let timeouts = 0; timeouts < 3; timeouts += 1) await clock.advance(50)
    expect(asked).toEqual(['by hand', 'by hand'])
    expect(worker.circuit('a').state).toBe('open')
  })

  it('that fails hides no failure, and is told of', async () => {
    const { box, clock } = await makeInMemory()
    const warnings: string[] = []
    box.on('warning', ({ message }) => warnings.push(message))
    const queue = box.queue<string>('jobs', OPTIONS)
    const outside = new Outside()
    const isFailure = (): boolean => {
      throw new Error('who knows')
    }
    const worker = queue.process(outside.handle, { breaker: { failures: 2, isFailure } })
    await queue.enqueue('a-1')
    await clock.advance(0)
    expect(worker.circuit('a').state).toBe('open')
    expect(warnings[0]).toMatch(/isFailure failed/)
  })
})
