import { type Delivery, PermanentError } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory, openOn } from '../support/boxes.ts'
import { gate, manualClock } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

eachStorage('at-most-once [A5 at-most-once, S6]', (make) => {
  it('reports a throw as failed and never retries it', async () => {
    const { box, clock, reopen } = await make()
    const queue = box.queue<number>('mails', { guarantee: 'at-most-once' })
    const seen = record(queue)
    queue.process(() => {
      throw new Error('smtp')
    })
    const { id } = await queue.enqueue(1)
    expect(await seen.until('failed')).toMatchObject({ id, error: { message: 'smtp' } })
    await clock.advance(3_600_000)
    expect(seen.of('started')).toHaveLength(1)
    expect(seen.of('retry')).toEqual([])
    expect(seen.of('dead')).toEqual([])
    expect(await queue.stats()).toMatchObject({ rejected: 1, ready: 0, scheduled: 0, leased: 0, deadLetters: 0 })
    const again = (await reopen()).queue<number>('mails')
    expect(await again.dequeue()).toBeUndefined()
  })

  it('settles a dequeued message before it resolves: ack resolves, the rest is refused', async () => {
    const { box } = await make()
    const queue = box.queue<number>('mails', { guarantee: 'at-most-once' })
    await queue.enqueueMany([{ body: 1 }, { body: 2 }, { body: 3 }])
    const [first, second, third] = await queue.dequeueMany(3)
    await first!.ack()
    await refusal(second!.reject(new PermanentError('no')), 'ERR_LEASE_LOST')
    await refusal(third!.extend(1_000), 'ERR_LEASE_LOST')
    expect(await queue.dequeue()).toBeUndefined()
  })

  it('starts the window of an id at the hand-over', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('mails', { guarantee: 'at-most-once', dedup: { windowMs: 1_000 } })
    const seen = record(queue)
    const slow = gate()
    queue.process(() => slow.promise)
    await queue.enqueue(1, { id: 'a' })
    await seen.until('started')
    await clock.advance(999)
    expect(await queue.enqueue(1, { id: 'a' })).toMatchObject({ status: 'duplicate' })
    await clock.advance(2)
    expect(await queue.enqueue(1, { id: 'a' })).toMatchObject({ status: 'accepted' })
    slow.open()
  })

  it('keeps the id of what may come back until its handler starts', async () => {
    const { box } = await make()
    const queue = box.queue<number>('mails', { guarantee: 'at-most-once', dedup: { windowMs: 0 } })
    const asked = gate()
    const answer = gate()
    const bodies: number[] = []
    const handler = async ({ body, id }: Delivery<number>): Promise<void> => {
      bodies.push(body)
      if (body === 1) expect(await queue.enqueue(2, { id })).toMatchObject({ status: 'accepted' })
    }
    let isReady = true
    await queue.enqueue(1, { id: 'a' })
    const worker = queue.process(handler, {
      ready: async () => {
        asked.open()
        await answer.promise
        return isReady
      },
    })
    await asked.promise
    expect(await queue.enqueue(1, { id: 'a' })).toMatchObject({ status: 'duplicate' })
    isReady = false
    answer.open()
    await worker.close()
    expect(bodies).toEqual([])
    expect(await queue.get('a')).toMatchObject({ state: 'ready' })
    queue.process(handler)
    await queue.idle()
    expect(bodies).toEqual([1, 2])
  })

  it('holds the next of a group until the handler returned', async () => {
    const { box } = await make()
    const queue = box.queue<number>('mails', { guarantee: 'at-most-once' })
    const seen = record(queue)
    const slow = gate()
    const bodies: number[] = []
    queue.process(
      ({ body }) => {
        bodies.push(body)
        return slow.promise
      },
      { concurrency: 5 },
    )
    await queue.enqueue(1, { group: 'g' })
    await queue.enqueue(2, { group: 'g' })
    await queue.enqueue(3)
    await seen.until('started', 2)
    expect(bodies).toEqual([1, 3])
    slow.open()
    await seen.until('completed', 3)
    expect(seen.of('started')).toHaveLength(3)
  })
})

