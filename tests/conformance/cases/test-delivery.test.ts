/** `testDelivery`: what a handler does to it is what it would do to a delivery of a box. */
import { memoryStorage, open, type Delivery, type Handler, type Queue } from 'ackbox'
import { testDelivery, type TestDelivery } from 'ackbox/testing'
import { describe, expect, expectTypeOf, it } from 'vitest'

import { refusal } from '../support/errors.ts'

interface Order {
  cents: number
}

describe('testDelivery [A8 testDelivery]', () => {
  it('is a delivery of the body, and not settled', () => {
    const message = testDelivery({ cents: 5 })
    expectTypeOf(message).toEqualTypeOf<TestDelivery<{ cents: number }>>()
    expectTypeOf<TestDelivery<Order>>().toExtend<Delivery<Order>>()
    expect(message).toMatchObject({
      body: { cents: 5 },
      attempt: 1,
      headers: {},
      group: undefined,
      destination: undefined,
      priority: 0,
      settled: undefined,
      extensions: [],
    })
    expect(message.signal.aborted).toBe(false)
    expect(Math.abs(Date.now() - message.enqueuedAt)).toBeLessThan(60_000)
  })

  it('is another message than the one before, delivered later', () => {
    const [one, other] = [testDelivery(1), testDelivery(1)]
    expect(one.id).not.toBe(other.id)
    expect(other.token).toBeGreaterThan(one.token)
  })

  it('takes what the test wants different', () => {
    const given = {
      id: 'o-1', attempt: 3, headers: { trace: 't' }, group: 'g', destination: 'd', priority: 9, enqueuedAt: 5, token: 77,
    }
    expect(testDelivery(1, given)).toMatchObject(given)
  })

  it('remembers what was staged', async () => {
    const message = testDelivery<Order>({ cents: 5 })
    const bills = { name: 'bills' } as Queue<Order>
    expect(message.enqueue(bills, message.body, { id: 'bill-1' })).toEqual({ id: 'bill-1' })
    message.enqueue(bills, { cents: 1 })
    expect(message.staged).toEqual([
      { queue: 'bills', body: { cents: 5 }, options: { id: 'bill-1' } },
      { queue: 'bills', body: { cents: 1 }, options: {} },
    ])
    await refusal(() => message.enqueue(bills, { cents: 1 }, { delay: 5 } as never), 'ERR_INVALID_OPTION', /'delay'/)
    await refusal(() => message.enqueue('bills' as never, 1 as never), 'ERR_INVALID_OPTION', /a queue/)
    await message.ack()
    await refusal(() => message.enqueue(bills, { cents: 1 }), 'ERR_ALREADY_SETTLED')
  })

  it('runs steps once, and remembers them', async () => {
    const message = testDelivery(1, { id: 'o-1', steps: { reserve: { shelf: 4 } } })
    const never = (): { shelf: number } => {
      throw new Error('it ran again')
    }
    expect(await message.step('reserve', never)).toEqual({ shelf: 4 })
    const given = await message.step('charge', ({ key, signal }) => ({ key, isAborted: signal.aborted }))
    expect(given).toEqual({ key: message.key('charge'), isAborted: false })
    await message.step('notify', () => undefined)
    expect(message.steps).toEqual({ reserve: { shelf: 4 }, charge: given, notify: undefined })
    expect(message.key('charge')).toMatch(/^[0-9a-f]{32}$/)
    expect(message.key('charge')).not.toBe(message.key('notify'))
    expect(testDelivery(1, { id: 'o-1' }).key('charge')).toBe(message.key('charge'))
    expect(testDelivery(1, { id: 'o-2' }).key('charge')).not.toBe(message.key('charge'))
    await refusal(message.step('charge', () => 1), 'ERR_INVALID_OPTION', /'charge' again/)
    await refusal(message.step('huge', () => 'x'.repeat(1 << 20)), 'ERR_BODY_TOO_LARGE')
    await expect(message.step('pay', () => Promise.reject(new Error('busy')))).rejects.toThrow('busy')
    expect(await message.step('pay', () => 5)).toBe(5)
    message.lose()
    await refusal(message.step('ship', () => 1), 'ERR_LEASE_LOST')
  })

  it('remembers how it was settled', async () => {
    const acked = testDelivery(1)
    await acked.ack({ paid: true })
    expect(acked.settled).toEqual({ how: 'acked', result: { paid: true } })
    const rejected = testDelivery(1)
    const reason = new Error('no')
    await rejected.reject(reason, { delayMs: 500 })
    expect(rejected.settled).toEqual({ how: 'rejected', reason, delayMs: 500, dead: false })
    const dead = testDelivery(1)
    await dead.reject('never', { dead: true })
    expect(dead.settled).toEqual({ how: 'rejected', reason: 'never', dead: true })
    const returned = testDelivery(1)
    await returned[Symbol.asyncDispose]()
    expect(returned.settled).toEqual({ how: 'returned' })
    const kept = testDelivery(1)
    await kept.ack()
    await kept[Symbol.asyncDispose]()
    expect(kept.settled).toEqual({ how: 'acked', result: undefined })
  })

  it('remembers how long it was extended', async () => {
    const message = testDelivery(1)
    await message.extend(1_000)
    await message.extend(2_500)
    expect(message.extensions).toEqual([1_000, 2_500])
  })

  it.each(['ERR_LEASE_LOST', 'ERR_CLOSED', 'ERR_TIMEOUT'] as const)('is lost when the test says so, with %s', async (code) => {
    const message = testDelivery(1)
    const reasons: unknown[] = []
    message.signal.addEventListener('abort', () => reasons.push(message.signal.reason))
    message.lose(code)
    expect(reasons).toEqual([expect.objectContaining({ code })])
    await refusal(message.ack(), code)
    await refusal(message.extend(1), code)
    await message[Symbol.asyncDispose]()
    expect(message.settled).toBeUndefined()
  })

  it('follows a signal of the test', async () => {
    const controller = new AbortController()
    const message = testDelivery(1, { signal: controller.signal })
    const reason = new Error('gone')
    controller.abort(reason)
    expect(message.signal.reason).toBe(reason)
    await refusal(message.reject('late'), 'ERR_LEASE_LOST')
    expect(testDelivery(1, { signal: AbortSignal.abort(reason) }).signal.reason).toBe(reason)
  })

  it.each<[string, unknown, RegExp]>([
    ['no object', 5, /object with options.*5/],
    ['a name that is none', { attemp: 2 }, /'attemp'.*'attempt'/],
    ['a signal that is none', { signal: 5 }, /signal.*5/],
  ])('refuses %s', async (_, overrides, message) => {
    await refusal(() => testDelivery(1, overrides as never), 'ERR_INVALID_OPTION', message)
  })
})

