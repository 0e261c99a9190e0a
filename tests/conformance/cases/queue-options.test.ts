import { bytes, constant } from 'ackbox'
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
