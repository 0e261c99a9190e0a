import { AckboxError, type Codec, PermanentError, RetryAfterError } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { isPending } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'

/** Past any backoff of a first attempt. */
const PAST_BACKOFF_MS = 1_200

/** Cannot decode the text `bad`. */
const picky: Codec<string> = {
  encode: (body) => new TextEncoder().encode(body),
  decode(encoded) {
    const body = new TextDecoder().decode(encoded)
    if (body === 'bad') throw new Error('no such body')
    return body
  },
}

eachStorage('dequeue [A3 dequeue]', (make) => {
  it('leases a message until it is acknowledged', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    await queue.enqueue(1, { id: 'a' })
    const message = await queue.dequeue()
    expect(await queue.stats()).toMatchObject({ leased: 1, ready: 0 })
    expect(await queue.dequeue()).toBeUndefined()
    await message?.ack()
    await seen.until('completed')
    expect(await queue.stats()).toMatchObject({ leased: 0, ready: 0, acked: 1 })
    expect(await queue.get('a')).toMatchObject({ state: 'completed' })
  })

  it('gives none of an empty queue at once, and waits when it is told to', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    expect(await queue.dequeue()).toBeUndefined()
    expect(await queue.dequeueMany(5)).toEqual([])
    const waiting = queue.dequeue({ waitMs: 60_000 })
    await queue.enqueue(1)
    expect((await waiting)?.body).toBe(1)
  })

  it('waits on while another one, which got its message in this turn, is given up', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    const other = box.queue<number>('other')
    const stop = new AbortController()
    let waiting: Promise<unknown> | undefined
    queue.on('enqueued', () => {
      waiting = other.dequeue({ waitMs: 60_000 })
      stop.abort(new Error('no more'))
    })
    const first = queue.dequeue({ waitMs: 60_000, signal: stop.signal })
    await queue.enqueue(1)
    await expect(first).rejects.toThrow('no more')
    expect(await isPending(waiting!)).toBe(true)
    await clock.advance(60_000)
    expect(await waiting).toBeUndefined()
  })

  it('stops waiting when its signal aborts, with the reason, and takes nothing', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const stop = new AbortController()
    const waiting = queue.dequeue({ waitMs: 60_000, signal: stop.signal })
    const reason = new Error('enough')
    stop.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await queue.enqueue(1)
    expect((await queue.dequeue())?.attempt).toBe(1)
  })

  it('takes several at once', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueueMany(Array.from({ length: 5 }, (_, body) => ({ body })))
    expect((await queue.dequeueMany(3)).map(({ body }) => body)).toEqual([0, 1, 2])
    expect((await queue.dequeueMany(3)).map(({ body }) => body)).toEqual([3, 4])
  })

  it('ends the attempt as lease-expired when the lease runs out, and delivers again [A2 leaseMs]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1, { id: 'a' })
    const stale = await queue.dequeue({ leaseMs: 5_000 })
    await clock.advance(4_999)
    expect(stale?.signal.aborted).toBe(false)
    await clock.advance(1)
    expect(stale?.signal.aborted).toBe(true)
    expect(AckboxError.is(stale?.signal.reason, 'ERR_LEASE_LOST')).toBe(true)
    await clock.advance(PAST_BACKOFF_MS)
    const fresh = await queue.dequeue()
    expect(fresh).toMatchObject({ id: 'a', attempt: 2 })
    expect(fresh!.token).toBeGreaterThan(stale!.token)
    expect((await queue.get('a'))?.history).toMatchObject([{ attempt: 1, reason: 'lease-expired' }])
    expect(await queue.stats()).toMatchObject({ leasesLost: 1 })
  })

  it('fences a delivery whose lease is gone: it changes nothing [A3 settling]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1, { id: 'a' })
    const stale = await queue.dequeue({ leaseMs: 1_000 })
    await clock.advance(1_000 + PAST_BACKOFF_MS)
    const fresh = await queue.dequeue()
    await refusal(stale!.ack(), 'ERR_LEASE_LOST', /a/)
    await refusal(stale!.reject(new Error('late')), 'ERR_LEASE_LOST')
    await refusal(stale!.extend(1_000), 'ERR_LEASE_LOST')
    expect(await queue.get('a')).toMatchObject({ state: 'leased', attempt: 2 })
    await fresh!.ack()
    expect(await queue.get('a')).toMatchObject({ state: 'completed' })
  })

  it('makes a dead letter of a message whose last lease runs out', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { maxAttempts: 1 })
    await queue.enqueue(1, { id: 'a' })
    await queue.dequeue({ leaseMs: 1_000 })
    await clock.advance(1_000)
    expect(await queue.dead.get('a')).toMatchObject({
      reason: 'lease-expired',
      history: [{ attempt: 1, reason: 'lease-expired' }],
    })
  })

  it('refuses a second settlement [A3 settling]', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueueMany([{ body: 1 }, { body: 2 }])
    const [acked, rejected] = await queue.dequeueMany(2)
    await acked!.ack()
    await refusal(acked!.ack(), 'ERR_ALREADY_SETTLED')
    await refusal(acked!.reject(new Error('no')), 'ERR_ALREADY_SETTLED')
    await rejected!.reject(new Error('no'))
    await refusal(rejected!.ack(), 'ERR_ALREADY_SETTLED')
  })

  it('prolongs a lease from now on [A3 extend]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1)
    const message = await queue.dequeue({ leaseMs: 1_000 })
    await clock.advance(900)
    await message!.extend(5_000)
    await clock.advance(4_999)
    expect(message!.signal.aborted).toBe(false)
    await message!.ack()
  })

  it('is rejected as its error says, unless the caller says more', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueueMany([1, 2, 3].map((body) => ({ body, id: `${body}` })))
    const [never, later, soon] = await queue.dequeueMany(3)
    await never!.reject(new PermanentError('no such account'))
    await later!.reject(new RetryAfterError(60_000))
    await soon!.reject(new RetryAfterError(60_000), { delayMs: 5 })
    expect(await queue.dead.get('1')).toMatchObject({ reason: 'permanent', error: { message: 'no such account' } })
    await clock.advance(5)
    const third = await queue.dequeue()
    expect(third).toMatchObject({ id: '3', attempt: 2 })
    await third!.ack()
    await clock.advance(59_994)
    expect(await queue.dequeue()).toBeUndefined()
    await clock.advance(6_001)
    expect(await queue.dequeue()).toMatchObject({ id: '2', attempt: 1 })
  })

  it('is rejected with the backoff of the queue, or after a delay of its own', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    await queue.enqueue(1, { id: 'a' })
    await (await queue.dequeue())!.reject(new Error('no'))
    const retry = await seen.until('retry')
    expect(retry).toMatchObject({ id: 'a', attempt: 1, error: { message: 'no' } })
    await clock.advance(retry.delayMs)
    await (await queue.dequeue())!.reject('text is a reason too', { delayMs: 50 })
    expect(await seen.until('retry', 2)).toMatchObject({ attempt: 2, delayMs: 50 })
    await clock.advance(50)
    expect(await queue.dequeue()).toMatchObject({ attempt: 3 })
  })

  it('returns an unsettled delivery when it is disposed of, without cost [A1 asyncDispose]', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1)
    await (await queue.dequeue())![Symbol.asyncDispose]()
    const again = await queue.dequeue()
    expect(again).toMatchObject({ attempt: 1 })
    await again!.ack()
    await again![Symbol.asyncDispose]()
    expect(await queue.dequeue()).toBeUndefined()
  })

  it('keeps a delivery on its lease when the queue is paused', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1, { id: 'a' })
    const message = await queue.dequeue()
    await queue.pause()
    await message!.ack()
    expect(await queue.get('a')).toMatchObject({ state: 'completed' })
  })

  it('passes over bodies that cannot be decoded, which are dead letters then', async () => {
    const { box } = await make()
    const queue = box.queue('jobs', { codec: picky })
    await queue.enqueueMany(['bad', 'bad', 'good', 'bad', 'last'].map((body, index) => ({ body, id: `${index}` })))
    expect(await queue.dequeue()).toMatchObject({ id: '2', body: 'good' })
    expect((await queue.dequeueMany(2, { waitMs: 1_000 })).map(({ body }) => body)).toEqual(['last'])
    expect(await queue.dequeue()).toBeUndefined()
    expect(await queue.dead.count({ reason: 'invalid' })).toBe(3)
  })

  it('goes on waiting for the rest of its time behind a body that cannot be decoded', async () => {
    const { box, clock } = await make()
    const queue = box.queue('jobs', { codec: picky })
    const waiting = queue.dequeue({ waitMs: 1_000 })
    await clock.advance(400)
    await queue.enqueue('bad')
    await clock.advance(599)
    expect(await isPending(waiting)).toBe(true)
    await clock.advance(1)
    expect(await waiting).toBeUndefined()

    const lucky = queue.dequeue({ waitMs: 1_000 })
    await queue.enqueue('bad')
    await clock.advance(999)
    await queue.enqueue('good')
    expect(await lucky).toMatchObject({ body: 'good', attempt: 1 })
  })

  it('ends with its signal or its box behind a body that cannot be decoded', async () => {
    const { box, clock } = await make()
    const queue = box.queue('jobs', { codec: picky })
    const stop = new AbortController()
    const aborted = queue.dequeue({ waitMs: 60_000, signal: stop.signal })
    await queue.enqueue('bad')
    await clock.advance()
    stop.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')

    const closed = refusal(queue.dequeue({ waitMs: 60_000 }), 'ERR_CLOSED')
    await queue.enqueue('bad')
    await clock.advance()
    await box.close()
    await closed
  })
})
