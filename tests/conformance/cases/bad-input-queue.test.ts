import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { withKeptMessage } from '../support/kept.ts'

eachStorage('a bad queue name', (make) => {
  it.each<[unknown, RegExp]>([
    ['', /name.*''/],
    [5, /name.*5/],
    [undefined, /name.*undefined/],
    [null, /null/],
    ['\ud800', /name/],
    ['x'.repeat(10_000), /name/],
  ])('%j is refused', async (name, message) => {
    const { box, nothingLost } = await withKeptMessage(make)
    await refusal(() => box.queue(name as string), 'ERR_INVALID_OPTION', message)
    await nothingLost()
  })
})

eachStorage('a bad handler', (make) => {
  it.each<[unknown, RegExp]>([
    [undefined, /function.*undefined/],
    [{ handle() {} }, /function.*object/],
    ['handler', /function.*'handler'/],
  ])('%j is refused', async (handler, message) => {
    const { queue, nothingLost } = await withKeptMessage(make)
    await refusal(() => queue.process(handler as never), 'ERR_INVALID_OPTION', message)
    await nothingLost()
  })
})

eachStorage('a bad batch', (make) => {
  it('whose iterator throws in the middle enqueues nothing and hands on the error [A2 enqueueMany]', async () => {
    const { queue, nothingLost } = await withKeptMessage(make)
    const broken = new Error('cursor lost')
    function* items(): Generator<{ body: number }> {
      yield { body: 1 }
      yield { body: 2 }
      throw broken
    }
    await expect(queue.enqueueMany(items())).rejects.toBe(broken)
    await nothingLost()
  })

  it.each<[string, unknown]>([
    ['no iterable', 5],
    ['nothing', undefined],
    ['items that are no objects', [1, 2]],
    ['an item without a body', [{ id: 'a' }]],
  ])('of %s is refused', async (_, items) => {
    const { queue, nothingLost } = await withKeptMessage(make)
    await expect(queue.enqueueMany(items as never)).rejects.toMatchObject({
      code: expect.stringMatching(/ERR_INVALID_(OPTION|BODY)/),
    })
    await nothingLost()
  })

  it('of more than 10,000 items is refused as a whole [S16, A2 enqueueMany]', async () => {
    const { queue, nothingLost } = await withKeptMessage(make)
    const items = Array.from({ length: 10_001 }, (_, body) => ({ body }))
    await refusal(queue.enqueueMany(items), 'ERR_BODY_TOO_LARGE', /10[,_]?000/)
    await nothingLost()
  })

  it('with a conflict in it is refused as a whole', async () => {
    const { queue, nothingLost } = await withKeptMessage(make)
    await refusal(queue.enqueueMany([{ body: 1 }, { body: 2, id: 'kept' }]), 'ERR_ID_CONFLICT', /kept/)
    await refusal(queue.enqueueMany([{ body: 1, id: 'x' }, { body: 2, id: 'x' }]), 'ERR_ID_CONFLICT', /\bx\b/)
    await nothingLost()
  })

  it('that does not fit into the queue is refused as a whole [A2 maxDepth]', async () => {
    const { box, queue, nothingLost } = await withKeptMessage(make)
    box.queue('jobs', { maxDepth: 3 })
    await refusal(queue.enqueueMany([{ body: 1 }, { body: 2 }, { body: 3 }]), 'ERR_QUEUE_FULL', /3/)
    await nothingLost()
  })
})
