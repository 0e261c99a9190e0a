/** What became of a message: its result and its end, through the window, over reopening and crashes. */
import { bytes, constant, PermanentError, RetryAfterError } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, openOn } from '../support/boxes.ts'
import { manualClock, turns } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

const DAY = 86_400_000

eachStorage('a result [A3 process, A2 get]', (make) => {
  it('is what the handler returned, through the window and over reopening', async () => {
    const { box, clock, reopen } = await make()
    const queue = box.queue<number, { doubled: number }>('jobs')
    const seen = record(queue)
    queue.process(async ({ body }) => ({ doubled: body * 2 }))
    const finishedAt = clock.now()
    await queue.enqueue(21, { id: 'a' })
    await seen.until('completed')
    const outcome = { state: 'completed', result: { doubled: 42 }, finishedAt, attempt: 1 }
    expect(await queue.get('a')).toMatchObject({ id: 'a', queue: 'jobs', history: [], ...outcome })
    expect(await queue.finished('a')).toEqual(outcome)
    const again = (await reopen()).queue<number, { doubled: number }>('jobs')
    expect(await again.get('a')).toMatchObject(outcome)
    expect(await again.finished('a')).toEqual(outcome)
    expect(await again.enqueue(21, { id: 'a' })).toEqual({ id: 'a', status: 'duplicate', state: 'completed' })
    await clock.advance(DAY - 1)
    expect(await again.get('a')).toMatchObject(outcome)
    await clock.advance(1)
    expect(await again.get('a')).toBeUndefined()
  })

  it.each<[string, unknown]>([
    ['null', null],
    ['false', false],
    ['zero', 0],
    ['empty text', ''],
    ['text beyond ASCII', 'größer als 🙂'],
    ['a list', [1, [2, { three: '3' }]]],
  ])('may be %s', async (_, result) => {
    const { box, reopen } = await make()
    const queue = box.queue<number, unknown>('jobs')
    const seen = record(queue)
    queue.process(() => result)
    await queue.enqueue(1, { id: 'a' })
    await seen.until('completed')
    const again = (await reopen()).queue<number, unknown>('jobs')
    expect((await again.get('a'))?.result).toEqual(result)
    expect(await again.finished('a')).toMatchObject({ result })
  })

  it('is what ack was given; without one there is none', async () => {
    const { box } = await make()
    const queue = box.queue<number, string>('jobs')
    await queue.enqueueMany([
      { body: 1, id: 'with' },
      { body: 2, id: 'without' },
    ])
    await (await queue.dequeue())!.ack('by hand')
    await (await queue.dequeue())!.ack()
    expect(await queue.get('with')).toMatchObject({ result: 'by hand' })
    expect(await queue.get('without')).not.toHaveProperty('result')
    expect(await queue.finished('without')).toMatchObject({ state: 'completed', result: undefined })
  })

  it('of a handler that settled by hand is what ack was given', async () => {
    const { box } = await make()
    const queue = box.queue<number, string>('jobs')
    const seen = record(queue)
    queue.process(async (message) => {
      await message.ack('by hand')
      return 'returned'
    })
    await queue.enqueue(1, { id: 'a' })
    await seen.until('completed')
    expect(await queue.finished('a')).toMatchObject({ result: 'by hand' })
  })

  it('is JSON, whatever the codec of the bodies', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<Uint8Array, { length: number }>('blobs', { codec: bytes })
    const seen = record(queue)
    queue.process(({ body }) => ({ length: body.length }))
    await queue.enqueue(Uint8Array.of(0, 255), { id: 'a' })
    await seen.until('completed')
    const again = (await reopen()).queue<Uint8Array, { length: number }>('blobs', { codec: bytes })
    expect(await again.get('a')).toMatchObject({ result: { length: 2 } })
    expect(await again.finished('a')).toMatchObject({ result: { length: 2 } })
  })

  it.each<[string, unknown]>([
    ['above maxResultBytes', 'x'.repeat(99)],
    ['a BigInt', 10n],
    ['a function', () => 1],
    ['an object whose toJSON throws', { toJSON: () => { throw new Error('no json') } }],
  ])('of a handler that is %s is left out with one warning', async (_, result) => {
    const { box } = await make()
    const queue = box.queue<number, unknown>('jobs', { maxResultBytes: 100 })
    const warnings: string[] = []
    box.on('warning', ({ message }) => warnings.push(message))
    const seen = record(queue)
    queue.process(() => result)
    await queue.enqueue(1, { id: 'a' })
    await queue.enqueue(2, { id: 'b' })
    await seen.until('completed', 2)
    expect(await queue.finished('a')).toMatchObject({ state: 'completed', result: undefined })
    expect(await queue.finished('b')).toMatchObject({ state: 'completed', attempt: 1 })
    expect(seen.of('retry')).toEqual([])
    expect(warnings).toEqual([expect.stringMatching(/jobs.*without the results/)])
  })

  it.each<[string, unknown, string]>([
    ['above maxResultBytes', 'x'.repeat(99), 'ERR_BODY_TOO_LARGE'],
    ['a function', () => 1, 'ERR_INVALID_BODY'],
    ['a symbol', Symbol('s'), 'ERR_INVALID_BODY'],
  ])('that is %s is refused by ack, and the delivery can still be settled', async (_, result, code) => {
    const { box } = await make()
    const queue = box.queue<number, unknown>('jobs', { maxResultBytes: 100 })
    await queue.enqueue(1, { id: 'a' })
    const message = (await queue.dequeue())!
    await refusal(message.ack(result), code, /jobs/)
    await message.ack('x'.repeat(98))
    expect(await queue.finished('a')).toMatchObject({ result: 'x'.repeat(98) })
  })

  it('of at-most-once is not kept', async () => {
    const { box } = await make()
    const queue = box.queue<number, string>('jobs', { guarantee: 'at-most-once' })
    const seen = record(queue)
    queue.process(() => 'result')
    await queue.enqueue(1, { id: 'a' })
    await seen.until('completed')
    expect(await queue.finished('a')).toMatchObject({ state: 'completed', result: undefined, attempt: 1 })
  })
})