eachStorage('an at-most-once group', (make) => {
  it('goes on when a dequeued message of it is rejected, which is refused and told as failed', async () => {
    const { box } = await make()
    const queue = box.queue<number>('mails', { guarantee: 'at-most-once' })
    const seen = record(queue)
    await queue.enqueueMany([
      { body: 1, id: 'first', group: 'g' },
      { body: 2, group: 'g' },
    ])
    const [first] = await queue.dequeueMany(2)
    await refusal(first!.reject(new Error('no')), 'ERR_LEASE_LOST')
    expect(await seen.until('failed')).toMatchObject({ id: 'first', error: { message: 'no' } })
    expect(await queue.dequeue()).toMatchObject({ body: 2 })
    expect(await queue.stats()).toMatchObject({ rejected: 1 })
  })

  it('goes on when a dequeued message of it is disposed of', async () => {
    const { box } = await make()
    const queue = box.queue<number>('mails', { guarantee: 'at-most-once' })
    const seen = record(queue)
    await queue.enqueueMany([
      { body: 1, group: 'g' },
      { body: 2, group: 'g' },
    ])
    const first = await queue.dequeue()
    await first![Symbol.asyncDispose]()
    expect(await queue.dequeue()).toMatchObject({ body: 2 })
    expect(seen.of('failed')).toEqual([])
  })

  it('goes on when a handler returns whose rejection was refused, and the message counts as its end says', async () => {
    const { box } = await make()
    const queue = box.queue<number>('mails', { guarantee: 'at-most-once' })
    const seen = record(queue)
    queue.process(async (message) => {
      const rejecting = refusal(message.reject(new Error('no')), 'ERR_LEASE_LOST')
      if (message.body === 3) return
      await rejecting
      if (message.body === 2) throw new Error('thrown')
    })
    await queue.enqueueMany([1, 2, 3, 4].map((body) => ({ body, id: `${body}`, group: 'g' })))
    await seen.until('completed', 2)
    expect(seen.ids('completed')).toEqual(['1', '4'])
    expect(seen.of('failed')).toMatchObject([{ id: '2', error: { message: 'thrown' } }, { id: '3' }])
  })
})

it('at-most-once tells a box that closes only of what it returned', async () => {
  const { box } = await makeInMemory()
  const mails = box.queue<number>('mails', { guarantee: 'at-most-once' })
  const jobs = box.queue<number>('jobs')
  await mails.enqueue(1)
  await jobs.enqueue(2)
  await mails.dequeue()
  await jobs.dequeue()
  expect(await box.close()).toEqual({ returned: 1 })
})

it('at-most-once never delivers again what its owner died with', async () => {
  const storage = new InjectedStorage()
  const clock = manualClock()
  const box = await openOn(storage, { clock })
  const queue = box.queue<number>('mails', { guarantee: 'at-most-once' })
  const left = gate<InjectedStorage>()
  queue.process(() => left.open(storage.copy()))
  await queue.enqueue(1)
  const heir = await openOn(await left.promise, { clock })
  const inherited = heir.queue<number>('mails', { guarantee: 'at-most-once' })
  expect(await inherited.dequeue()).toBeUndefined()
  expect(await inherited.stats()).toMatchObject({ ready: 0, scheduled: 0, leased: 0, deadLetters: 0 })
})

it('at-most-once makes an invalid dead letter of a body that cannot be decoded', async () => {
  const { box } = await makeInMemory()
  const codec = {
    encode: (body: number) => Uint8Array.of(body),
    decode: (bytes: Uint8Array): number => {
      if (bytes[0] === 13) throw new Error('unlucky')
      return bytes[0]!
    },
  }
  const queue = box.queue<number>('mails', { guarantee: 'at-most-once', codec })
  const seen = record(queue)
  const handled: number[] = []
  queue.process(({ body }) => void handled.push(body))
  await queue.enqueue(13, { id: 'bad' })
  await queue.enqueue(14, { id: 'good' })
  expect(await seen.until('dead')).toMatchObject({ id: 'bad', reason: 'invalid' })
  await seen.until('completed')
  expect(handled).toEqual([14])
})
