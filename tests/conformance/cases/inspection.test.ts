import { AckboxError } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { gate } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'

eachStorage('get [A2 get]', (make) => {
  it('shows a message in every state', async () => {
    const { box, clock } = await make()
    const queue = box.queue<{ n: number }>('jobs')
    const enqueuedAt = clock.now()
    await queue.enqueue(
      { n: 1 },
      { id: 'a', delayMs: 1_000, ttlMs: 9_000, priority: 3, group: 'g', destination: 'd', headers: { h: 'v' } },
    )
    expect(await queue.get('a')).toMatchObject({
      id: 'a',
      queue: 'jobs',
      state: 'scheduled',
      body: { n: 1 },
      headers: { h: 'v' },
      attempt: 0,
      maxAttempts: 6,
      priority: 3,
      enqueuedAt,
      dueAt: enqueuedAt + 1_000,
      expiresAt: enqueuedAt + 9_000,
      group: 'g',
      destination: 'd',
      history: [],
    })
    await clock.advance(1_000)
    expect(await queue.get('a')).toMatchObject({ state: 'ready' })
    const message = await queue.dequeue()
    expect(await queue.get('a')).toMatchObject({ state: 'leased', attempt: 1 })
    await message!.ack()
    const finished = await queue.get('a')
    expect(finished).toMatchObject({ id: 'a', state: 'completed', attempt: 1, finishedAt: enqueuedAt + 1_000 })
    expect(finished).not.toHaveProperty('enqueuedAt')
    expect(finished).not.toHaveProperty('priority')
    await clock.advance(86_400_001)
    expect(await queue.get('a')).toBeUndefined()
  })

  it('finds messages by generated ids, and none that was never seen', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const { id } = await queue.enqueue(5)
    expect(await queue.get(id)).toMatchObject({ id, body: 5, state: 'ready' })
    expect(await queue.get('never')).toBeUndefined()
    expect(await box.queue('other').get(id)).toBeUndefined()
  })
})

eachStorage('peek [A6 peek]', (make) => {
  it('shows messages by state without taking them', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueueMany([
      { body: 0, id: 'leased' },
      { body: 1, id: 'ready-1' },
      { body: 2, id: 'ready-2' },
      { body: 3, id: 'later', delayMs: 1_000 },
    ])
    await queue.dequeue()
    const ids = async (...args: Parameters<typeof queue.peek>): Promise<string[]> =>
      (await queue.peek(...args)).map(({ id }) => id).sort()
    expect(await ids({ state: 'ready' })).toEqual(['ready-1', 'ready-2'])
    expect(await ids({ state: 'scheduled' })).toEqual(['later'])
    expect(await ids({ state: 'leased' })).toEqual(['leased'])
    expect(await ids({ state: 'ready', limit: 1 })).toHaveLength(1)
    expect(await ids()).toEqual(['later', 'leased', 'ready-1', 'ready-2'])
    expect((await queue.peek({ state: 'ready', limit: 1 }))[0]).toMatchObject({ id: 'ready-1', body: 1, attempt: 0 })
    expect((await queue.dequeueMany(10)).map(({ id, attempt }) => [id, attempt])).toEqual([
      ['ready-1', 1],
      ['ready-2', 1],
    ])
  })

  it('refuses states in which there is nothing to walk over', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    for (const state of ['completed', 'cancelled'] as const) {
      const refused = await refusal(queue.peek({ state }), 'ERR_INVALID_OPTION')
      expect(refused.message).toContain(`got '${state}'`)
    }
  })
})

eachStorage('cancel [A6 cancel]', (make) => {
  it('withdraws what waits', async () => {
    const { box, clock, reopen } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1, { id: 'now' })
    await queue.enqueue(2, { id: 'later', delayMs: 1_000 })
    expect(await queue.cancel('now')).toBe(true)
    expect(await queue.cancel('later')).toBe(true)
    expect(await queue.cancel('never')).toBe(false)
    const again = (await reopen()).queue<number>('jobs')
    await clock.advance(1_000)
    expect(await again.dequeue()).toBeUndefined()
  })

  it('aborts the delivery of what is leased, whose settlement is refused then', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1, { id: 'a' })
    const message = await queue.dequeue()
    expect(await queue.cancel('a')).toBe(true)
    expect(message!.signal.aborted).toBe(true)
    expect(AckboxError.is(message!.signal.reason, 'ERR_LEASE_LOST')).toBe(true)
    await refusal(message!.ack(), 'ERR_LEASE_LOST')
    expect(await queue.dequeue()).toBeUndefined()
  })

  it('aborts a running handler, whose outcome does not count', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const aborted = gate()
    queue.process(
      ({ signal, body }) =>
        new Promise<void>((resolve, reject) => {
          if (body === 2) resolve()
          signal.addEventListener('abort', () => {
            aborted.open()
            reject(new Error('stopped'))
          })
        }),
    )
    await queue.enqueue(1, { id: 'a' })
    await seen.until('started')
    expect(await queue.cancel('a')).toBe(true)
    await aborted.promise
    await clock.advance(3_600_000)
    await queue.enqueue(2, { id: 'b' })
    expect((await seen.until('completed')).id).toBe('b')
    expect(seen.of('retry')).toEqual([])
    expect(seen.of('dead')).toEqual([])
  })

  it('opens the way for the next of a group', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1, { id: '1', group: 'g', delayMs: 60_000 })
    await queue.enqueue(2, { id: '2', group: 'g' })
    await queue.cancel('1')
    expect((await queue.dequeue())?.id).toBe('2')
  })
})

eachStorage('retryNow [A6 retryNow]', (make) => {
  it('makes a scheduled message ready', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1, { id: 'a', delayMs: 3_600_000 })
    expect(await queue.retryNow('a')).toBe(true)
    expect(await queue.retryNow('a')).toBe(false)
    expect(await queue.retryNow('never')).toBe(false)
    expect((await (await reopen()).queue<number>('jobs').dequeue())?.id).toBe('a')
  })
})

eachStorage('purge [A6 purge]', (make) => {
  it('drops what waits and keeps what is leased or dead', async () => {
    const { box, clock, reopen } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueueMany([
      { body: 1, id: 'dead' },
      { body: 2, id: 'leased' },
    ])
    const [dead, leased] = await queue.dequeueMany(2)
    await dead!.reject(new Error('no'), { dead: true })
    await queue.enqueueMany(Array.from({ length: 50 }, (_, body) => ({ body, id: `w-${body}` })))
    await queue.enqueue(3, { id: 'later', delayMs: 1_000 })
    expect(await queue.purge()).toBe(51)
    expect(await queue.stats()).toMatchObject({ ready: 0, scheduled: 0, leased: 1, deadLetters: 1 })
    await leased!.ack()
    await queue.enqueue(4, { id: 'w-1' })
    const again = (await reopen()).queue<number>('jobs')
    await clock.advance(1_000)
    expect((await again.dequeueMany(100)).map(({ body }) => body)).toEqual([4])
    expect(await again.dead.count()).toBe(1)
  })
})
