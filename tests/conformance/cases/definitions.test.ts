/** Definitions of queues that programs share, and the functions of the body that come with them. */
import { defineQueue, memoryStorage, open } from 'ackbox'
import type { Delivery, Outcome, Queue, QueueDefinition, QueueOf, StandardSchemaV1 } from 'ackbox'
import { describe, expect, expectTypeOf, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'

interface Order {
  readonly id: string
  readonly customer?: string
  readonly to?: string
}

interface Shipped {
  readonly parcel: number
}

const orders = defineQueue<Order, Shipped>('orders', {
  maxAttempts: 2,
  id: (order) => order.id,
  group: (order) => order.customer,
  destination: (order) => order.to,
})

eachStorage('a definition [A2 definition]', (make) => {
  it('gives every program the same queue', async () => {
    const { box, reopen } = await make()
    await box.queue(orders).enqueue({ id: 'o-1', customer: 'ada', to: 'dhl' })
    const again = await reopen()
    const queue = again.queue(orders)
    expect(again.queue('orders')).toBe(queue)
    expect(await queue.get('o-1')).toMatchObject({ maxAttempts: 2, group: 'ada', destination: 'dhl' })
    queue.process(({ body }) => ({ parcel: body.id.length }))
    expect(await queue.finished('o-1')).toMatchObject({ state: 'completed', result: { parcel: 3 } })
  })

  it('takes no options beside its own', async () => {
    const { box } = await make()
    await refusal(() => box.queue(orders as never, { maxAttempts: 3 }), 'ERR_INVALID_OPTION', /definition/)
  })

  it('that is none is refused', async () => {
    const { box } = await make()
    for (const given of [{}, { name: 5, options: {} }, { name: 'jobs', option: {} }, [], null]) {
      await refusal(() => box.queue(given as never), 'ERR_INVALID_OPTION')
    }
  })
})

describe('defineQueue', () => {
  it.each<[unknown, unknown, RegExp]>([
    ['', {}, /name of a queue/],
    [5, {}, /name of a queue.*5/],
    ['x'.repeat(257), {}, /256 bytes/],
    ['jobs', { maxAttempt: 3 }, /'jobs'.*'maxAttempt'.*'maxAttempts'/],
    ['jobs', { maxAttempts: 0 }, /'jobs'.*maxAttempts.*0/],
    ['jobs', { id: 'id' }, /'jobs'.*id to be a function/],
    ['jobs', 5, /'jobs'.*options/],
  ])('refuses %j with %j where it is written', async (name, options, message) => {
    await refusal(() => defineQueue(name as never, options as never), 'ERR_INVALID_OPTION', message)
  })

  it('cannot be changed afterwards', () => {
    const options = { maxAttempts: 2 }
    const definition = defineQueue('jobs', options)
    options.maxAttempts = 9
    expect(definition).toEqual({ name: 'jobs', options: { maxAttempts: 2 } })
    expect(Object.isFrozen(definition) && Object.isFrozen(definition.options)).toBe(true)
  })
})

eachStorage('functions of the body [A2 id, A2 group, A2 destination]', (make) => {
  it('apply to each message, and what an enqueue names goes first [A2 message id, A2 message group, A2 message destination]', async () => {
    const { box } = await make()
    const queue = box.queue(orders)
    await queue.enqueueMany([
      { body: { id: 'a' } },
      { body: { id: 'b', customer: 'bob', to: 'ups' }, id: 'named', group: 'g', destination: 'd' },
      { body: { id: 'c', customer: 'cy', to: 'gls' }, id: undefined, group: undefined, destination: undefined },
    ])
    const infos = await queue.peek()
    expect(infos.map(({ id, group, destination }) => [id, group, destination])).toEqual([
      ['a', undefined, undefined],
      ['named', 'g', 'd'],
      ['c', 'cy', 'gls'],
    ])
  })

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /id function gives.*undefined/],
    ['an empty text', '', /id function gives.*''/],
    ['a number', 5, /id function gives.*5/],
    ['a promise', Promise.resolve('id'), /id function gives.*object/],
    ['more than 256 bytes', 'x'.repeat(257), /id function gives.*256 bytes/],
  ])('refuse a body from which they give %s as its id', async (_, id, message) => {
    const { box } = await make()
    const queue = box.queue<number>('jobs', { id: () => id as string })
    await refusal(queue.enqueue(1), 'ERR_INVALID_BODY', message)
    await refusal(queue.enqueueMany([{ body: 1, id: 'fine' }, { body: 2 }]), 'ERR_INVALID_BODY', message)
    expect(await queue.peek()).toEqual([])
    expect(await queue.enqueue(1, { id: 'named' })).toMatchObject({ id: 'named' })
  })

  it.each(['id', 'group', 'destination'] as const)('refuse a body for which %s throws, with what it threw', async (name) => {
    const { box } = await make()
    const cause = new TypeError('no such property')
    const failing = (): string => {
      throw cause
    }
    const queue = box.queue<number>('jobs', { [name]: failing })
    const error = await refusal(queue.enqueue(1), 'ERR_INVALID_BODY', new RegExp(`${name} function threw.*no such property`))
    expect(error.cause).toBe(cause)
    expect(await queue.enqueue(1, { [name]: 'named' })).toMatchObject({ status: 'accepted' })
  })

  it.each(['group', 'destination'] as const)('refuse a body from which they give no text as its %s', async (name) => {
    const { box } = await make()
    for (const given of ['', null, 7]) {
      const queue = box.queue<number>('jobs', { [name]: () => given as string })
      await refusal(queue.enqueue(1), 'ERR_INVALID_BODY', new RegExp(`${name} function gives`))
    }
  })
})

