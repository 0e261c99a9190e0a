/** Handlers that take too long. */
import { AckboxError, constant, PermanentError, RetryAfterError, type QueueOptions, type Warning, type WorkerOptions } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { gate, turns, type Gate } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'

const LEASE_MS = 10_000
const RETRY_MS = 100

/** A worker whose handlers wait for gates of the test. */
async function working(worker: WorkerOptions<unknown>, options: QueueOptions = {}, make = makeInMemory) {
  const { box, clock, reopen } = await make()
  const warnings: Warning[] = []
  box.on('warning', (warning) => warnings.push(warning))
  const queue = box.queue<unknown>('jobs', { leaseMs: LEASE_MS, maxAttempts: 2, backoff: constant(RETRY_MS), ...options })
  const seen = record(queue)
  const gates: Gate<unknown>[] = []
  const signals: AbortSignal[] = []
  const handler = ({ signal }: { signal: AbortSignal }): Promise<unknown> => {
    const end = gate<unknown>()
    gates.push(end)
    signals.push(signal)
    return end.promise
  }
  const running = queue.process(handler as never, worker)
  return { box, clock, reopen, queue, seen, warnings, gates, signals, stats: () => running.stats() }
}

eachStorage('timeoutMs [A3 timeoutMs]', (make) => {
  it('aborts the signal, and the attempt fails with the end of the handler [A3 signal]', async () => {
    const { clock, queue, seen, gates, signals, warnings } = await working({ timeoutMs: 5_000 }, {}, make)
    await queue.enqueue(1, { id: 'a' })
    await seen.until('started')
    await clock.advance(4_999)
    expect(signals[0]!.aborted).toBe(false)
    await clock.advance(1)
    expect(AckboxError.is(signals[0]!.reason, 'ERR_TIMEOUT')).toBe(true)
    expect(seen.of('retry')).toEqual([])
    gates[0]!.open('too late')
    expect(await seen.until('retry')).toMatchObject({ attempt: 1, delayMs: RETRY_MS, error: { code: 'ERR_TIMEOUT' } })
    await clock.advance(RETRY_MS)
    await clock.advance(5_000)
    gates[1]!.fail(new Error('my own words'))
    expect(await seen.until('dead')).toMatchObject({ reason: 'timeout', attempt: 2, error: { message: 'my own words' } })
    const letter = await queue.dead.get('a')
    expect(letter?.history.map(({ reason }) => reason)).toEqual(['timeout', 'timeout'])
    expect([seen.of('completed'), seen.of('stalled'), warnings]).toEqual([[], [], []])
  })
})

