/** What a schema of a queue does in the corners: order, batches, failures, limits. */
import { bytes, constant, type Queue, type StandardSchemaV1 } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { gate, isPending, turns, type Gate } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { withKeptMessage } from '../support/kept.ts'

type Validate<Out> = StandardSchemaV1<never, Out>['~standard']['validate']

function schemaOf<In, Out = In>(validate: Validate<Out>): StandardSchemaV1<In, Out> {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

/** Takes even numbers and gives their halves. */
const even = schemaOf<number>((value) =>
  typeof value === 'number' && value % 2 === 0
    ? { value: value / 2 }
    : { issues: [{ message: `expected an even number, got ${String(value)}` }] },
)

/** Holds every validation back until its gate opens. */
function gated<T>(inner: StandardSchemaV1<T>): { schema: StandardSchemaV1<T>; gates: Map<unknown, Gate> } {
  const gates = new Map<unknown, Gate>()
  const schema = schemaOf<T>(async (value) => {
    const held = gate()
    gates.set(value, held)
    await held.promise
    return inner['~standard'].validate(value)
  })
  return { schema, gates }
}

async function ids<T, Out>(queue: Queue<T, void, Out>): Promise<string[]> {
  return (await queue.peek()).map(({ id }) => id)
}

eachStorage('a schema [A2 schema]', (make) => {
  it('refuses at enqueue with its issues, and nothing is lost', async () => {
    const { box, nothingLost } = await withKeptMessage(make)
    const queue = box.queue('jobs', { schema: even })
    const error = await refusal(queue.enqueue(3), 'ERR_INVALID_BODY', /'jobs': enqueue: .*even number, got 3/)
    expect(error.details).toEqual({ issues: [{ message: 'expected an even number, got 3' }] })
    await nothingLost()
  })

  it('refuses a batch as a whole, and names the item', async () => {
    const { box, nothingLost } = await withKeptMessage(make)
    const queue = box.queue('jobs', { schema: even })
    const items = [2, 4, 5, 7].map((body) => ({ body }))
    await refusal(queue.enqueueMany(items), 'ERR_INVALID_BODY', /item 2.*got 5/)
    await nothingLost()
  })

  it('gives its output to handlers and to dequeue, also after reopening and at every attempt', async () => {
    const site = await make()
    const queue = site.box.queue('jobs', { schema: even, backoff: constant(0) })
    await queue.enqueue(8, { id: 'a' })
    const [message] = await queue.dequeueMany(1)
    expect(message?.body).toBe(4)
    await message!.reject()
    const again = (await site.reopen()).queue('jobs', { schema: even })
    expect(await again.dequeue()).toMatchObject({ body: 4, attempt: 2 })
    expect((await again.get('a'))?.body).toBe(8)
  })

  it('that takes the body no more makes it a dead letter without an attempt of the handler', async () => {
    const site = await make()
    await site.box.queue<number>('jobs').enqueueMany([{ body: 3, id: 'odd' }, { body: 4, id: 'even' }])
    const queue = (await site.reopen()).queue('jobs', { schema: even })
    expect(await queue.dequeue()).toMatchObject({ id: 'even', body: 2 })
    expect(await queue.dead.get('odd')).toMatchObject({
      body: 3,
      reason: 'invalid',
      error: {
        name: 'AckboxError',
        code: 'ERR_INVALID_BODY',
        message: expect.stringMatching(/'jobs'.*'odd'.*got 3/),
        issues: [{ message: 'expected an even number, got 3' }],
      },
    })
  })

  it('is as good late as at once', async () => {
    const { box } = await make()
    const late = schemaOf<number>(async (value) => even['~standard'].validate(value))
    const queue = box.queue('jobs', { schema: late })
    await refusal(queue.enqueue(3), 'ERR_INVALID_BODY', /got 3/)
    await refusal(queue.enqueueMany([{ body: 2 }, { body: 5 }, { body: 7 }]), 'ERR_INVALID_BODY', /item 1.*got 5/)
    expect(await ids(queue)).toEqual([])
    await queue.enqueueMany([{ body: 2 }, { body: 4 }])
    expect((await queue.dequeueMany(5)).map(({ body }) => body)).toEqual([1, 2])
    const worked = record(queue)
    const handled: number[] = []
    queue.process(({ body }) => void handled.push(body))
    await queue.enqueue(6)
    await worked.until('completed')
    expect(handled).toEqual([3])
  })
})

describe('an asynchronous schema', () => {
  it('keeps the order of calls, whichever is validated first', async () => {
    const { box } = await makeInMemory()
    const { schema, gates } = gated(even)
    const queue = box.queue('jobs', { schema })
    const receipts = [queue.enqueue(2, { id: 'a' }), queue.enqueueMany([{ body: 4, id: 'b' }]), queue.enqueue(6, { id: 'c' })]
    gates.get(6)!.open()
    gates.get(4)!.open()
    await turns()
    expect(await ids(queue)).toEqual([])
    gates.get(2)!.open()
    await Promise.all(receipts)
    expect(await ids(queue)).toEqual(['a', 'b', 'c'])
  })

  it('lets the rest go on when one is refused', async () => {
    const { box } = await makeInMemory()
    const { schema, gates } = gated(even)
    const queue = box.queue('jobs', { schema })
    const refused = queue.enqueue(3)
    const accepted = queue.enqueue(4, { id: 'b' })
    gates.get(4)!.open()
    expect(await isPending(accepted)).toBe(true)
    gates.get(3)!.open()
    await refusal(refused, 'ERR_INVALID_BODY', /got 3/)
    expect(await accepted).toMatchObject({ id: 'b', status: 'accepted' })
  })

  it('holds nobody up once its enqueue was aborted, which enqueues nothing', async () => {
    const { box } = await makeInMemory()
    const { schema, gates } = gated(even)
    const queue = box.queue('jobs', { schema })
    const controller = new AbortController()
    const aborted = queue.enqueue(2, { id: 'a', signal: controller.signal })
    const behind = queue.enqueue(4, { id: 'b' })
    gates.get(4)!.open()
    const reason = new Error('no time')
    controller.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    expect(await behind).toMatchObject({ id: 'b' })
    gates.get(2)!.open()
    await turns()
    expect(await ids(queue)).toEqual(['b'])
  })

  it('sees and stores the body as it was when enqueue was called', async () => {
    const { box } = await makeInMemory()
    const held = gate()
    const schema = schemaOf<{ n: number }>(async (value) => (await held.promise, { value: value as { n: number } }))
    const queue = box.queue('jobs', { schema, id: ({ n }) => `n-${n}` })
    const body = { n: 1 }
    const receipt = queue.enqueue(body)
    body.n = 2
    held.open()
    expect(await receipt).toMatchObject({ id: 'n-1' })
    expect((await queue.get('n-1'))?.body).toEqual({ n: 1 })
  })

  it('stores bytes as they were when enqueue was called', async () => {
    const { box } = await makeInMemory()
    const held = gate()
    const schema = schemaOf<Uint8Array>(async (value) => (await held.promise, { value: value as Uint8Array }))
    const queue = box.queue('frames', { schema, codec: bytes })
    const scratch = new Uint8Array([1])
    const receipt = queue.enqueue(scratch)
    scratch[0] = 2
    held.open()
    await receipt
    expect((await queue.peek())[0]!.body).toEqual(new Uint8Array([1]))
  })

  it('that is at work on a message that is cancelled frees the slot of its worker', async () => {
    const { box } = await makeInMemory()
    const { schema, gates } = gated(even)
    const queue = box.queue<number>('jobs')
    await queue.enqueueMany([{ body: 2, id: 'a' }, { body: 4, id: 'b' }])
    box.queue('jobs', { schema })
    const seen = record(queue)
    const handled: number[] = []
    queue.process(({ body }) => void handled.push(body))
    await turns()
    await queue.cancel('a')
    gates.get(2)!.open()
    await turns()
    gates.get(4)!.open()
    await seen.until('completed')
    expect(handled).toEqual([2])
  })

  it('that never answers does not keep a box from closing', async () => {
    const { box } = await makeInMemory()
    const { schema } = gated(even)
    const queue = box.queue('jobs', { schema })
    const single = queue.enqueue(2)
    const many = queue.enqueueMany([{ body: 4 }])
    const checked = [refusal(single, 'ERR_CLOSED'), refusal(many, 'ERR_CLOSED')]
    await box.close()
    await Promise.all(checked)
  })

  it('that takes longer than the lease loses the delivery, and the handler does not start', async () => {
    const { box, clock } = await makeInMemory()
    const { schema, gates } = gated(even)
    const queue = box.queue<number>('jobs', { leaseMs: 1_000 })
    await queue.enqueue(2, { id: 'a' })
    box.queue('jobs', { schema })
    const claimed = queue.dequeue({ waitMs: 0 })
    await turns()
    await clock.advance(3_000)
    gates.get(2)!.open()
    expect(await isPending(claimed)).toBe(true)
    gates.get(2)!.open()
    expect(await claimed).toMatchObject({ id: 'a', attempt: 2, body: 1 })
  })

  it('that is at work when its worker closes returns the message', async () => {
    const { box } = await makeInMemory()
    const { schema, gates } = gated(even)
    const queue = box.queue<number>('jobs')
    await queue.enqueue(2, { id: 'a' })
    box.queue('jobs', { schema })
    let handled = 0
    const worker = queue.process(() => void (handled += 1))
    await turns()
    expect(await worker.close({ timeoutMs: 0 })).toEqual({ returned: 1 })
    gates.get(2)!.open()
    await turns()
    expect(handled).toBe(0)
    expect(await queue.get('a')).toMatchObject({ state: 'ready', attempt: 0 })
  })
})

describe.each<[string, () => never]>([
  [
    'throws',
    () => {
      throw new Error('schema is broken')
    },
  ],
  ['rejects', () => Promise.reject(new Error('schema is broken')) as never],
])('a schema that %s', (_, broken) => {
  it('rejects an enqueue with its error as the cause', async () => {
    const { box, nothingLost } = await withKeptMessage(makeInMemory)
    const queue = box.queue('jobs', { schema: schemaOf<number>(broken) })
    const error = await refusal(queue.enqueue(1), 'ERR_INVALID_BODY', /'jobs': enqueue: the schema failed: schema is broken/)
    expect(error.details).toEqual({})
    expect(error.cause).toMatchObject({ message: 'schema is broken' })
    await refusal(queue.enqueueMany([{ body: 1 }]), 'ERR_INVALID_BODY', /item 0: the schema failed/)
    box.queue('jobs', { schema: schemaOf<unknown>((value) => ({ value })) })
    await nothingLost()
  })

  it('fails the attempt at delivery, as a handler that throws', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<number>('jobs', { backoff: constant(1_000) })
    await queue.enqueue(4, { id: 'a' })
    const seen = record(queue)
    let works = false
    box.queue<number>('jobs', {
      schema: schemaOf<number>((value) => (works ? even['~standard'].validate(value) : broken())),
    })
    const handled: number[] = []
    queue.process(({ body }) => void handled.push(body))
    expect(await seen.until('retry')).toMatchObject({ id: 'a', attempt: 1, error: { message: 'schema is broken' } })
    works = true
    await clock.advance(1_000)
    expect(await seen.until('completed')).toMatchObject({ id: 'a', attempt: 2 })
    expect(handled).toEqual([2])
  })

  it('costs a dequeue the attempt and nothing else', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs', { schema: schemaOf<number>(broken), backoff: constant(1_000) })
    const raw = { body: 4, id: 'a' }
    box.queue<number>('jobs', { schema: even })
    await queue.enqueueMany([raw])
    box.queue<number>('jobs', { schema: schemaOf<number>(broken) })
    expect(await queue.dequeue()).toBeUndefined()
    expect(await queue.get('a')).toMatchObject({ state: 'scheduled', attempt: 1 })
  })
})

