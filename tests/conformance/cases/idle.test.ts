/** Waiting until a queue has nothing to do. */
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { gate, isPending } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'

eachStorage('idle [A6 idle]', (make) => {
  it('resolves when nothing is ready or being handled any more', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.idle()
    const slow = gate()
    await queue.enqueueMany([1, 2, 3].map((body) => ({ body })))
    const idle = queue.idle()
    expect(await isPending(idle)).toBe(true)
    queue.process(() => slow.promise)
    expect(await isPending(idle)).toBe(true)
    slow.open()
    await idle
    expect(await queue.stats()).toMatchObject({ ready: 0, leased: 0, acked: 3 })
  })

  it('has what it waited for on the disk', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    queue.process(() => {}, { concurrency: 5 })
    await queue.enqueueMany(Array.from({ length: 50 }, (_, body) => ({ body })))
    await queue.idle()
    expect(await (await reopen()).queue('jobs').peek()).toEqual([])
  })
})

it('idle does not wait for what waits for its time', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const seen = record(queue)
  queue.process(({ attempt }) => {
    if (attempt === 1) throw new Error('later')
  })
  await queue.enqueue(1)
  await seen.until('retry')
  await queue.idle()
  expect(await queue.stats()).toMatchObject({ scheduled: 1 })
  await clock.advance(10_000)
  await queue.idle()
  expect(await queue.stats()).toMatchObject({ scheduled: 0, acked: 1 })
})

it('idle waits for messages that are dequeued, in every queue by itself', async () => {
  const { box } = await makeInMemory()
  const [busy, free] = [box.queue<number>('busy'), box.queue<number>('free')]
  await busy.enqueue(1)
  const message = await busy.dequeue()
  await free.idle()
  const idle = busy.idle()
  expect(await isPending(idle)).toBe(true)
  await message!.reject('later', { delayMs: 1_000 })
  await idle
})

it('idle is given up with its signal, and waits on for others', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1)
  const stop = new AbortController()
  const [first, second] = [queue.idle({ signal: stop.signal }), queue.idle()]
  stop.abort('enough')
  await expect(first).rejects.toBe('enough')
  await expect(queue.idle({ signal: stop.signal })).rejects.toBe('enough')
  expect(box.health().waiting).toBe(1)
  await queue.drain(() => {})
  await second
})

it('idle ends with its box', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1)
  const idle = refusal(queue.idle(), 'ERR_CLOSED')
  await box.close()
  await idle
  await refusal(queue.idle(), 'ERR_CLOSED')
})

it('idle refuses a signal that is none', async () => {
  const { box } = await makeInMemory()
  await refusal(box.queue('jobs').idle({ signal: 'now' as never }), 'ERR_INVALID_OPTION', /signal/)
})
