/** Steps of a handler: done once, recorded with the message, recalled by later deliveries. */
import { constant, type Delivery, type Queue } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { gate, isPending } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'

const GUARANTEES = ['at-least-once', 'exactly-once'] as const

/** A queue with one message that was claimed. */
async function claimed(queue: Queue<number>): Promise<Delivery<number>> {
  await queue.enqueue(1, { id: 'a' })
  return (await queue.dequeue())!
}

eachStorage('steps [A3 step, S15]', (make) => {
  it.each(GUARANTEES)('run once in %s, whatever fails behind them', async (guarantee) => {
    const { box, clock } = await make()
    const ran: string[] = []
    const seen: unknown[] = []
    const queue = box.queue<number>('orders', { guarantee })
    queue.process(async (message) => {
      const charge = await message.step('charge', () => {
        ran.push('charge')
        return { receipt: 7 }
      })
      const nothing = await message.step('notify', async () => void ran.push('notify'))
      seen.push([charge, nothing])
      if (message.attempt < 3) throw new Error('not yet')
      await message.step('ship', () => void ran.push('ship'))
    })
    await queue.enqueue(1, { id: 'a' })
    await clock.advance(10_000)
    expect(ran).toEqual(['charge', 'notify', 'ship'])
    expect(seen).toEqual(Array(3).fill([{ receipt: 7 }, undefined]))
    expect(await queue.get('a')).toMatchObject({ state: 'completed', attempt: 3 })
  })

  it('outlive the process that recorded them, a redrive, and a lost lease', async () => {
    const { box, clock, reopen } = await make()
    const options = { leaseMs: 1_000, backoff: constant(0) }
    let queue = box.queue<number>('orders', options)
    let message = await claimed(queue)
    const key = message.key('charge')
    expect(await message.step('charge', () => 'paid')).toBe('paid')
    const never = (): string => {
      throw new Error('it ran again')
    }
    await clock.advance(1_001)
    message = (await queue.dequeue())!
    expect(await message.step('charge', never)).toBe('paid')
    queue = (await reopen()).queue<number>('orders', options)
    message = (await queue.dequeue())!
    expect(await message.step('charge', never)).toBe('paid')
    await message.reject('no', { dead: true })
    await queue.dead.redrive()
    message = (await queue.dequeue())!
    expect(message.attempt).toBe(1)
    expect(await message.step('charge', never)).toBe('paid')
    expect(message.key('charge')).toBe(key)
  })

  it('are shown by get and with dead letters, in order, and dropped by a redrive that says so', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('orders')
    const message = await claimed(queue)
    await message.step('charge', () => ({ receipt: 7 }))
    await message.step('notify', () => undefined)
    await message.step('empty', () => null)
    const steps = [{ name: 'charge', result: { receipt: 7 } }, { name: 'notify' }, { name: 'empty', result: null }]
    expect((await queue.get('a'))?.steps).toEqual(steps)
    expect(await queue.peek()).toMatchObject([{ id: 'a' }])
    await message.reject('no', { dead: true })
    const again = (await reopen()).queue<number>('orders')
    expect((await again.dead.get('a'))?.steps).toEqual(steps)
    expect((await again.dead.list().page()).items[0]?.steps).toEqual(steps)
    expect(await again.dead.redrive({ steps: 'forget' })).toEqual({ moved: 1, skipped: 0 })
    expect((await again.get('a'))?.steps).toEqual([])
    const anew = (await again.dequeue())!
    expect(await anew.step('charge', () => ({ receipt: 8 }))).toEqual({ receipt: 8 })
    expect((await again.get('a'))?.steps).toEqual([{ name: 'charge', result: { receipt: 8 } }])
    await anew.ack()
    expect((await again.get('a'))?.steps).toBeUndefined()
  })

  it('give what the codec makes of their results, in every attempt', async () => {
    const { box } = await make()
    const decoder = new TextDecoder()
    const codec = {
      encode: (value: unknown) => new TextEncoder().encode(`<${String(value)}>`),
      decode: (bytes: Uint8Array) => decoder.decode(bytes),
    }
    const queue = box.queue<unknown>('orders', { codec: codec as never })
    await queue.enqueue(1, { id: 'a' })
    const first = (await queue.dequeue())!
    expect(await first.step('one', () => 'x')).toBe('<x>')
    await first[Symbol.asyncDispose]()
    const second = (await queue.dequeue())!
    expect(await second.step('one', () => 'y')).toBe('<x>')
    expect((await queue.get('a'))?.steps).toEqual([{ name: 'one', result: '<x>' }])
    const byJson = box.queue<number>('others')
    const message = await claimed(byJson)
    expect(await message.step('when', () => new Date(0))).toBe('1970-01-01T00:00:00.000Z')
  })
})

