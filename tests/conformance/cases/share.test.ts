/** Many tabs, one box: one drives it, all work. */
import { AckboxError, type Box } from 'ackbox'
import { describe, expect, it, vi } from 'vitest'

import { refusal } from '../support/errors.ts'
import { Origin, type Tab } from '../support/tabs.ts'
import { tabsClock, turns } from '../support/tabs-clock.ts'

/** Resolves when something is so. */
async function until(isSo: () => unknown): Promise<void> {
  await vi.waitFor(() => expect(isSo()).toBeTruthy(), { timeout: 15_000, interval: 1 })
}

/** A tab that drives and one that does not, each with its queue. */
async function two(): Promise<{ origin: Origin; driving: Tab & { box: Box }; other: Tab & { box: Box } }> {
  const origin = new Origin()
  const driving = await origin.tab()
  const other = await origin.tab()
  expect(origin.driver).toBe(driving)
  return { origin, driving, other }
}

describe('many tabs of one box [A1 share]', () => {
  it('any tab enqueues, and is told what became of it', async () => {
    const { driving, other } = await two()
    const orders = other.box.queue<{ n: number }>('orders')
    const receipt = await orders.enqueue({ n: 1 }, { id: 'a' })
    expect(receipt).toEqual({ id: 'a', status: 'accepted', state: 'ready' })
    expect(await orders.enqueue({ n: 1 }, { id: 'a' })).toMatchObject({ status: 'duplicate' })
    await refusal(orders.enqueue({ n: 2 }, { id: 'a' }), 'ERR_ID_CONFLICT')
    const many = await orders.enqueueMany([{ body: { n: 3 } }, { body: { n: 4 }, delayMs: 60_000 }])
    expect(many.map(({ status, state }) => [status, state])).toEqual([
      ['accepted', 'ready'],
      ['accepted', 'scheduled'],
    ])
    const found = await driving.box.queue<{ n: number }>('orders').peek()
    expect(found.map(({ body }) => body)).toEqual([{ n: 1 }, { n: 3 }, { n: 4 }])
    expect((await other.box.stats()).messages).toBe(3)
  })

  it('what is enqueued in one tab is handled in another, whichever drives', async () => {
    const { driving, other } = await two()
    for (const [from, to] of [[driving, other], [other, driving]] as const) {
      const handled: unknown[] = []
      const worker = to.box.queue<string, number>('orders').process(async (message) => {
        handled.push(await message.step('say', ({ key }) => [message.body, typeof key]))
        return message.attempt
      })
      const orders = from.box.queue<string, number>('orders')
      await orders.enqueue('one', { id: 'a' })
      expect(await orders.finished('a')).toMatchObject({ state: 'completed', result: 1 })
      expect(handled).toEqual([['one', 'string']])
      await worker.close()
      await orders.forget('a')
    }
  })

  it('a handler that settles by hand makes room for the next', async () => {
    const { driving, other } = await two()
    for (const { box } of [driving, other]) {
      const orders = box.queue<number>('orders')
      const handled: number[] = []
      const worker = orders.process(async (message) => {
        await message.ack()
        handled.push(message.body)
      })
      for (const body of [1, 2, 3]) await orders.enqueue(body)
      await until(() => handled.length === 3)
      await worker.close()
    }
  })

  it('the circuits of a worker are told in its tab, whichever drives', async () => {
    const { driving, other } = await two()
    for (const { box } of [driving, other]) {
      const orders = box.queue<string>(`orders of ${box === other.box ? 'the other' : 'the driving'} tab`)
      const states: string[] = []
      const worker = orders.process(() => Promise.reject(new Error('down')), { breaker: { failures: 1, cooldownMs: 3_600_000 } })
      expect(worker.circuit('shop').state).toBe('closed')
      orders.on('circuit', ({ to }) => void states.push(`${to} ${worker.circuit('shop').state} ${worker.circuits().length}`))
      await orders.enqueue('one', { destination: 'shop' })
      await until(() => states.length === 1)
      expect(worker.circuits()).toEqual([{ destination: 'shop', state: 'open', retryAt: expect.any(Number), openings: 1 }])
      worker.circuit('shop').isolate()
      await until(() => states.length === 2)
      worker.circuit('shop').reset()
      await until(() => states.length >= 3)
      expect(states.slice(0, 3)).toEqual(['open open 1', 'isolated isolated 1', expect.stringMatching(/^closed closed/)])
      void worker.close({ timeoutMs: 0 })
    }
  })

  it('every call of a queue works in every tab', async () => {
    const { other } = await two()
    const orders = other.box.queue<string>('orders', { maxAttempts: 1 })
    const events: string[] = []
    for (const event of ['enqueued', 'dead', 'completed'] as const) orders.on(event, ({ id }) => void events.push(`${event} ${id}`))
    const watch = orders.watch()
    let changes = 0
    const off = watch.subscribe(() => void changes++)
    await orders.enqueue('x', { id: 'a' })
    const delivery = await orders.dequeue({ waitMs: 10_000 })
    expect(delivery).toMatchObject({ id: 'a', body: 'x', attempt: 1 })
    await delivery!.reject(new Error('no'))
    await until(() => events.includes('dead a'))
    await until(() => watch.getSnapshot().some(({ state }) => state === 'dead'))
    expect(await orders.dead.count()).toBe(1)
    const [letter] = (await orders.dead.list().page()).items
    expect(letter).toMatchObject({ id: 'a', body: 'x', reason: 'exhausted', error: { message: 'no' } })
    expect(await orders.dead.edit('a', { body: 'y' })).toBe(true)
    expect(await orders.dead.redrive()).toEqual({ moved: 1, skipped: 0 })
    expect(await orders.drain(({ body }) => expect(body).toBe('y'))).toMatchObject({ completed: 1 })
    expect(await orders.get('a')).toMatchObject({ state: 'completed' })
    await orders.pause()
    expect(await orders.stats()).toMatchObject({ paused: true, acked: 1 })
    await orders.resume()
    const [first] = [await orders.enqueue('z', { id: 'b' })]
    await other.box.transaction(async (tx) => {
      const taken = await orders.dequeue()
      tx.ack(taken!)
      tx.enqueue(orders, 'after', { id: 'c' })
    })
    expect(first.status).toBe('accepted')
    expect((await orders.peek()).map(({ id }) => id)).toEqual(['c'])
    expect(await orders.cancel('c')).toBe(true)
    expect(await orders.purge()).toBe(0)
    await orders.idle()
    expect(changes).toBeGreaterThan(0)
    expect(events).toContain('completed a')
    off()
  })
})