describe('a handler that timed out', () => {
  it('and throws what its signal says has failed with that', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<unknown>('jobs', { maxAttempts: 1 })
    const seen = record(queue)
    queue.process(({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))), { timeoutMs: 50 })
    await queue.enqueue(1)
    await seen.until('started')
    await clock.advance(50)
    expect(await seen.until('dead')).toMatchObject({ reason: 'timeout', error: { name: 'AckboxError', code: 'ERR_TIMEOUT' } })
  })

  it('settles nothing by hand', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<unknown>('jobs', { maxAttempts: 1 })
    const seen = record(queue)
    const told = gate<unknown>()
    queue.process(async (message) => {
      await new Promise((resolve) => message.signal.addEventListener('abort', resolve))
      told.open(await message.ack().catch((error: unknown) => error))
    }, { timeoutMs: 50 })
    await queue.enqueue(1)
    await seen.until('started')
    await clock.advance(50)
    expect(await told.promise).toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(await seen.until('dead')).toMatchObject({ reason: 'timeout' })
  })

  it('may still say that retrying is no use, or when', async () => {
    const { clock, queue, seen, gates } = await working({ timeoutMs: 50, concurrency: 2 })
    await queue.enqueueMany([{ body: 1, id: 'never' }, { body: 2, id: 'later' }])
    await seen.until('started', 2)
    await clock.advance(50)
    gates[0]!.fail(new PermanentError('no use'))
    gates[1]!.fail(new RetryAfterError(7_000))
    expect(await seen.until('dead')).toMatchObject({ id: 'never', reason: 'permanent' })
    expect(await seen.until('retry')).toMatchObject({ id: 'later', delayMs: 7_000 })
    await clock.advance(7_000)
    expect((await seen.until('started', 3)).attempt).toBe(2)
  })

  it('counts as failed in the stats of its worker', async () => {
    const { clock, queue, seen, gates, stats } = await working({ timeoutMs: 50 })
    await queue.enqueue(1)
    await seen.until('started')
    await clock.advance(50)
    gates[0]!.open('done')
    await seen.until('retry')
    expect(stats()).toMatchObject({ running: 0, completed: 0, failed: 1 })
  })

  it.each<[string, WorkerOptions<unknown>]>([
    ['timeoutMs', { timeoutMs: 50 }],
    ['maxRuntimeMs', { maxRuntimeMs: 50 }],
    ['both', { timeoutMs: 50, maxRuntimeMs: 60 }],
  ])('counts as failed as soon as it took too long, once: %s', async (_, options) => {
    const { clock, queue, seen, gates, stats } = await working(options, { maxAttempts: 1 })
    await queue.enqueue(1)
    await seen.until('started')
    await clock.advance(49)
    expect(stats()).toMatchObject({ running: 1, completed: 0, failed: 0 })
    await clock.advance(1)
    expect(stats()).toMatchObject({ running: 1, completed: 0, failed: 1 })
    await clock.advance(LEASE_MS)
    gates[0]!.open(undefined)
    await turns(5)
    expect(stats()).toMatchObject({ running: 0, completed: 0, failed: 1 })
  })

  it('and does not stop keeps its slot, is reported once, and its message goes on without it [S3]', async () => {
    const { clock, queue, seen, gates, warnings, stats } = await working({ timeoutMs: 50, concurrency: 2 })
    await queue.enqueue(1, { id: 'a' })
    await seen.until('started')
    await clock.advance(50)
    await clock.advance(LEASE_MS - 1)
    expect([seen.of('retry'), seen.of('stalled'), warnings]).toEqual([[], [], []])
    await clock.advance(1)
    expect(await seen.until('stalled')).toMatchObject({ id: 'a', attempt: 1 })
    expect(warnings).toMatchObject([{ queue: 'jobs', message: expect.stringMatching(/'a'.*told to stop/) }])
    await clock.advance(RETRY_MS)
    expect((await seen.until('started', 2)).attempt).toBe(2)
    expect(stats()).toMatchObject({ running: 2 })
    gates[1]!.open('done')
    await seen.until('completed')
    gates[0]!.open('at last')
    await turns()
    expect(stats()).toMatchObject({ running: 0, completed: 1, failed: 1 })
    expect([seen.of('completed').length, seen.of('stalled').length, warnings.length]).toEqual([1, 1, 1])
  })

  it('in at-most-once has failed, and nothing comes again', async () => {
    const { clock, queue, seen, gates } = await working({ timeoutMs: 50 }, { guarantee: 'at-most-once' })
    await queue.enqueue(1)
    await seen.until('started')
    await clock.advance(50)
    gates[0]!.open('done')
    expect(await seen.until('failed')).toMatchObject({ attempt: 1, error: { code: 'ERR_TIMEOUT' } })
    await clock.advance(10 * LEASE_MS)
    expect([seen.of('started').length, seen.of('completed').length]).toEqual([1, 0])
  })

  it('is returned at no cost by a close that does not wait for it', async () => {
    const { box, clock, reopen, queue, seen } = await working({ timeoutMs: 50 })
    await queue.enqueue(1, { id: 'a' })
    await seen.until('started')
    await clock.advance(50)
    expect(await box.close({ timeoutMs: 0 })).toEqual({ returned: 1 })
    const again = (await reopen()).queue<unknown>('jobs')
    expect(await again.get('a')).toMatchObject({ state: 'ready', history: [] })
  })
})