describe('a schema that is none', () => {
  it.each<[string, unknown, RegExp]>([
    ['a number', 5, /schema.*got 5/],
    ['null', null, /schema.*got null/],
    ['an empty object', {}, /schema.*Standard Schema/],
    ['a function that is no schema', () => true, /schema.*a function/],
    ['of another version', { '~standard': { version: 2, validate() {} } }, /version 1/],
  ])('%s is refused', async (_, schema, message) => {
    const { box } = await makeInMemory()
    await refusal(() => box.queue('jobs', { schema: schema as never }), 'ERR_INVALID_OPTION', message)
    expect(await box.queues()).toEqual([])
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a boolean', true],
    ['an object without value and issues', {}],
  ])('validates to %s: the enqueue is refused', async (_, result) => {
    const { box } = await makeInMemory()
    const queue = box.queue('jobs', { schema: schemaOf<number>(() => result as never) })
    await refusal(queue.enqueue(1), 'ERR_INVALID_BODY', /schema failed: expected the schema to give/)
  })

  it('lists a thousand long issues: the error of the dead letter stays within 4 KiB', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1, { id: 'a' })
    const issues = Array.from({ length: 1_000 }, (_, index) => ({
      message: `number ${index} is wrong `.repeat(100),
      path: ['list', index, { key: Symbol('s') }],
    }))
    box.queue<number>('jobs', { schema: schemaOf<number>(() => ({ issues })) })
    expect(await queue.dequeue()).toBeUndefined()
    const { error } = (await queue.dead.get('a'))!
    expect(Buffer.byteLength(JSON.stringify(error))).toBeLessThanOrEqual(4_096)
    expect(error?.message).toMatch(/number 0 is wrong.*999 more/)
    expect(error?.issues?.[0]).toEqual({ message: issues[0]!.message.slice(0, 512), path: ['list', 0, 'Symbol(s)'] })
    expect(error?.issues!.length).toBeGreaterThan(3)
  })
})
