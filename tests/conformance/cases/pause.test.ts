import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { gate } from '../support/clock.ts'
import { record } from '../support/events.ts'

eachStorage('a paused queue [A6 pause]', (make) => {
  it('accepts but delivers nothing until it is resumed, also over reopening', async () => {
    const { box, reopen } = await make()
    const before = box.queue<number>('jobs')
    const seen = record(before)
    await before.pause()
    await seen.until('paused')
    await before.enqueue(1)
    expect(await before.dequeue()).toBeUndefined()
    const queue = (await reopen()).queue<number>('jobs')
    const seenAgain = record(queue)
    expect(await queue.stats()).toMatchObject({ paused: true, ready: 1 })
    await queue.enqueue(2)
    expect(await queue.dequeueMany(10)).toEqual([])
    await queue.resume()
    await seenAgain.until('resumed')
    expect((await queue.dequeueMany(10)).map(({ body }) => body)).toEqual([1, 2])
  })

  it('lets a running handler finish and starts no other', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const slow = gate()
    queue.process(() => slow.promise)
    await queue.enqueue(1, { id: '1' })
    await queue.enqueue(2, { id: '2' })
    await seen.until('started')
    await queue.pause()
    slow.open()
    await seen.until('completed')
    expect(await queue.get('2')).toMatchObject({ state: 'ready', attempt: 0 })
    await queue.resume()
    await seen.until('completed', 2)
    expect(seen.of('started').map(({ id, attempt }) => [id, attempt])).toEqual([
      ['1', 1],
      ['2', 1],
    ])
  })

  it('does not pause other queues', async () => {
    const { box } = await make()
    await box.queue('a').pause()
    await box.queue('b').enqueue(1)
    expect(await box.queue('b').dequeue()).toBeDefined()
  })
})

eachStorage('a paused worker [A3 worker]', (make) => {
  it('starts nothing until it is resumed', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const worker = queue.process(() => {})
    worker.pause()
    await queue.enqueue(1, { id: '1' })
    expect(await queue.get('1')).toMatchObject({ state: 'ready' })
    expect(seen.ids('started')).toEqual([])
    worker.resume()
    await seen.until('completed')
  })
})
