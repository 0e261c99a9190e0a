import { bytes, constant, schedule, type Codec } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'

eachStorage('queue options', (make) => {
  it('survive reopening, and those that are not named change nothing', async () => {
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

  it('report a change as a warning', async () => {
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
    expect(String((warnings[0] as { message?: string }).message ?? warnings[0])).toMatch(/maxAttempts/)
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

  it('limit the bytes of a queue', async () => {
    const { box } = await make()
    const queue = box.queue<string>('jobs', { maxBytes: 10_000 })
    await queue.enqueue('x'.repeat(8_000))
    await refusal(queue.enqueue('x'.repeat(8_000)), 'ERR_QUEUE_FULL', /10000|10_000|10,000/)
    await (await queue.dequeue())!.ack()
    expect(await queue.enqueue('x'.repeat(8_000))).toMatchObject({ status: 'accepted' })
  })

  it('take a codec', async () => {
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

  it('take bytes as they are', async () => {
    const { box, reopen } = await make()
    await box.queue('blobs', { codec: bytes }).enqueue(Uint8Array.of(0, 255, 1))
    const message = await (await reopen()).queue('blobs', { codec: bytes }).dequeue()
    expect([...message!.body]).toEqual([0, 255, 1])
  })

  it('deliver nothing of a queue that is not declared in this run', async () => {
    const { box, reopen } = await make()
    await box.queue('jobs').enqueue(1)
    const again = await reopen()
    expect((await again.queues()).map(({ name, depth }) => [name, depth])).toEqual([['jobs', 1]])
    expect(await again.queue('jobs').dequeue()).toBeDefined()
  })
})