/** What a handler does, and what both kinds of delivery make of it. */
const MISUSE: [string, Handler<number, void>][] = [
  ['settles twice', async (message) => (await message.ack(), message.ack())],
  ['rejects what it acknowledged', async (message) => (await message.ack(), message.reject('no'))],
  ['extends what it settled', async (message) => (await message.ack(), message.extend(5))],
  ['gives a result that JSON cannot hold', (message) => message.ack(10n)],
  ['gives a result that is too large', (message) => message.ack('x'.repeat(70_000))],
  ['delays by no time', (message) => message.reject('no', { delayMs: Number.NaN })],
  ['delays what is dead', (message) => message.reject('no', { delayMs: 5, dead: true })],
  ['misspells an option', (message) => message.reject('no', { delay: 5 } as never)],
  ['extends by nothing', (message) => message.extend(0)],
]

describe.each(MISUSE)('a handler that %s', (_, handler) => {
  it('fails the same way as over a box', async () => {
    const outcome = async (message: Delivery<number>): Promise<unknown> => {
      try {
        return await handler(message)
      } catch (error) {
        return (error as { code?: unknown }).code
      }
    }
    const box = await open(memoryStorage())
    await box.queue<number>('jobs').enqueue(1)
    const real = await outcome((await box.queue<number>('jobs').dequeue())!)
    await box.close()
    expect(real).toMatch(/^ERR_/)
    expect(await outcome(testDelivery(1))).toBe(real)
  })
})