it('a step that throws records nothing, and may be tried again at once', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('orders')
  const message = await claimed(queue)
  const error = new Error('busy')
  await expect(message.step('charge', () => Promise.reject(error))).rejects.toBe(error)
  expect((await queue.get('a'))?.steps).toEqual([])
  expect(await message.step('charge', () => 1)).toBe(1)
})

it('steps run side by side, and none twice under one name', async () => {
  const { box } = await makeInMemory()
  const message = await claimed(box.queue<number>('orders'))
  const [first, second] = [gate<number>(), gate<number>()]
  const steps = [message.step('one', () => first.promise), message.step('two', () => second.promise)]
  await refusal(message.step('one', () => 3), 'ERR_INVALID_OPTION', /'orders'.*'a'.*'one' again/)
  second.open(2)
  expect(await steps[1]).toBe(2)
  expect(await isPending(steps[0]!)).toBe(true)
  first.open(1)
  expect(await steps[0]).toBe(1)
  await refusal(message.step('one', () => 3), 'ERR_INVALID_OPTION', /'one' again/)
})

it('what cannot be recorded is refused, and recorded is nothing', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('orders', { maxBodyBytes: 100 })
  const message = await claimed(queue)
  await refusal(message.step('large', () => 'x'.repeat(99)), 'ERR_BODY_TOO_LARGE', /result.*100 bytes.*101/)
  await refusal(message.step('function', () => () => {}), 'ERR_INVALID_BODY', /result that JSON can hold.*function/)
  await refusal(message.step('big', () => 1n), 'ERR_INVALID_BODY', /result cannot be encoded/)
  await refusal(message.step('', () => 1), 'ERR_INVALID_OPTION', /name.*not empty/)
  await refusal(message.step('n'.repeat(257), () => 1), 'ERR_INVALID_OPTION', /256 bytes/)
  await refusal(message.step('none', undefined as never), 'ERR_INVALID_OPTION', /function/)
  expect((await queue.get('a'))?.steps).toEqual([])
})

it('no step runs that could not be recorded: the 1,025th, or one behind 8 MiB', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('orders', { maxBodyBytes: 8 << 20, backoff: constant(0) })
  const ran: string[] = []
  const run = (message: Delivery<number>, name: string) => message.step(name, () => void ran.push(name))
  const names = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `step ${from + index}`)
  let message = await claimed(queue)
  await Promise.all(names(0, 1_000).map((name) => run(message, name)))
  await message.reject('again')
  message = (await queue.dequeue())!
  await run(message, 'step 0')
  const sideBySide = await Promise.allSettled(names(1_000, 1_030).map((name) => run(message, name)))
  expect(sideBySide.filter(({ status }) => status === 'fulfilled')).toHaveLength(24)
  await refusal(run(message, 'one more'), 'ERR_INVALID_OPTION', /'one more': expected at most 1024 steps/)
  expect(ran).toEqual(names(0, 1_024))
  await message.ack()

  await queue.enqueue(2, { id: 'b' })
  message = (await queue.dequeue())!
  const large = 'x'.repeat((4 << 20) - 2)
  expect(await message.step('one', () => large)).toBe(large)
  expect(await message.step('two', () => large)).toBe(large)
  for (const attempt of [1, 2]) {
    expect(message.attempt).toBe(attempt)
    await refusal(run(message, 'three'), 'ERR_BODY_TOO_LARGE', /'three': expected less than 8388608 bytes/)
    await message.reject('again')
    message = (await queue.dequeue())!
  }
  expect(await message.step('one', () => '')).toBe(large)
  expect(await message.step('two', () => '')).toBe(large)
  await refusal(run(message, 'three'), 'ERR_BODY_TOO_LARGE')
  expect(ran).toEqual(names(0, 1_024))
})

