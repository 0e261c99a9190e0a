import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'

eachStorage('priority [A2 priority]', (make) => {
  it('hands out higher first, and first come first served within one', async () => {
    const { box } = await make()
    const queue = box.queue<string>('jobs')
    await queue.enqueue('low 1')
    await queue.enqueue('high', { priority: 255 })
    await queue.enqueue('middle 1', { priority: 5 })
    await queue.enqueue('low 2', { priority: 0 })
    await queue.enqueue('middle 2', { priority: 5 })
    const bodies = (await queue.dequeueMany(10)).map(({ body }) => body)
    expect(bodies).toEqual(['high', 'middle 1', 'middle 2', 'low 1', 'low 2'])
  })

  it('keeps priority and place over a retry', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('jobs')
    await queue.enqueue('first', { priority: 5 })
    await queue.enqueue('second', { priority: 5 })
    await (await queue.dequeue())?.reject(new Error('no'), { delayMs: 1_000 })
    await queue.enqueue('lower', { priority: 4 })
    await clock.advance(1_000)
    const bodies = (await queue.dequeueMany(10)).map(({ body }) => body)
    expect(bodies).toEqual(['first', 'second', 'lower'])
  })

  it('keeps the order over reopening', async () => {
    const { box, reopen } = await make()
    const before = box.queue<number>('jobs')
    for (let n = 0; n < 20; n += 1) await before.enqueue(n, { priority: n % 3 })
    const queue = (await reopen()).queue<number>('jobs')
    const bodies = (await queue.dequeueMany(20)).map(({ body }) => body)
    expect(bodies).toEqual([2, 1, 0].flatMap((p) => Array.from({ length: 20 }, (_, n) => n).filter((n) => n % 3 === p)))
  })
})
