/** Events of a queue for a loop: all of them, in order, and never more memory than a slow reader is worth. */
import type { QueueEvent, Warning } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory, openOn } from '../support/boxes.ts'
import { isPending, manualClock, turns } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

eachStorage('an event stream [A6 events]', (make) => {
  it('tells all that happens in the queue, in order, from the moment it is made', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { maxAttempts: 1 })
    const events = queue.events()
    await queue.enqueue(1, { id: 'a' })
    await queue.enqueue(1, { id: 'a' })
    await queue.pause()
    await queue.resume()
    const seen: QueueEvent[] = []
    queue.process(() => {
      throw new Error('no')
    })
    for await (const event of events) {
      seen.push(event)
      if (event.type === 'drained') break
    }
    expect(seen.map(({ type }) => type)).toEqual(['enqueued', 'duplicate', 'paused', 'resumed', 'started', 'failed', 'dead', 'drained'])
    expect(seen[0]).toEqual({ type: 'enqueued', id: 'a' })
    expect(seen[5]).toMatchObject({ type: 'failed', id: 'a', attempt: 1, error: { message: 'no' } })
    expect(seen[6]).toMatchObject({ type: 'dead', id: 'a', attempt: 1, reason: 'exhausted', error: { message: 'no' } })
    await clock.advance()
  })
})

it('an event stream that is left hears of nothing any more, others do', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const [left, kept] = [queue.events(), queue.events()]
  await queue.enqueue(1)
  for await (const event of left) {
    expect(event.type).toBe('enqueued')
    break
  }
  await queue.enqueue(2)
  expect(await left.next()).toEqual({ done: true, value: undefined })
  expect((await kept.next()).value).toMatchObject({ type: 'enqueued' })
  expect((await kept.next()).value).toMatchObject({ type: 'enqueued' })
  const waiting = kept.next()
  expect(await isPending(waiting)).toBe(true)
  await kept[Symbol.asyncDispose]()
  expect(await waiting).toEqual({ done: true, value: undefined })
  await expect(queue.events().throw!(new Error('mine'))).rejects.toThrow('mine')
})

it('an event stream keeps the newest events for a slow reader, and warns of those that it dropped', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const warnings: Warning[] = []
  box.on('warning', (warning) => warnings.push(warning))
  const events = queue.events({ limit: 10 })
  const ids = Array.from({ length: 25 }, (_, n) => `${n}`)
  await queue.enqueueMany(ids.map((id) => ({ body: 0, id })))
  await clock.advance()
  expect(warnings.map(({ message }) => message)).toEqual([expect.stringMatching(/'jobs'.*slower.*newest 10/)])
  const first = await events.next()
  expect(first.value).toEqual({ type: 'enqueued', id: '15' })
  expect(warnings).toHaveLength(2)
  expect(warnings[1]).toMatchObject({ message: expect.stringMatching(/15 events/), queue: 'jobs' })
  for (const id of ids.slice(16)) expect((await events.next()).value).toEqual({ type: 'enqueued', id })
  expect(warnings).toHaveLength(2)
  await queue.enqueueMany(ids.map((id) => ({ body: 0, id: `more-${id}` })))
  await clock.advance()
  await events.return!()
  expect(warnings).toHaveLength(4)
  expect(warnings[3]!.message).toMatch(/15 events/)
})

it('an event stream throws the reason of its signal', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const stop = new AbortController()
  const events = queue.events({ signal: stop.signal })
  const waiting = events.next()
  stop.abort('enough')
  await expect(waiting).rejects.toBe('enough')
  expect(await events.next()).toEqual({ done: true, value: undefined })
  const before = queue.events({ signal: stop.signal })
  await expect(before.next()).rejects.toBe('enough')
  expect(await before.next()).toEqual({ done: true, value: undefined })
})

it('an event stream ends with its box, behind the last event', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const events = queue.events()
  queue.process(() => {})
  await queue.enqueue(1, { id: 'a' })
  await box.close()
  const types: string[] = []
  for await (const { type } of events) types.push(type)
  expect(types).toEqual(['enqueued', 'started', 'completed', 'drained'])
  await refusal(() => queue.events(), 'ERR_CLOSED')
})

it('an event stream throws what ended its box', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  box.on('error', () => {})
  const queue = box.queue<number>('jobs')
  const [waiting, idle] = [queue.events().next(), queue.events()]
  const off = queue.on('enqueued', () => {})
  const refused = refusal(waiting, 'ERR_STORAGE_FAILED')
  storage.failNext(new Error('the disk is gone'))
  await refusal(queue.enqueue(1), 'ERR_STORAGE_FAILED')
  await refused
  await refusal(idle.next(), 'ERR_STORAGE_FAILED')
  expect(await idle.next()).toEqual({ done: true, value: undefined })
  off()
})

it('an event stream takes nothing of a queue that nobody reads', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const off = queue.on('completed', () => {})
  const events = queue.events()
  await events.return!()
  off()
  await queue.enqueue(1)
  await turns()
  expect(await events.next()).toEqual({ done: true, value: undefined })
})

it.each([
  [{ limit: 0 }, /limit.*1/],
  [{ limit: 100_001 }, /limit.*100000/],
  [{ signal: 1 }, /signal/],
])('an event stream refuses %o', async (options, message) => {
  const { box } = await makeInMemory()
  await refusal(() => box.queue('jobs').events(options as never), 'ERR_INVALID_OPTION', message)
})

it('a listener that rejects with what is no Promise of this realm is reported as well', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const warned = new Promise<Warning>((resolve) => box.on('warning', resolve))
  queue.on('enqueued', () => ({
    then(_: unknown, reject: (error: Error) => void) {
      reject(new Error('from afar'))
    },
  }))
  await queue.enqueue(1)
  expect(await warned).toMatchObject({ message: expect.stringMatching(/listener of 'enqueued'/), cause: { message: 'from afar' } })
})
