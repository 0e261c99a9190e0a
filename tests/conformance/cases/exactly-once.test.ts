/** The guarantee `'exactly-once'`: ids are required, and a message that is settled is never delivered again. */
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'

const EXACTLY_ONCE = { guarantee: 'exactly-once' } as const

eachStorage('exactly-once [A5 exactly-once, A2 guarantee]', (make) => {
  it('enqueues nothing without an id of its own or of the queue', async () => {
    const { box } = await make()
    const queue = box.queue<{ order: string }>('orders', EXACTLY_ONCE)
    await refusal(queue.enqueue({ order: 'a' }), 'ERR_ID_REQUIRED', /'orders'.*id/)
    await refusal(
      queue.enqueueMany([{ body: { order: 'a' }, id: 'a' }, { body: { order: 'b' } }]),
      'ERR_ID_REQUIRED',
      /item 1.*'orders'/,
    )
    expect((await queue.stats()).ready).toBe(0)
    const byBody = box.queue<{ order: string }>('orders', { id: (body) => body.order })
    expect(await byBody.enqueue({ order: 'a' })).toMatchObject({ id: 'a', status: 'accepted' })
    expect(await byBody.enqueue({ order: 'a' }, { id: 'b' })).toMatchObject({ id: 'b', status: 'accepted' })
  })

  it('never delivers what is settled again inside the window, over reopening', async () => {
    const { box, clock, reopen } = await make()
    const handled: string[] = []
    const queue = box.queue<number>('orders', { ...EXACTLY_ONCE, dedup: { windowMs: 10_000 } })
    await queue.enqueue(1, { id: 'a' })
    await queue.drain(({ id }) => void handled.push(id))
    const again = (await reopen()).queue<number>('orders')
    await clock.advance(9_999)
    expect(await again.enqueue(1, { id: 'a' })).toEqual({ id: 'a', status: 'duplicate', state: 'completed' })
    await again.drain(({ id }) => void handled.push(id))
    expect(handled).toEqual(['a'])
    await refusal(again.enqueue(2), 'ERR_ID_REQUIRED', /exactly-once/)
  })

  it('tries again what failed, as at-least-once does', async () => {
    const { box, clock } = await make()
    const attempts: number[] = []
    const queue = box.queue<number>('orders', EXACTLY_ONCE)
    queue.process(({ attempt }) => {
      attempts.push(attempt)
      if (attempt < 3) throw new Error('not yet')
    })
    await queue.enqueue(1, { id: 'a' })
    await clock.advance(10_000)
    expect(attempts).toEqual([1, 2, 3])
    expect(await queue.get('a')).toMatchObject({ state: 'completed', attempt: 3 })
  })

  it('cannot be switched to while messages without an id of their own are unfinished', async () => {
    const { box } = await make()
    const queue = box.queue<number>('orders')
    const switchOver = () => box.queue('orders', EXACTLY_ONCE)
    await queue.enqueue(1)
    await queue.enqueue(2, { id: 'b' })
    await refusal(switchOver, 'ERR_ID_REQUIRED', /'orders'.*unfinished/)
    await (await queue.dequeue())?.reject('no', { dead: true })
    await refusal(switchOver, 'ERR_ID_REQUIRED', /'orders'/)
    expect(await queue.enqueue(3)).toMatchObject({ status: 'accepted' })
    await queue.purge()
    await refusal(switchOver, 'ERR_ID_REQUIRED', /'orders'/)
    await queue.dead.remove({})
    switchOver()
    await refusal(queue.enqueue(4), 'ERR_ID_REQUIRED', /'orders'/)
  })
})

it('refuses new ids when the index is full, where nothing else was named', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('orders', { ...EXACTLY_ONCE, dedup: { maxEntries: 1 } })
  await queue.enqueue(1, { id: 'a' })
  await queue.drain(() => {})
  await refusal(queue.enqueue(2, { id: 'b' }), 'ERR_DEDUP_FULL', /\b1\b/)
})

it('takes no letter back under the id that the queue had generated for it', async () => {
  const { box } = await makeInMemory()
  const orders = box.queue<number>('orders')
  const aside = box.queue<number>('aside')
  const { id } = await orders.enqueue(1)
  await (await orders.dequeue())?.reject('no', { dead: true })
  await orders.dead.redrive({ to: 'aside' })
  await (await aside.dequeue())?.reject('no', { dead: true })
  box.queue('orders', EXACTLY_ONCE)
  expect(await aside.dead.redrive({ to: 'orders' })).toEqual({ moved: 0, skipped: 1 })
  expect((await aside.dead.get(id))?.body).toBe(1)
})
