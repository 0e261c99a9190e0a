/** Editing dead letters. */
import { bytes, type StandardSchemaV1 } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { eachStorage, makeInMemory, openOn } from '../support/boxes.ts'
import { manualClock } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { InjectedStorage } from '../support/injected-storage.ts'
import { kill, killNext } from '../support/letters.ts'

interface Order {
  readonly cents: number
}

eachStorage('an edit of a dead letter [A5 dead edit]', (make) => {
  it('replaces body and headers, and nothing else', async () => {
    const { box, clock, reopen } = await make()
    const queue = box.queue<Order>('orders')
    await queue.enqueue({ cents: -5 }, { id: 'a', headers: { trace: 't' }, group: 'g' })
    await killNext(queue)
    const before = await queue.dead.get('a')
    await clock.advance(1_000)
    expect(await queue.dead.edit('a', { body: { cents: 5 } })).toBe(true)
    expect(await queue.dead.get('a')).toEqual({ ...before, body: { cents: 5 } })
    expect(await queue.dead.edit('a', { headers: { mended: 'yes' } })).toBe(true)
    const again = (await reopen()).queue<Order>('orders')
    expect(await again.dead.get('a')).toEqual({ ...before, body: { cents: 5 }, headers: { mended: 'yes' } })
    expect(await again.dead.edit('a', { headers: {} })).toBe(true)
    await again.dead.redrive({ ids: ['a'] })
    expect(await again.dequeue()).toMatchObject({ id: 'a', attempt: 1, body: { cents: 5 }, headers: {} })
  })

  it('keeps the id taken by the original body', async () => {
    const { box, reopen } = await make()
    await kill(box.queue<Order>('orders'), { cents: -5 }, 'a')
    await box.queue<Order>('orders').dead.edit('a', { body: { cents: 5 } })
    const queue = (await reopen()).queue<Order>('orders')
    expect(await queue.enqueue({ cents: -5 }, { id: 'a' })).toMatchObject({ status: 'duplicate', state: 'dead' })
    await refusal(queue.enqueue({ cents: 5 }, { id: 'a' }), 'ERR_ID_CONFLICT')
  })

  it('is false where there is no dead letter', async () => {
    const { box } = await make()
    const queue = box.queue<Order>('orders')
    await queue.enqueue({ cents: 1 }, { id: 'waits' })
    for (const id of ['waits', 'unknown', '']) expect(await queue.dead.edit(id, { body: { cents: 2 } })).toBe(false)
    expect(await queue.get('waits')).toMatchObject({ body: { cents: 1 } })
  })
})

it('encodes with the codec of the queue', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<Uint8Array>('files', { codec: bytes })
  await kill(queue, new Uint8Array([1, 2]), 'a')
  await queue.dead.edit('a', { body: new Uint8Array([3]) })
  expect(await queue.dead.get('a')).toMatchObject({ body: new Uint8Array([3]) })
  await refusal(queue.dead.edit('a', { body: 'text' as never }), 'ERR_INVALID_BODY', /Uint8Array/)
})

describe.each(['at once', 'late'])('asks the schema of the queue, which answers %s', (when) => {
  it('and refuses what it refuses', async () => {
    const issues = [{ message: 'cents must be above 0', path: ['cents'] }]
    const answer = (value: unknown) => ((value as Order).cents > 0 ? { value: value as Order } : { issues })
    const validate = (value: unknown) => (when === 'late' ? Promise.resolve(answer(value)) : answer(value))
    const schema: StandardSchemaV1<Order, Order> = { '~standard': { version: 1, vendor: 'test', validate } }
    const { box } = await makeInMemory()
    const queue = box.queue('orders', { schema })
    await queue.enqueue({ cents: 1 }, { id: 'a' })
    await killNext(queue)
    expect(await refusal(queue.dead.edit('a', { body: { cents: 0 } }), 'ERR_INVALID_BODY')).toMatchObject({ details: { issues } })
    expect(await queue.dead.edit('a', { body: { cents: 2 } })).toBe(true)
    expect(await queue.dead.get('a')).toMatchObject({ body: { cents: 2 } })
  })
})

it.each<[string, unknown, string, RegExp]>([
  ['nothing', {}, 'ERR_INVALID_OPTION', /body or headers.*neither/],
  ['no object', 'body', 'ERR_INVALID_OPTION', /object with options.*'body'/],
  ['an unknown name', { boby: 1 }, 'ERR_INVALID_OPTION', /'boby'.*'body'/],
  ['headers that are no strings', { headers: { a: 1 } }, 'ERR_INVALID_OPTION', /headers\.a/],
  ['headers that are too large', { headers: { a: 'x'.repeat(5_000) } }, 'ERR_INVALID_OPTION', /4096/],
  ['a body that JSON cannot hold', { body: 5n }, 'ERR_INVALID_BODY', /encoded/],
  ['a function as body', { body: () => {} }, 'ERR_INVALID_BODY', /JSON/],
  ['a body that is too large', { body: 'x'.repeat(2_000_000) }, 'ERR_BODY_TOO_LARGE', /1048576.*2000002/],
])('is refused: %s', async (_, changes, code, message) => {
  const { box } = await makeInMemory()
  const queue = box.queue<unknown>('jobs')
  await kill(queue, 1, 'a')
  await refusal(queue.dead.edit('a', changes as never), code, message)
  await refusal(queue.dead.edit(5 as never, { body: 1 }), 'ERR_INVALID_OPTION', /\bid\b.*5/)
  expect(await queue.dead.get('a')).toMatchObject({ body: 1, headers: {} })
})

it('is refused when the queue or the box is full, and the letter stays as it was', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const queue = box.queue<string>('jobs', { maxBytes: 10 })
  await kill(queue, 'short', 'a')
  await refusal(queue.dead.edit('a', { body: 'too long by far' }), 'ERR_QUEUE_FULL', /maxBytes is 10/)
  storage.failNext(Object.assign(new Error('no space'), { clean: true }))
  await refusal(queue.dead.edit('a', { body: 'again' }), 'ERR_STORAGE_FULL')
  expect(await queue.dead.get('a')).toMatchObject({ body: 'short' })
  expect(await queue.dead.edit('a', { body: 'again' })).toBe(true)
})
