import { bytes, constant, exponential, schedule, type Codec, type QueueOptions } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'

eachStorage('queue options', (make) => {
  it('survive reopening, and those that are not named change nothing [A2 options survive]', async () => {
    const { box, reopen } = await make()
    box.queue('jobs', { maxAttempts: 1, backoff: constant(5), maxDepth: 3 })
    await box.queue('jobs').enqueue(1)
    const queue = (await reopen()).queue<number>('jobs', { maxDepth: 2 })
    const seen = record(queue)
    await queue.enqueue(2)
    await refusal(queue.enqueue(3), 'ERR_QUEUE_FULL', /2/)
    queue.process(() => {
      throw new Error('no')
    })
    await seen.until('dead', 2)
    expect(seen.of('retry')).toEqual([])
  })

  it('report a change as a warning [A2 options survive]', async () => {
    const { box, clock } = await make()
    const warnings: unknown[] = []
    box.on('warning', (warning) => warnings.push(warning))
    box.queue('jobs', { maxAttempts: 3 })
    await clock.advance()
    expect(warnings).toHaveLength(0)
    box.queue('jobs', { maxAttempts: 3 })
    await clock.advance()
    expect(warnings).toHaveLength(0)
    box.queue('jobs', { maxAttempts: 4 })
    await clock.advance()
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toEqual({ message: "queue 'jobs': options changed: maxAttempts from 3 to 4", queue: 'jobs' })
  })

  it('are replaced whole: a backoff policy by a function, and the other way round', async () => {
    const { box, reopen } = await make()
    const delays = async (target: typeof box): Promise<number[]> => {
      const queue = target.queue<number>('jobs')
      const seen = record(queue)
      const { id } = await queue.enqueue(1)
      await (await queue.dequeue())!.reject(new Error('no'))
      await queue.cancel(id)
      return seen.of('retry').map(({ delayMs }) => delayMs)
    }
    box.queue('jobs', { backoff: schedule([111]) })
    expect(await delays(box)).toEqual([111])
    box.queue('jobs', { backoff: () => 222 })
    expect(await delays(box)).toEqual([222])
    box.queue('jobs', { backoff: constant(333) })
    expect(await delays(box)).toEqual([333])
    box.queue('jobs', { backoff: () => 444 })
    box.queue('jobs', { maxDepth: 100, backoff: undefined })
    expect(await delays(box)).toEqual([444])
    // A function does not survive, and what it replaced does not come back.
    const [delay] = await delays(await reopen())
    expect(delay).toBeGreaterThanOrEqual(1_000)
    expect(delay).toBeLessThanOrEqual(1_100)
  })

  it.each<[QueueOptions, QueueOptions, string]>([
    [{ maxAttempts: 3 }, { maxAttempts: Infinity }, 'maxAttempts from 3 to Infinity'],
    [{}, { maxRetryMs: 5_000 }, 'maxRetryMs from Infinity to 5000'],
    [{ dead: { retainMs: 7 } }, { dead: { retainMs: Infinity } }, 'dead.retainMs from 7 to Infinity'],
    [{}, { groupOnDead: 'block' }, "groupOnDead from 'continue' to 'block'"],
    [{}, { dedup: { whenFull: 'reject', windowMs: 5 } }, "dedup.whenFull from 'shorten' to 'reject', dedup.windowMs from 86400000 to 5"],
    [
      { backoff: constant(5) },
      { backoff: exponential({ baseMs: 10, jitter: 0.5 }) },
      'backoff from constant(5) to exponential({ baseMs: 10, factor: 2, capMs: 300000, jitter: 0.5 })',
    ],
    [
      { backoff: constant(5, { jitter: 'full' }) },
      { backoff: schedule([1, 2, 3], { jitter: 0.1 }) },
      "backoff from constant(5, { jitter: 'full' }) to schedule([1, 2, 3], { jitter: 0.1 })",
    ],
  ])('that change from %j to %j are told with both values, over reopening', async (before, after, told) => {
    const { box, reopen } = await make()
    box.queue('jobs', before)
    const again = await reopen()
    const warnings: unknown[] = []
    again.on('warning', ({ message }) => warnings.push(message))
    again.queue('jobs', after)
    again.queue('jobs', after)
    expect(warnings).toEqual([`queue 'jobs': options changed: ${told}`])
  })

  it('that say "without limit" where there was none are no change', async () => {
    const { box } = await make()
    const warnings: unknown[] = []
    box.on('warning', (warning) => warnings.push(warning))
    box.queue('jobs')
    box.queue('jobs', { maxBytes: Infinity, maxRetryMs: Infinity, dead: { retainMs: Infinity } })
    expect(warnings).toEqual([])
  })

  it('leave the members of dedup that are not named as they are', async () => {
    const { box, clock } = await make()
    box.queue('jobs', { dedup: { windowMs: 1_000, compare: 'id' } })
    const queue = box.queue<number>('jobs', { dedup: { windowMs: 2_000, compare: undefined } })
    await queue.enqueue(1, { id: 'a' })
    await (await queue.dequeue())!.ack()
    await clock.advance(1_500)
    expect(await queue.enqueue(2, { id: 'a' })).toMatchObject({ status: 'duplicate' })
    await clock.advance(600)
    expect(await queue.enqueue(2, { id: 'a' })).toMatchObject({ status: 'accepted' })
  })

  it('keep functions and codec until others are named', async () => {
    const { box } = await make()
    const reversed: Codec<string> = {
      encode: (body) => new TextEncoder().encode([...body].reverse().join('')),
      decode: (encoded) => new TextDecoder().decode(encoded),
    }
    box.queue<string>('jobs', { id: (body) => `id of ${body}`, group: () => 'g', destination: () => 'd', codec: reversed })
    const queue = box.queue<string>('jobs', { id: undefined, destination: () => 'e', codec: undefined, maxDepth: 9 })
    await queue.enqueue('abc')
    expect(await queue.get('id of abc')).toMatchObject({ body: 'cba', group: 'g', destination: 'e' })
    await (await queue.dequeue())!.ack()
    box.queue<string>('jobs', { group: () => undefined })
    await queue.enqueue('def')
    const message = await queue.dequeue()
    expect([message!.id, message!.group]).toEqual(['id of def', undefined])
  })

  it('are without limit again at Infinity', async () => {
    const { box, clock, reopen } = await make()
    box.queue('jobs', { maxRetryMs: 1, dead: { retainMs: 1_000 }, maxBytes: 1, backoff: constant(1_000) })
    box.queue('jobs', { maxRetryMs: Infinity, dead: { retainMs: Infinity }, maxBytes: Infinity, maxAttempts: 2 })
    const queue = (await reopen()).queue<number>('jobs')
    await queue.enqueue(1, { id: 'a' })
    await (await queue.dequeue())!.reject(new Error('no'))
    expect(await queue.get('a')).toMatchObject({ state: 'scheduled' })
    await clock.advance(1_000)
    await (await queue.dequeue())!.reject(new Error('no'))
    await clock.advance(10 * 365 * 86_400_000)
    expect(await queue.dead.count()).toBe(1)
  })

  it('leave messages what they were enqueued with', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs', { maxAttempts: 1 })
    const seen = record(queue)
    await queue.enqueue(1, { id: 'old' })
    box.queue('jobs', { maxAttempts: 9 })
    queue.process(() => {
      throw new Error('no')
    })
    expect((await seen.until('dead')).id).toBe('old')
  })

  it('limit the bytes of a queue [A2 maxBytes]', async () => {
    const { box } = await make()
    const queue = box.queue<string>('jobs', { maxBytes: 10_000 })
    await queue.enqueue('x'.repeat(8_000))
    await refusal(queue.enqueue('x'.repeat(8_000)), 'ERR_QUEUE_FULL', /10000|10_000|10,000/)
    await (await queue.dequeue())!.ack()
    expect(await queue.enqueue('x'.repeat(8_000))).toMatchObject({ status: 'accepted' })
  })

  it('take a codec [A2 codec]', async () => {
    const { box, reopen } = await make()
    const codec = {
      ofALibrary: 'with members of its own',
      encode: (body: Date) => new TextEncoder().encode(body.toISOString()),
      decode: (bytes: Uint8Array) => new Date(new TextDecoder().decode(bytes)),
    }
    await box.queue<Date>('dates', { codec }).enqueue(new Date(5))
    const message = await (await reopen()).queue<Date>('dates', { codec }).dequeue()
    expect(message?.body).toEqual(new Date(5))
  })

  it('take bytes as they are [A2 codec]', async () => {
    const { box, reopen } = await make()
    await box.queue('blobs', { codec: bytes }).enqueue(Uint8Array.of(0, 255, 1))
    const message = await (await reopen()).queue('blobs', { codec: bytes }).dequeue()
    expect([...message!.body]).toEqual([0, 255, 1])
  })

  it('deliver nothing of a queue that is not declared in this run, while time goes on for it [A2 options survive]', async () => {
    const { box, clock, reopen } = await make()
    const queue = box.queue<number>('jobs', { id: (body) => `job-${body}`, dead: { retainMs: 60_000 } })
    await queue.enqueue(1)
    await queue.enqueue(2, { ttlMs: 1_000 })
    const again = await reopen()
    await clock.advance(2_000)
    expect(await again.queues()).toEqual([{ name: 'jobs', paused: false, depth: 2, deadLetters: 1 }])
    await clock.advance(60_000)
    expect(await again.queues()).toEqual([{ name: 'jobs', paused: false, depth: 1, deadLetters: 0 }])
    const declared = again.queue<number>('jobs')
    expect(await declared.dequeue()).toMatchObject({ id: 'job-1', attempt: 1 })
    expect((await declared.enqueue(3)).id, 'functions do not survive').not.toBe('job-3')
  })

  it('maxRetryMs allows no retry later than that after the first delivery [A2 maxRetryMs]', async () => {
    const { box, clock, reopen } = await make()
    const queue = box.queue<number>('jobs', { maxRetryMs: 2_500, backoff: constant(1_000), maxAttempts: Infinity })
    await queue.enqueue(1, { id: 'a' })
    await clock.advance(60_000)
    const fail = async (from: typeof queue): Promise<void> => (await from.dequeue())!.reject(new Error('no'))
    await fail(queue)
    await clock.advance(1_000)
    const again = (await reopen()).queue<number>('jobs')
    await fail(again)
    await clock.advance(1_000)
    await fail(again)
    expect(await again.finished('a')).toMatchObject({ state: 'dead', reason: 'exhausted', attempt: 3 })
  })
})
