import { expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { record } from '../support/events.ts'

eachStorage('events [A6 events]', (make) => {
  it('tell the life of a message in order', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    queue.process(({ attempt }) => {
      if (attempt === 1) throw new Error('once')
    })
    const { id } = await queue.enqueue(1)
    const { delayMs } = await seen.until('retry')
    await clock.advance(delayMs)
    await seen.until('completed')
    await seen.until('drained')
    expect(seen.all.map(({ event }) => event)).toEqual(['enqueued', 'started', 'retry', 'started', 'completed', 'drained'])
    expect(seen.all.slice(0, 5).map((event) => event.id)).toEqual([id, id, id, id, id])
    expect(seen.of('started').map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(seen.of('completed')[0]).toMatchObject({ attempt: 2, waitMs: expect.any(Number), handleMs: 0 })
  })

  it('tell of duplicates, dead letters, pauses', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    await queue.enqueue(1, { id: 'a' })
    await queue.enqueue(1, { id: 'a' })
    await (await queue.dequeue())!.reject(new Error('no'), { dead: true })
    await queue.pause()
    await queue.resume()
    await seen.until('resumed')
    expect(seen.ids('duplicate')).toEqual(['a'])
    expect(seen.of('dead')[0]).toMatchObject({ id: 'a', error: { message: 'no' } })
    expect(seen.of('paused')).toHaveLength(1)
  })

  it('come from other queues only to their own listeners', async () => {
    const { box } = await make()
    const seen = record(box.queue('a'))
    await box.queue('b').enqueue(1)
    await box.queue('a').enqueue(1, { id: 'mine' })
    await seen.until('enqueued')
    expect(seen.ids('enqueued')).toEqual(['mine'])
  })
})

it('events stop for who says off, once, or aborts a signal', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const seen = record(queue)
  const counts = { off: 0, once: 0, signal: 0 }
  const stop = new AbortController()
  const off = queue.on('enqueued', () => (counts.off += 1))
  queue.on('enqueued', () => (counts.once += 1), { once: true })
  queue.on('enqueued', () => (counts.signal += 1), { signal: stop.signal })
  await queue.enqueue(1)
  await queue.enqueue(2)
  await clock.advance()
  off()
  stop.abort()
  await queue.enqueue(3)
  await seen.until('enqueued', 3)
  await clock.advance()
  expect(counts).toEqual({ off: 2, once: 1, signal: 2 })
})

it('a listener that throws breaks nothing and is reported as a warning', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const warnings: unknown[] = []
  box.on('warning', (warning) => warnings.push(warning))
  queue.on('enqueued', () => {
    throw new Error('listener')
  })
  const seen = record(queue)
  queue.process(() => {})
  await queue.enqueue(1)
  await seen.until('completed')
  await clock.advance()
  expect(warnings).toHaveLength(1)
})

it('warnings that nobody listens to go to process.emitWarning [A1 reports]', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
  queue.on('enqueued', () => {
    throw new Error('listener without a warning listener')
  })
  await queue.enqueue(1)
  await clock.advance()
  expect(String(await warned)).toMatch(/listener/)
})