it('of steps that all begin at once none runs that could not be recorded', async () => {
  const { box } = await makeInMemory()
  const message = await claimed(box.queue<number>('orders'))
  let ran = 0
  const steps = Array.from({ length: 1_030 }, (_, index) => message.step(`step ${index}`, () => void ran++))
  const refused = (await Promise.allSettled(steps)).filter(({ status }) => status === 'rejected')
  expect(refused).toHaveLength(6)
  expect(ran).toBe(1_024)
})

it('a step is refused once the delivery is settled or lost, also when that came while it ran', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('orders', { leaseMs: 1_000, backoff: constant(0) })
  const message = await claimed(queue)
  const running = gate()
  const step = message.step('late', () => running.promise)
  await message.ack()
  running.open()
  await refusal(step, 'ERR_ALREADY_SETTLED', /'a': step/)
  await refusal(message.step('later', () => 1), 'ERR_ALREADY_SETTLED')
  await queue.enqueue(2, { id: 'b' })
  const lost = (await queue.dequeue())!
  await clock.advance(1_001)
  let ran = false
  await refusal(lost.step('late', () => void (ran = true)), 'ERR_LEASE_LOST')
  expect(ran).toBe(false)
  const again = (await queue.dequeue())!
  const losing = gate()
  const lostMeanwhile = again.step('late', () => losing.promise)
  await clock.advance(1_001)
  losing.open()
  await refusal(lostMeanwhile, 'ERR_LEASE_LOST', /'b'/)
  expect((await queue.get('b'))?.steps).toEqual([])
})

it('at-most-once has no steps', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('orders', { guarantee: 'at-most-once' })
  const message = await claimed(queue)
  let ran = false
  await refusal(message.step('charge', () => void (ran = true)), 'ERR_LEASE_LOST', /at-most-once/)
  expect(ran).toBe(false)
})

it('the function of a step gets its key and the signal of the delivery', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('orders', { leaseMs: 1_000 })
  const message = await claimed(queue)
  let given: { key: string; signal: AbortSignal } | undefined
  await message.step('charge', ({ key, signal }) => void (given = { key, signal }))
  expect(given?.key).toBe(message.key('charge'))
  expect(given?.signal).toBe(message.signal)
  await clock.advance(1_001)
  expect(given?.signal.aborted).toBe(true)
})

it('a key is fit for a header, and different for every name, message and box [A3 key]', async () => {
  const keys = new Set<string>()
  for (let index = 0; index < 2; index++) {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('orders')
    for (const id of ['a', 'b']) {
      await queue.enqueue(1, { id })
      const message = (await queue.dequeue())!
      for (const name of ['charge', 'ship']) {
        expect(message.key(name)).toMatch(/^[0-9a-f]{32}$/)
        expect(message.key(name)).toBe(message.key(name))
        keys.add(message.key(name))
      }
      await refusal(() => message.key(''), 'ERR_INVALID_OPTION', /name/)
      await message.ack()
      expect(keys.has(message.key('charge'))).toBe(true)
    }
  }
  expect(keys.size).toBe(8)
})

it('a step that never ends is refused when the box closes', async () => {
  const { box } = await makeInMemory()
  const message = await claimed(box.queue<number>('orders'))
  const endless = message.step('charge', () => new Promise(() => {}))
  await box.close()
  await refusal(endless, 'ERR_CLOSED')
})
