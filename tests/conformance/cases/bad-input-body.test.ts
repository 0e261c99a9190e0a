import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { withKeptMessage } from '../support/kept.ts'

const circular: Record<string, unknown> = {}
circular['self'] = circular

eachStorage('a bad body [A10 bodies]', (make) => {
  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a circular object', circular],
    ['a BigInt', 10n],
    ['an object whose toJSON throws', { toJSON: () => { throw new Error('no json') } }],
  ])('%s is refused', async (_, body) => {
    const { queue, nothingLost } = await withKeptMessage(make)
    await refusal(queue.enqueue(body), 'ERR_INVALID_BODY', /jobs/)
    await refusal(queue.enqueueMany([{ body: 1 }, { body }]), 'ERR_INVALID_BODY', /jobs/)
    await nothingLost()
  })

  it('that is too large is refused with the limit and its size [A2 maxBodyBytes]', async () => {
    const { queue, nothingLost } = await withKeptMessage(make)
    const body = 'x'.repeat(1_048_576)
    await refusal(queue.enqueue(body), 'ERR_BODY_TOO_LARGE', /1048578.*1048576|1048576.*1048578/)
    await nothingLost()
  })

  it('that is a promise is refused: it was meant to be awaited', async () => {
    const { queue, nothingLost } = await withKeptMessage(make)
    await refusal(queue.enqueue(Promise.resolve({ cents: 5 })), 'ERR_INVALID_BODY', /jobs.*promise.*await/)
    await nothingLost()
  })

  it('a result that is a promise is refused, and the message is still to be settled', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1)
    const message = await queue.dequeue()
    await refusal(message!.ack(Promise.resolve(1) as never), 'ERR_INVALID_BODY', /result.*promise.*await/)
    await message!.ack()
  })

  it('of exactly the limit is accepted', async () => {
    const { box } = await make()
    const queue = box.queue<string>('jobs', { maxBodyBytes: 100 })
    expect(await queue.enqueue('x'.repeat(98))).toMatchObject({ status: 'accepted' })
    await refusal(queue.enqueue('x'.repeat(99)), 'ERR_BODY_TOO_LARGE', /101.*100|100.*101/)
  })

  it('an encoder that throws is an invalid body with its cause', async () => {
    const { box } = await make()
    const cause = new Error('cannot')
    const codec = {
      encode: (): Uint8Array => {
        throw cause
      },
      decode: (): number => 1,
    }
    const error = await refusal(box.queue('odd', { codec }).enqueue(1), 'ERR_INVALID_BODY', /odd/)
    expect(error.cause).toBe(cause)
  })
})
