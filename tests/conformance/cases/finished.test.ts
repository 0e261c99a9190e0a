/** Waiting for ends: none is missed, none is told too early, and every wait comes to its own end. */
import { constant } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, openOn } from '../support/boxes.ts'
import { gate, isPending, manualClock } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

eachStorage('finished [A2 finished]', (make) => {
  it('misses no end, whenever it is called', async () => {
    const { box } = await make()
    const queue = box.queue<number, number>('jobs')
    queue.process(({ body }) => body * 2, { concurrency: 10 })
    const results = async (number: number): Promise<unknown[]> => {
      const id = String(number)
      const before = queue.finished(id)
      const accepted = queue.enqueue(number, { id })
      const meanwhile = queue.finished(id)
      await accepted
      const after = queue.finished(id)
      const outcomes = await Promise.all([before, meanwhile, after])
      const later = await queue.finished(id)
      return [...outcomes, later].map((outcome) => (outcome.state === 'completed' ? outcome.result : outcome.state))
    }
    const all = await Promise.all(Array.from({ length: 200 }, (_, number) => results(number)))
    expect(all).toEqual(Array.from({ length: 200 }, (_, number) => Array(4).fill(number * 2)))
  })

  it('misses no end of a generated id, though its handler was done before anybody asked', async () => {
    for (const guarantee of ['at-least-once', 'at-most-once'] as const) {
      const { box } = await make()
      const queue = box.queue<number, number>('jobs', { guarantee })
      queue.process(({ body }) => body * 2, { concurrency: 10 })
      for (let number = 0; number < 20; number += 1) {
        const { id } = await queue.enqueue(number)
        await queue.idle()
        const result = guarantee === 'at-most-once' ? undefined : number * 2
        expect(await queue.finished(id)).toMatchObject({ state: 'completed', result, attempt: 1 })
      }
      const receipts = await queue.enqueueMany(Array.from({ length: 100 }, (_, body) => ({ body })))
      const ended = await Promise.all(receipts.map(({ id }) => queue.finished(id)))
      expect(new Set(ended.map(({ state }) => state))).toEqual(new Set(['completed']))
    }
  })

  it('tells what was withdrawn as cancelled, until its id is enqueued anew', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number, string>('jobs')
    const { id } = await queue.enqueue(1)
    await queue.enqueue(1, { id: 'a' })
    await queue.cancel(id)
    await queue.cancel('a')
    const cancelled = { state: 'cancelled', finishedAt: clock.now() }
    expect(await Promise.all([queue.finished(id), queue.finished('a')])).toEqual([cancelled, cancelled])
    await queue.enqueue(2, { id: 'a' })
    expect(await isPending(queue.finished('a'))).toBe(true)
    await queue.purge()
    expect(await queue.finished('a')).toEqual(cancelled)
    await queue.enqueue(3, { id: 'a' })
    await (await queue.dequeue())!.ack('done')
    expect(await queue.finished('a')).toMatchObject({ state: 'completed', result: 'done' })
  })

  it('waits for an id that was never seen', async () => {
    const { box } = await make()
    const queue = box.queue<number, string>('jobs')
    const ended = queue.finished('a')
    expect(await isPending(ended)).toBe(true)
    await box.queue<number, string>('others').enqueue(1, { id: 'a' })
    await (await box.queue<number, string>('others').dequeue())!.ack('of another queue')
    expect(await isPending(ended)).toBe(true)
    await queue.enqueue(1, { id: 'a' })
    await (await queue.dequeue())!.ack('its own')
    expect(await ended).toMatchObject({ result: 'its own' })
  })

  it('that waits when its box closes is refused, and answers when it is asked again after reopening', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number, string>('jobs')
    await queue.enqueue(1, { id: 'a' })
    const waits = [queue.finished('a'), queue.finished('never')].map((wait) => refusal(wait, 'ERR_CLOSED'))
    const again = (await reopen()).queue<number, string>('jobs')
    await Promise.all(waits)
    await refusal(queue.finished('a'), 'ERR_CLOSED')
    const ended = again.finished('a')
    again.process(() => 'done')
    expect(await ended).toMatchObject({ result: 'done' })
  })

  it('is told of what ends while the box closes', async () => {
    const { box } = await make()
    const queue = box.queue<number, string>('jobs')
    const started = gate()
    const goOn = gate<string>()
    queue.process(() => {
      started.open()
      return goOn.promise
    })
    await queue.enqueue(1, { id: 'a' })
    const ended = queue.finished('a')
    await started.promise
    const closed = box.close()
    goOn.open('just in time')
    expect(await ended).toMatchObject({ result: 'just in time' })
    await closed
  })

  it('gives up after timeoutMs, and can be asked again', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number, string>('jobs', { backoff: constant(1) })
    await queue.enqueue(1, { id: 'a' })
    const wait = queue.finished('a', { timeoutMs: 1_000 })
    const refused = refusal(wait, 'ERR_TIMEOUT', /jobs.*'a'.*1000 ms/)
    await clock.advance(999)
    expect(await isPending(wait)).toBe(true)
    await clock.advance(1)
    await refused
    const again = queue.finished('a', { timeoutMs: 1_000 })
    await (await queue.dequeue())!.ack('late')
    expect(await again).toMatchObject({ result: 'late' })
    await clock.advance(10_000)
  })

  it('gives up when its signal aborts, with the reason of the signal', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1, { id: 'a' })
    const reason = new Error('the user left')
    const stop = new AbortController()
    const wait = queue.finished('a', { signal: stop.signal })
    const other = queue.finished('a')
    stop.abort(reason)
    await expect(wait).rejects.toBe(reason)
    await expect(queue.finished('a', { signal: stop.signal })).rejects.toBe(reason)
    await (await queue.dequeue())!.ack()
    expect(await other).toMatchObject({ state: 'completed' })
  })

  it.each<[string, unknown, unknown]>([
    ['an id that is no string', 5, {}],
    ['an empty id', '', {}],
    ['an id above 256 bytes', 'x'.repeat(257), {}],
    ['a timeoutMs of zero', 'a', { timeoutMs: 0 }],
    ['a timeoutMs that is no number', 'a', { timeoutMs: '5' }],
    ['a signal that is none', 'a', { signal: {} }],
    ['an unknown option', 'a', { timeout: 5 }],
    ['options that are no object', 'a', 5],
  ])('refuses %s', async (_, id, options) => {
    const { box } = await make()
    await refusal(box.queue('jobs').finished(id as string, options as never), 'ERR_INVALID_OPTION', /finished/)
  })
})

it('an end is told when it is durable, and not before', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const queue = box.queue<number, string>('jobs')
  await queue.enqueue(1, { id: 'a' })
  const early = queue.finished('a')
  const message = (await queue.dequeue())!
  storage.hold()
  const acked = message.ack('durable')
  const meanwhile = queue.finished('a')
  const seen = queue.get('a')
  expect(await isPending(early)).toBe(true)
  expect(await isPending(meanwhile)).toBe(true)
  expect(await isPending(seen)).toBe(true)
  storage.release()
  await acked
  expect(await early).toMatchObject({ result: 'durable' })
  expect(await meanwhile).toMatchObject({ result: 'durable' })
  expect(await seen).toMatchObject({ result: 'durable' })
})

it('waits are refused when the storage fails', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  box.on('error', () => {})
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1, { id: 'a' })
  const waits = [queue.finished('a'), queue.finished('never')].map((wait) => refusal(wait, 'ERR_STORAGE_FAILED'))
  storage.failNext(new Error('EIO'))
  await refusal(queue.enqueue(2), 'ERR_STORAGE_FAILED')
  await Promise.all(waits)
})