describe('the driving tab goes away [A1 share, S2]', () => {
  it.each(['kill', 'close'] as const)('%s: the next takes over, and nothing is lost or costs an attempt', async (how) => {
    const { origin, driving, other } = await two()
    const attempts: [string, number][] = []
    const held = driving.box.queue<string>('orders').process(
      ({ body, attempt, signal }) =>
        new Promise<void>((resolve) => {
          attempts.push([body, attempt])
          // Both tabs are in one process, in which no message is handled twice at once.
          signal.addEventListener('abort', () => resolve())
        }),
    )
    held.closed.catch(() => {})
    const orders = other.box.queue<string>('orders', { maxAttempts: 1 })
    await orders.enqueue('one', { id: 'a' })
    await until(() => attempts.length === 1)
    if (how === 'kill') driving.kill()
    else await driving.box.close({ timeoutMs: 0 })
    const receipt = await orders.enqueue('two', { id: 'b' })
    expect(receipt.status).toBe('accepted')
    expect(origin.driver).toBe(other)
    expect(await orders.drain(({ body, attempt }) => void attempts.push([body, attempt]))).toMatchObject({ completed: 2, dead: 0 })
    expect(attempts.slice(1).map(([body]) => body).sort()).toEqual(['one', 'two'])
    const again = await origin.tab()
    expect(await again.box.queue('orders').get('a')).toMatchObject({ state: 'completed' })
  })

  it('workers, listeners and whoever waits go on with the next driver', async () => {
    const { driving, other } = await two()
    const orders = other.box.queue<string, string>('orders')
    const completed: string[] = []
    orders.on('completed', ({ id }) => void completed.push(id))
    const ends = orders.finished('late')
    orders.process(({ body }) => body)
    await orders.enqueue('one', { id: 'a' })
    await until(() => completed.includes('a'))
    driving.kill()
    await orders.enqueue('two', { id: 'late' })
    expect(await ends).toMatchObject({ state: 'completed', result: 'two' })
    await until(() => completed.includes('late'))
  })

  it('a delivery of the driver that went away is lost, and settles nothing', async () => {
    const { driving, other } = await two()
    const orders = other.box.queue<string>('orders')
    await orders.enqueue('one', { id: 'a' })
    const delivery = (await orders.dequeue())!
    driving.kill()
    await until(() => delivery.signal.aborted)
    expect(AckboxError.is(delivery.signal.reason, 'ERR_LEASE_LOST')).toBe(true)
    await refusal(delivery.ack(), 'ERR_LEASE_LOST')
    const again = await orders.dequeue({ waitMs: 10_000 })
    expect(again).toMatchObject({ id: 'a' })
    await again!.ack()
  })

  it('a tab that goes away gives back what it had, at no cost', async () => {
    const { driving, other } = await two()
    const orders = driving.box.queue<string>('orders', { maxAttempts: 1 })
    await orders.enqueue('one', { id: 'a' })
    let started = 0
    other.box.queue<string>('orders').process(() => new Promise<void>(() => void started++))
    await until(() => started === 1)
    other.kill()
    const delivery = await orders.dequeue({ waitMs: 10_000 })
    expect(delivery).toMatchObject({ id: 'a', attempt: 1 })
    await delivery!.ack()
  })

  it('one that is frozen loses the box after a second, settles nothing, and works on as one of the others', async () => {
    const origin = new Origin()
    const clock = tabsClock()
    const driving = await origin.tab({ clock })
    const other = await origin.tab({ clock })
    const orders = driving.box.queue<string>('orders')
    await orders.enqueue('one', { id: 'a' })
    const delivery = (await orders.dequeue())!
    driving.freeze()
    const left = other.box.queue<string>('orders').enqueue('two', { id: 'b' })
    await turns()
    await clock.advance(999)
    expect(origin.driver).toBe(driving)
    await clock.advance(1)
    await until(() => origin.driver === other)
    expect(await left).toMatchObject({ status: 'accepted' })
    driving.thaw()
    await refusal(delivery.ack(), 'ERR_LEASE_LOST')
    expect(await orders.enqueue('three', { id: 'c' })).toMatchObject({ status: 'accepted' })
    expect((await orders.peek()).map(({ id }) => id).sort()).toEqual(['a', 'b', 'c'])
  })
})

