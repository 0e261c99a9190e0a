/** The codec of a queue: what it makes of bodies wherever they are shown, and what follows when it cannot. */
import { bytes, type Box, type Codec, type Queue, type Warning } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'

const dates: Codec<Date> = {
  encode: (body) => new TextEncoder().encode(body.toISOString()),
  decode: (encoded) => new Date(new TextDecoder().decode(encoded)),
}
const unreadable: Codec<Date> = {
  encode: dates.encode,
  decode: () => {
    throw new RangeError('cannot be read')
  },
}
/** What a library with promises would give for a codec. */
const late = {
  encode: async (body: Date) => dates.encode(body),
  decode: async (encoded: Uint8Array) => dates.decode(encoded),
} as unknown as Codec<Date>

function warningsOf(box: Box): Warning[] {
  const warnings: Warning[] = []
  box.on('warning', (warning) => warnings.push(warning))
  return warnings
}

eachStorage('codec [A2 codec]', (make) => {
  it('decodes for get, peek, watch and dead letters, also after reopening', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<Date>('dates', { codec: dates })
    await queue.enqueueMany([5, 6].map((ms) => ({ body: new Date(ms), id: `${ms}` })))
    await (await queue.dequeue())!.reject(new Error('why'), { dead: true })
    const again = (await reopen({ maxMemoryBytes: 0 })).queue<Date>('dates', { codec: dates })
    expect(await again.get('5')).toMatchObject({ state: 'dead', body: new Date(5) })
    expect((await again.peek()).map(({ body }) => body)).toEqual([new Date(6), new Date(5)])
    expect(await again.dead.get('5')).toMatchObject({ body: new Date(5), error: { message: 'why' } })
    expect((await again.dead.list().page()).items.map(({ body }) => body)).toEqual([new Date(5)])
    const watch = again.watch()
    await new Promise<void>((resolve) => watch.subscribe(resolve))
    expect(watch.getSnapshot().map(({ body }) => body)).toEqual([new Date(6), new Date(5)])
  })

  it('may make no bytes of a body, and is given none to decode', async () => {
    const { box, reopen } = await make()
    await box.queue('blobs', { codec: bytes, maxAttempts: 1 }).enqueue(new Uint8Array(), { id: 'empty' })
    const queue = (await reopen({ maxMemoryBytes: 0 })).queue<Uint8Array>('blobs', { codec: bytes })
    const nothing = expect.objectContaining({ id: 'empty', body: new Uint8Array() })
    expect(await queue.get('empty')).toEqual(nothing)
    expect(await queue.peek()).toEqual([nothing])
    const message = (await queue.dequeue())!
    expect(message.body).toEqual(new Uint8Array())
    await message.reject('why')
    expect(await queue.dead.get('empty')).toEqual(nothing)
  })

  it('says nothing about results, which are JSON', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<Date, { at: number }>('dates', { codec: dates })
    await queue.enqueue(new Date(5), { id: 'a' })
    await queue.drain(({ body }) => ({ at: body.getTime() }))
    const opened = await reopen()
    const warnings = warningsOf(opened)
    const again = opened.queue<Date>('dates', { codec: unreadable })
    expect(await again.get('a')).toMatchObject({ state: 'completed', result: { at: 5 } })
    expect(warnings).toEqual([])
  })
})

const looks: [string, (queue: Queue<Date>) => Promise<unknown>][] = [
  ['get', (queue) => queue.get('a')],
  ['peek', async (queue) => (await queue.peek())[0]],
  ['dead.get', async (queue) => {
    await (await queue.dequeue())?.reject('why', { dead: true })
    return queue.dead.get('a')
  }],
  ['a page of dead letters', async (queue) => (await queue.dead.list().page()).items[0]],
  ['watch', async (queue) => {
    const watch = queue.watch()
    await new Promise<void>((resolve) => watch.subscribe(resolve))
    return watch.getSnapshot()[0]
  }],
]

