/** Redriving dead letters to another queue and at a pace. */
import { type Queue } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { eachStorage, makeInMemory, type Site } from '../support/boxes.ts'
import { isPending } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { ids, kill, killNext } from '../support/letters.ts'

async function letters(site: Site, count: number): Promise<Queue<number>> {
  const queue = site.box.queue<number>('jobs')
  for (let n = 0; n < count; n += 1) await kill(queue, n, `id-${n}`)
  return queue
}

eachStorage('a redrive to another queue [A5 dead redrive]', (make) => {
  it('moves id, body, headers and all else, in one commit', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<{ n: number }>('jobs')
    const repairs = box.queue<{ n: number }>('repairs')
    const options = { id: 'a', headers: { trace: 't' }, group: 'g', destination: 'd', priority: 3, maxAttempts: 2 }
    await queue.enqueue({ n: 1 }, options)
    await killNext(queue)
    expect(await queue.dead.redrive({ to: 'repairs' })).toEqual({ moved: 1, skipped: 0 })
    expect(await queue.get('a')).toBeUndefined()
    expect(await queue.dead.redrive({ to: 'repairs', ids: ['a'] })).toEqual({ moved: 0, skipped: 1 })
    expect(await repairs.get('a')).toMatchObject({ ...options, state: 'ready', attempt: 0, body: { n: 1 }, history: [] })
    const again = await reopen()
    expect(await again.queue<{ n: number }>('jobs').enqueue({ n: 2 }, { id: 'a' })).toMatchObject({ status: 'accepted' })
    const moved = again.queue<{ n: number }>('repairs')
    expect(await moved.enqueue({ n: 1 }, { id: 'a' })).toMatchObject({ status: 'duplicate', state: 'ready' })
    await refusal(moved.enqueue({ n: 2 }, { id: 'a' }), 'ERR_ID_CONFLICT')
    const delivery = await moved.dequeue()
    expect(delivery).toMatchObject({ id: 'a', attempt: 1, body: { n: 1 }, headers: { trace: 't' }, group: 'g', destination: 'd' })
    await delivery!.ack()
  })

  it('keeps a generated id', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const repairs = box.queue<number>('repairs')
    const { id } = await queue.enqueue(1)
    await killNext(queue)
    await queue.dead.redrive({ to: 'repairs' })
    expect(await repairs.enqueue(1, { id })).toMatchObject({ id, status: 'duplicate' })
    await killNext(repairs)
    await repairs.dead.redrive({ to: 'jobs' })
    expect(await queue.dequeue()).toMatchObject({ id, body: 1, attempt: 1 })
  })

  it('skips what the other queue knows or has no room for, and loses nothing', async () => {
    const site = await make()
    const queue = await letters(site, 4)
    const full = site.box.queue<number>('full', { maxDepth: 2 })
    await full.enqueue(9, { id: 'id-1' })
    expect(await queue.dead.redrive({ to: 'full' })).toEqual({ moved: 1, skipped: 3 })
    expect(await ids(queue.dead.list())).toEqual(['id-1', 'id-2', 'id-3'])
    expect((await full.peek()).map(({ id }) => id)).toEqual(['id-1', 'id-0'])
  })
})

it('a redrive to a queue that is not there is refused, and creates none', async () => {
  const site = await makeInMemory()
  const queue = await letters(site, 1)
  await refusal(queue.dead.redrive({ to: 'repiars' }), 'ERR_NOT_FOUND', /'repiars'/)
  await refusal(queue.dead.redrive({ to: 'repiars', perSecond: 1 }), 'ERR_NOT_FOUND', /'repiars'/)
  expect((await site.box.queues()).map(({ name }) => name)).toEqual(['jobs'])
  expect(await queue.dead.count()).toBe(1)
})

describe('a redrive at a pace [A5 dead redrive]', () => {
  it('is even, and resolves with its last letter', async () => {
    const site = await makeInMemory()
    const queue = await letters(site, 4)
    const redrive = queue.dead.redrive({ perSecond: 2 })
    for (const left of [3, 2, 1]) {
      await site.clock.advance(499)
      expect(await queue.dead.count()).toBe(left)
      expect(await isPending(redrive)).toBe(true)
      await site.clock.advance(1)
    }
    expect(await redrive).toEqual({ moved: 4, skipped: 0 })
    expect((await queue.peek()).map(({ id }) => id)).toEqual(['id-0', 'id-1', 'id-2', 'id-3'])
  })

  it('takes filter, limit and target', async () => {
    const site = await makeInMemory()
    const queue = await letters(site, 6)
    const repairs = site.box.queue<number>('repairs')
    const redrive = queue.dead.redrive({ perSecond: 0.5, ids: ['id-1', 'id-3', 'id-5', 'no'], limit: 2, to: 'repairs' })
    await site.clock.advance(2_000)
    expect(await redrive).toEqual({ moved: 2, skipped: 1 })
    expect((await repairs.peek()).map(({ id }) => id)).toEqual(['id-1', 'id-3'])
  })

  it('leaves dead what is left when its signal aborts', async () => {
    const site = await makeInMemory()
    const queue = await letters(site, 5)
    const controller = new AbortController()
    const redrive = queue.dead.redrive({ perSecond: 1, signal: controller.signal })
    await site.clock.advance(1_000)
    const why = new Error('enough')
    controller.abort(why)
    await expect(redrive).rejects.toBe(why)
    await site.clock.advance(60_000)
    expect(await queue.dead.count()).toBe(3)
    await expect(queue.dead.redrive({ signal: AbortSignal.abort(why) })).rejects.toBe(why)
    expect(await queue.dead.redrive()).toEqual({ moved: 3, skipped: 0 })
  })

  it('leaves dead what is left when the box closes, and says how far it came', async () => {
    const site = await makeInMemory()
    const queue = await letters(site, 5)
    const redrive = queue.dead.redrive({ perSecond: 1 })
    await site.clock.advance(1_000)
    const refused = refusal(redrive, 'ERR_CLOSED', /jobs.*dead\.redrive.*2 dead letters were redriven/)
    const again = (await site.reopen()).queue<number>('jobs')
    await refused
    await site.clock.advance(60_000)
    expect(await again.dead.count()).toBe(3)
    expect((await again.peek({ state: 'ready' })).map(({ id }) => id)).toEqual(['id-0', 'id-1'])
  })

  it('redrives each letter once although everything fails again', async () => {
    const site = await makeInMemory()
    const queue = await letters(site, 3)
    let deliveries = 0
    queue.process(() => {
      deliveries += 1
      throw new Error('still down')
    })
    const redrive = queue.dead.redrive({ perSecond: 1 })
    await site.clock.advance(1_000)
    await site.clock.advance(1_000)
    expect(await redrive).toEqual({ moved: 3, skipped: 0 })
    expect(deliveries).toBeGreaterThanOrEqual(3)
  })
})
