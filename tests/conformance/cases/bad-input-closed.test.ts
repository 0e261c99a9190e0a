import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { withKeptMessage } from '../support/kept.ts'

eachStorage('a closed box [A10 closed]', (make) => {
  it('refuses everything with ERR_CLOSED and keeps what it had', async () => {
    const { site, box, queue } = await withKeptMessage(make)
    await box.close()
    await refusal(() => box.queue('new'), 'ERR_CLOSED', /closed/)
    await refusal(queue.enqueue(1), 'ERR_CLOSED', /closed/)
    await refusal(queue.enqueueMany([{ body: 1 }]), 'ERR_CLOSED', /closed/)
    await refusal(queue.dequeue(), 'ERR_CLOSED', /closed/)
    await refusal(queue.dequeueMany(2), 'ERR_CLOSED', /closed/)
    await refusal(() => queue.process(() => {}), 'ERR_CLOSED', /closed/)
    await refusal(queue.get('kept'), 'ERR_CLOSED')
    await refusal(queue.peek(), 'ERR_CLOSED')
    await refusal(queue.cancel('kept'), 'ERR_CLOSED')
    await refusal(queue.retryNow('kept'), 'ERR_CLOSED')
    await refusal(queue.purge(), 'ERR_CLOSED')
    await refusal(queue.pause(), 'ERR_CLOSED')
    await refusal(queue.resume(), 'ERR_CLOSED')
    await refusal(queue.forget('kept'), 'ERR_CLOSED')
    await refusal(queue.dead.count(), 'ERR_CLOSED')
    await refusal(queue.dead.get('kept'), 'ERR_CLOSED')
    await refusal(queue.dead.redrive({}), 'ERR_CLOSED')
    await refusal(queue.dead.remove({}), 'ERR_CLOSED')
    const again = (await site.reopen()).queue('jobs')
    expect((await again.peek()).map(({ id }) => id)).toEqual(['kept'])
  })
})

eachStorage('a settlement out of place [A3 settling]', (make) => {
  it('ack twice, ack after a lost lease: an error each, and nothing is lost', async () => {
    const { site, queue } = await withKeptMessage(make)
    const stale = await queue.dequeue({ leaseMs: 1_000 })
    await site.clock.advance(3_000)
    await refusal(stale!.ack(), 'ERR_LEASE_LOST', /kept/)
    const fresh = await queue.dequeue()
    await fresh!.ack()
    await refusal(fresh!.ack(), 'ERR_ALREADY_SETTLED', /kept/)
    await refusal(fresh!.extend(1_000), 'ERR_ALREADY_SETTLED')
    expect(await queue.get('kept')).toMatchObject({ state: 'completed' })
  })

  it.each<[string, unknown]>([
    ['a negative delay', { delayMs: -1 }],
    ['a NaN delay', { delayMs: Number.NaN }],
    ['an unknown option', { delay: 5 }],
  ])('reject refuses %s, and the delivery is still there to be settled', async (_, options) => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1, { id: 'a' })
    const message = await queue.dequeue()
    await refusal(message!.reject(new Error('no'), options as never), 'ERR_INVALID_OPTION')
    await message!.ack()
    expect(await queue.get('a')).toMatchObject({ state: 'completed' })
  })

  it.each([-1, Number.NaN, '5'])('extend refuses %j', async (ms) => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1)
    const message = await queue.dequeue()
    await refusal(message!.extend(ms as never), 'ERR_INVALID_OPTION')
    await message!.ack()
  })

  it('a result that JSON cannot hold is refused, and the delivery is still there [A2 maxResultBytes]', async () => {
    const { box } = await make()
    const queue = box.queue<number, unknown>('jobs')
    await queue.enqueue(1, { id: 'a' })
    const message = await queue.dequeue()
    await refusal(message!.ack(10n), 'ERR_INVALID_BODY')
    await refusal(message!.ack('x'.repeat(70_000)), 'ERR_BODY_TOO_LARGE', /65536|65_536|65,536/)
    await message!.ack('fine')
    expect(await queue.get('a')).toMatchObject({ state: 'completed' })
  })
})