it('types come from the definition [A2 types]', async () => {
  const box = await open(memoryStorage())
  const queue = box.queue(orders)
  expectTypeOf(orders).toEqualTypeOf<QueueDefinition<Order, Shipped, Order>>()
  expectTypeOf(queue).toEqualTypeOf<Queue<Order, Shipped, Order>>()
  expectTypeOf<QueueOf<typeof orders>>().toEqualTypeOf<Queue<Order, Shipped, Order>>()
  expectTypeOf(queue.process).parameter(0).returns.toEqualTypeOf<Shipped | Promise<Shipped>>()
  expectTypeOf(queue.process).parameter(0).parameter(0).toEqualTypeOf<Delivery<Order>>()
  expectTypeOf(queue.finished).returns.resolves.toEqualTypeOf<Outcome<Shipped>>()
  expectTypeOf<Awaited<ReturnType<typeof queue.get>>>().toMatchTypeOf<{ result?: Shipped } | undefined>()
  const inferred = defineQueue('inferred', { id: (order: Order) => order.id })
  expectTypeOf(box.queue(inferred)).toEqualTypeOf<Queue<Order, void, Order>>()
  const schema = {} as StandardSchemaV1<{ at: string }, { at: Date }>
  expectTypeOf(() => defineQueue('parsed', { schema })).returns.toEqualTypeOf<
    QueueDefinition<{ at: string }, void, { at: Date }>
  >()
  expectTypeOf(() => box.queue(defineQueue('parsed', { schema }))).returns.toEqualTypeOf<
    Queue<{ at: string }, void, { at: Date }>
  >()
  const refused = (): void => {
    // @ts-expect-error a body of another shape
    void queue.enqueue({ id: 5 })
    // @ts-expect-error a result of another type
    queue.process(() => ({ parcel: 'one' }))
    // @ts-expect-error a queue of another type
    box.queue<Order, string, Order>(orders)
    // @ts-expect-error an option that does not exist
    defineQueue('jobs', { maxAttempt: 3 })
  }
  expect(refused).toBeTypeOf('function')
  await box.close()
})