eachStorage('an end [A2 finished]', (make) => {
  it('is told with the attempt that it came with', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number, string>('jobs', { backoff: constant(10) })
    queue.process(({ attempt }) => {
      if (attempt === 1) throw new Error('no')
      if (attempt === 2) throw new RetryAfterError(10, { costsAttempt: true })
      return 'done'
    })
    const ended = queue.finished('a')
    await queue.enqueue(1, { id: 'a' })
    await clock.advance(30)
    expect(await ended).toMatchObject({ state: 'completed', result: 'done', attempt: 3 })
  })

  it('of a dead letter is told with reason and error, until it is redriven', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    const worker = queue.process(() => {
      throw new PermanentError('never')
    })
    await queue.enqueue(1, { id: 'a' })
    const told = { state: 'dead', reason: 'permanent', attempt: 1, error: { message: 'never' } }
    expect(await queue.finished('a')).toMatchObject(told)
    await worker.close()
    const again = (await reopen()).queue<number, string>('jobs')
    expect(await again.finished('a')).toMatchObject(told)
    await again.dead.redrive()
    const ended = again.finished('a')
    again.process(() => 'after all')
    expect(await ended).toMatchObject({ state: 'completed', result: 'after all' })
  })

  it('of a message with a generated id is told to those who ask in the same run, and not known later', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number, string>('jobs')
    const { id } = await queue.enqueue(1)
    const ended = queue.finished(id)
    queue.process(() => 'done')
    expect(await ended).toMatchObject({ state: 'completed', result: 'done' })
    expect(await queue.get(id)).toBeUndefined()
    expect(await queue.finished(id)).toEqual(await ended)
    const again = (await reopen()).queue<number, string>('jobs')
    await refusal(again.finished(id), 'ERR_NOT_FOUND', new RegExp(`${id}.*ended.*another run`))
  })

  it('of a message that is withdrawn or purged is its cancellation', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueueMany([
      { body: 1, id: 'cancelled' },
      { body: 2, id: 'purged' },
    ])
    const ends = Promise.all([queue.finished('cancelled'), queue.finished('purged')])
    await queue.cancel('cancelled')
    await queue.purge()
    const told = { state: 'cancelled', finishedAt: clock.now() }
    expect(await ends).toEqual([told, told])
    expect(await queue.get('purged')).toBeUndefined()
  })
})

it('a result survives a crash as soon as its settlement was told', async () => {
  const storage = new InjectedStorage()
  const clock = manualClock()
  const box = await openOn(storage, { clock })
  const queue = box.queue<number, string>('jobs')
  await queue.enqueue(1, { id: 'a' })
  const message = (await queue.dequeue())!
  storage.hold()
  const acked = message.ack('kept')
  await turns()
  const before = await openOn(storage.copy(), { clock })
  const lost = before.queue<number, string>('jobs')
  expect(await lost.get('a')).toMatchObject({ state: 'ready' })
  storage.release()
  await acked
  const after = await openOn(storage.copy(), { clock })
  expect(await after.queue<number, string>('jobs').finished('a')).toMatchObject({ state: 'completed', result: 'kept' })
})

it('a result that was damaged on the disk is refused with its place, and never shown', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const queue = box.queue<number, string>('jobs')
  let written: { segment: number; bytes: Buffer } | undefined
  storage.onAppended = (segment, bytes) => {
    if (bytes.includes('the very result')) written = { segment, bytes }
  }
  await queue.enqueue(1, { id: 'a' })
  await (await queue.dequeue())!.ack('the very result')
  written!.bytes[written!.bytes.indexOf('the very result')]! ^= 1
  expect(await queue.get('a')).not.toHaveProperty('result')
  const error = await refusal(queue.finished('a'), 'ERR_CORRUPT', /result/)
  expect(error).toMatchObject({ details: { segment: written!.segment, offset: expect.any(Number) } })
})
