/** Schemas of real libraries: types come from them, bodies are stored as given and delivered as their output. */
import { memoryStorage, open, type Delivery, type Queue, type StandardSchemaV1 } from 'ackbox'
import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, it } from 'vitest'
import * as z from 'zod'

import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'

interface Given {
  id: string
  due: string
}

interface Parsed {
  id: string
  due: Date
}

const zod = z.object({ id: z.string(), due: z.string().transform((text) => new Date(text)) })
const valibot = v.object({
  id: v.string(),
  due: v.pipe(
    v.string(),
    v.transform((text) => new Date(text)),
  ),
})
const arktype = type({ id: 'string', due: type('string').pipe((text) => new Date(text)) })

const LIBRARIES: readonly [string, StandardSchemaV1<Given, Parsed>][] = [
  ['zod', zod],
  ['valibot', valibot],
  ['arktype', arktype],
]

describe('the types of a queue [A2 types]', () => {
  it('come from its schema', async () => {
    const box = await open(memoryStorage())
    const queues = {
      zod: box.queue('zod', { schema: zod }),
      valibot: box.queue('valibot', { schema: valibot }),
      arktype: box.queue('arktype', { schema: arktype, id: (order) => order.id, group: ({ due }) => due }),
    }
    expectTypeOf(queues.zod).toEqualTypeOf<Queue<Given, void, Parsed>>()
    expectTypeOf(queues.valibot).toEqualTypeOf<Queue<Given, void, Parsed>>()
    expectTypeOf(queues.arktype).toEqualTypeOf<Queue<Given, void, Parsed>>()
    expectTypeOf(queues.zod.enqueue).parameter(0).toEqualTypeOf<Given>()
    expectTypeOf(queues.zod.process).parameter(0).parameter(0).toEqualTypeOf<Delivery<Parsed>>()
    expectTypeOf(await queues.zod.dequeue()).toEqualTypeOf<Delivery<Parsed> | undefined>()
    expectTypeOf((await queues.zod.peek())[0]?.body).toEqualTypeOf<Given | undefined>()
    expectTypeOf((await queues.zod.dead.get('x'))?.body).toEqualTypeOf<Given | undefined>()
    await box.close()
  })

  it('are named by hand where there is a result as well', async () => {
    const box = await open(memoryStorage())
    const queue = box.queue<Given, number, Parsed>('zod', { schema: zod })
    expectTypeOf(queue.process).parameter(0).returns.toEqualTypeOf<number | Promise<number>>()
    // @ts-expect-error the schema gives something else than the queue says
    box.queue<Given, number, Given>('zod', { schema: zod })
    await box.close()
  })

  it('are as before without one', async () => {
    const box = await open(memoryStorage())
    expectTypeOf(box.queue('jobs')).toEqualTypeOf<Queue<unknown>>()
    expectTypeOf(box.queue<Given>('jobs')).toEqualTypeOf<Queue<Given, void, Given>>()
    await box.close()
  })
})

describe.each(LIBRARIES)('a schema of %s', (name, schema) => {
  it('stores what was given and delivers its output', async () => {
    const box = await open(memoryStorage())
    const queue = box.queue('orders', { schema, id: (order) => order.id })
    const seen = record(queue)
    const delivered: Parsed[] = []
    queue.process(({ body }) => void delivered.push(body))
    await queue.pause()
    await queue.enqueue({ id: 'a', due: '2030-01-02T00:00:00.000Z' })
    expect((await queue.get('a'))?.body).toEqual({ id: 'a', due: '2030-01-02T00:00:00.000Z' })
    await queue.resume()
    await seen.until('completed')
    expect(delivered).toEqual([{ id: 'a', due: new Date('2030-01-02T00:00:00.000Z') }])
    await box.close()
  })

  it('refuses at enqueue with its issues', async () => {
    const box = await open(memoryStorage())
    const queue = box.queue('orders', { schema })
    const error = await refusal(queue.enqueue({ id: 'a', due: 5 } as never), 'ERR_INVALID_BODY', /orders.*due/)
    const { issues } = error.details as { issues: StandardSchemaV1.Issue[] }
    expect(issues).toHaveLength(1)
    const [segment] = issues[0]!.path!
    expect(typeof segment === 'object' ? segment.key : segment).toBe('due')
    expect(await queue.peek()).toEqual([])
    await box.close()
  })

  it('dead-letters at delivery what it does not take any more', async () => {
    const box = await open(memoryStorage())
    const queue = box.queue<Given, void, Parsed>('orders')
    await queue.enqueue({ id: 'a', due: 5 } as never, { id: 'a' })
    box.queue<Given, void, Parsed>('orders', { schema })
    const seen = record(queue)
    queue.process(() => expect.fail('it must not be handled'))
    await seen.until('dead')
    const letter = await queue.dead.get('a')
    expect(letter).toMatchObject({
      reason: 'invalid',
      error: { code: 'ERR_INVALID_BODY', issues: [{ message: expect.any(String), path: ['due'] }] },
    })
    expect(JSON.parse(JSON.stringify(letter))).toEqual(letter)
    await box.close()
  })

  it(`is of ${name}`, () => expect(schema['~standard'].vendor).toBe(name))
})