it.each(looks)('codec.decode that throws leaves the body away in %s, and is warned of once [A2 codec, A1 reports]', async (name, look) => {
  const { box } = await makeInMemory()
  const queue = box.queue<Date>('dates', { codec: dates })
  await queue.enqueue(new Date(5), { id: 'a', headers: { h: '1' } })
  await queue.enqueue(new Date(6), { id: 'b' })
  if (name.includes('dead')) await (await queue.dequeue())!.reject('why', { dead: true })
  box.queue('dates', { codec: unreadable })
  const warnings = warningsOf(box)
  for (const _ of ['first', 'again']) {
    const shown = await look(queue)
    expect(shown).toMatchObject({ id: 'a', headers: { h: '1' } })
    expect(shown).not.toHaveProperty('body')
  }
  expect(warnings).toEqual([
    {
      message: "queue 'dates': message 'a' is shown without its body, which cannot be decoded by the codec",
      queue: 'dates',
      cause: expect.any(RangeError),
    },
  ])
})

it('a codec that is named anew is warned of anew, and so is JSON where a codec is missing', async () => {
  const { box, reopen } = await makeInMemory()
  const queue = box.queue<Date>('dates', { codec: unreadable })
  const warnings = warningsOf(box)
  await queue.enqueue(new Date(5), { id: 'a' })
  await queue.get('a')
  box.queue('dates', { codec: { ...unreadable } })
  await queue.get('a')
  expect(warnings).toHaveLength(2)
  const again = await reopen()
  const more = warningsOf(again)
  expect(await again.queue('dates').get('a')).not.toHaveProperty('body')
  expect(more).toMatchObject([{ message: expect.stringMatching(/message 'a'.*cannot be decoded as JSON$/), cause: expect.any(SyntaxError) }])
})

it('codec.encode that gives a promise: ERR_INVALID_BODY, and nothing is accepted [A2 codec, A10 bodies]', async () => {
  const { box } = await makeInMemory()
  const failing = { ...late, encode: () => Promise.reject(new Error('of nobody')) } as unknown as Codec<Date>
  for (const codec of [late, failing]) {
    const queue = box.queue<Date>('dates', { codec })
    const message = /expected a Uint8Array from codec\.encode, got a promise: a codec cannot wait/
    await refusal(queue.enqueue(new Date(5)), 'ERR_INVALID_BODY', message)
    await refusal(queue.enqueueMany([{ body: new Date(5) }]), 'ERR_INVALID_BODY', message)
    expect(await queue.stats()).toMatchObject({ enqueued: 0 })
  }
})

it.each<[string, (queue: Queue<Date>, handled: unknown[]) => Promise<unknown>]>([
  ['process', async (queue, handled) => {
    queue.process(({ body }) => void handled.push(body))
    await queue.idle()
  }],
  ['drain', (queue, handled) => queue.drain(({ body }) => void handled.push(body))],
  ['dequeue', async (queue, handled) => handled.push(...(await queue.dequeueMany(1)))],
])('codec.decode that gives a promise: %s never sees it, the message is a dead letter `invalid` [A2 codec]', async (_, consume) => {
  const { box } = await makeInMemory()
  const failing = { ...dates, decode: () => Promise.reject(new Error('of nobody')) } as unknown as Codec<Date>
  const handled: unknown[] = []
  warningsOf(box)
  for (const decode of [late.decode, failing.decode]) {
    const queue = box.queue<Date>('dates', { codec: { encode: dates.encode, decode } })
    const { id } = await queue.enqueue(new Date(5))
    await consume(queue, handled)
    const message = 'expected a value from codec.decode, got a promise: a codec cannot wait'
    const letter = await queue.dead.get(id)
    expect(letter).toMatchObject({ reason: 'invalid', attempt: 1, error: { name: 'TypeError', message } })
    expect(letter).not.toHaveProperty('body')
  }
  expect(handled).toEqual([])
})