describe('what nobody answers [A2 stored, A5 refused]', () => {
  it('is stored after two seconds, and moved later', async () => {
    const origin = new Origin()
    const clock = tabsClock()
    const driving = await origin.tab({ clock })
    const other = await origin.tab({ clock })
    origin.keepsLocks = true
    driving.freeze()
    const orders = other.box.queue<string>('orders')
    let receipt: unknown
    const left = orders.enqueueMany([{ body: 'one', id: 'a' }, { body: 'two', delayMs: 1_000 }])
    void left.then((given) => (receipt = given))
    await turns()
    await clock.advance(1_999)
    expect(receipt).toBeUndefined()
    await clock.advance(1)
    expect(await left).toEqual([
      { id: 'a', status: 'stored', state: 'ready' },
      { id: expect.stringMatching(/^[0-9a-z]{33}$/), status: 'stored', state: 'scheduled' },
    ])
    driving.kill()
    await until(() => origin.driver === other)
    const bodies = async () => (await orders.peek()).map(({ body }) => body)
    await vi.waitFor(async () => expect(await bodies()).toEqual(['one', 'two']), { timeout: 10_000, interval: 5 })
  })

  it('and is refused then, is a dead letter', async () => {
    const origin = new Origin()
    const clock = tabsClock()
    const driving = await origin.tab({ clock })
    const other = await origin.tab({ clock })
    await driving.box.queue<string>('orders').enqueue('original', { id: 'a' })
    origin.keepsLocks = true
    driving.freeze()
    const orders = other.box.queue<string>('orders')
    const left = orders.enqueue('another', { id: 'a' })
    const behind = orders.enqueue('behind', { id: 'b' })
    await turns()
    await clock.advance(2_000)
    expect(await left).toMatchObject({ status: 'stored' })
    await behind
    driving.thaw()
    const letters = async () => (await orders.dead.list().page()).items
    await vi.waitFor(async () => expect(await letters()).toHaveLength(1), { timeout: 10_000, interval: 5 })
    const [letter] = await letters()
    expect(letter).toMatchObject({ reason: 'refused', body: 'another', error: { code: 'ERR_ID_CONFLICT' } })
    await vi.waitFor(async () => expect((await orders.peek({ state: 'ready' })).map(({ id }) => id)).toEqual(['a', 'b']))
  })
})