it('the time of a handler begins with it, not with what comes before [A3 timeoutMs, A3 maxRuntimeMs]', async () => {
  const { box, clock } = await makeInMemory()
  const checks: (() => void)[] = []
  const validate = (value: unknown) => new Promise<{ value: unknown }>((resolve) => checks.push(() => resolve({ value })))
  const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const
  const queue = box.queue<unknown>('jobs', { maxAttempts: 1 })
  await queue.enqueue(1)
  const checked = box.queue<unknown>('jobs', { schema: schema as never })
  const seen = record(checked)
  let signal: AbortSignal | undefined
  const end = gate()
  checked.process((message) => {
    signal = message.signal
    return end.promise
  }, { timeoutMs: 5_000, maxRuntimeMs: 8_000 })
  await seen.until('started')
  await clock.advance(4_000)
  checks[0]!()
  await clock.advance(4_999)
  expect(signal!.aborted).toBe(false)
  await clock.advance(1)
  expect(signal!.reason).toMatchObject({ code: 'ERR_TIMEOUT', message: expect.stringMatching(/timeoutMs, 5000 ms/) })
  await clock.advance(2_999)
  expect(seen.of('dead')).toEqual([])
  await clock.advance(1)
  expect(await seen.until('dead')).toMatchObject({ reason: 'timeout', error: { message: expect.stringMatching(/maxRuntimeMs, 8000 ms/) } })
  end.open()
})

it('an attempt whose handler never ends tells what took too long', async () => {
  const { clock, queue, seen } = await working({ timeoutMs: 50 })
  await queue.enqueue(1, { id: 'a' })
  await seen.until('started')
  await clock.advance(50)
  await clock.advance(LEASE_MS)
  const error = { name: 'AckboxError', code: 'ERR_TIMEOUT', message: expect.stringMatching(/timeoutMs, 50 ms, .* 10000 ms after/) }
  expect(await seen.until('retry')).toMatchObject({ error })
  expect((await queue.get('a'))?.history).toMatchObject([{ reason: 'timeout', error }])
})

describe('maxRuntimeMs [A3 maxRuntimeMs]', () => {
  it('ends the attempt at once; the message waits for the handler', async () => {
    const { clock, queue, seen, gates, signals } = await working({ maxRuntimeMs: 60_000, concurrency: 2 })
    await queue.enqueue(1, { id: 'a' })
    await seen.until('started')
    await clock.advance(59_999)
    expect(signals[0]!.aborted).toBe(false)
    await clock.advance(1)
    expect(signals[0]!.reason).toMatchObject({ code: 'ERR_LEASE_LOST', message: expect.stringMatching(/maxRuntimeMs, 60000 ms/) })
    expect(await seen.until('retry')).toMatchObject({ attempt: 1, error: { message: expect.stringMatching(/maxRuntimeMs, 60000 ms/) } })
    await clock.advance(LEASE_MS / 2)
    expect(seen.of('started')).toHaveLength(1)
    gates[0]!.open('too late')
    expect((await seen.until('started', 2)).attempt).toBe(2)
    expect((await queue.get('a'))?.history).toMatchObject([{ reason: 'lease-expired' }])
    expect(seen.of('stalled')).toMatchObject([{ id: 'a', attempt: 1 }])
    expect(seen.of('failed')).toEqual([])
  })

  it('lets a drain go on with others, and is reported where the handler does not stop', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<number>('jobs', { leaseMs: LEASE_MS, maxAttempts: 1 })
    const seen = record(queue)
    await queue.enqueueMany([{ body: 1, id: 'a' }, { body: 2, id: 'b' }])
    const stuck = gate()
    const drained = queue.drain(({ body }) => (body === 1 ? stuck.promise : undefined), { concurrency: 2, maxRuntimeMs: 5 })
    await seen.until('completed')
    await clock.advance(5)
    expect(await seen.until('dead')).toMatchObject({ id: 'a', reason: 'lease-expired' })
    await clock.advance(LEASE_MS)
    expect(await seen.until('stalled')).toMatchObject({ id: 'a' })
    stuck.open()
    expect(await drained).toMatchObject({ completed: 1, dead: 1 })
  })
})

it.each([{ timeoutMs: 0 }, { timeoutMs: -1 }, { timeoutMs: '5' }, { maxRuntimeMs: 0 }, { maxRuntimeMs: NaN }])(
  'is refused: %j',
  async (options) => {
    const { box } = await makeInMemory()
    const name = new RegExp(Object.keys(options)[0]!)
    await refusal(() => box.queue('jobs').process(() => {}, options as never), 'ERR_INVALID_OPTION', name)
  },
)
