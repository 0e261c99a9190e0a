/** `box.transaction`: what a function stages becomes durable together, or nothing of it. */
import { bytes, type Box, type Delivery, type MessageState, type Queue, type Receipt, type Transaction } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory, openOn } from '../support/boxes.ts'
import { gate, manualClock, turns } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

async function claimed(queue: Queue<unknown>, count: number): Promise<Delivery[]> {
  await queue.enqueueMany(Array.from({ length: count }, (_, n) => ({ body: n, id: `${queue.name}-${n}` })))
  return queue.dequeueMany(count)
}

const stateOf = async (queue: Queue<unknown>, id: string): Promise<MessageState | undefined> => (await queue.get(id))?.state

eachStorage('transaction [A5 transaction]', (make) => {
  it('settles and enqueues over queues together, and gives what the function returned', async () => {
    const site = await make()
    const orders = site.box.queue<unknown>('orders')
    const bills = site.box.queue<unknown>('bills')
    const [first, second, third] = await claimed(orders, 3)
    let receipt: Receipt | undefined
    const given = await site.box.transaction(async (tx) => {
      tx.ack(first!, { paid: 5 })
      await turns(1)
      tx.reject(second!, new Error('later'), { delayMs: 50 })
      tx.reject(third!, new Error('no'), { dead: true })
      receipt = tx.enqueue(bills, { for: first!.id }, { id: 'bill-1', headers: { a: 'b' } })
      tx.enqueue(orders, 'another')
      return 'given'
    })
    expect(given).toBe('given')
    expect(receipt).toEqual({ id: 'bill-1', status: 'accepted', state: 'ready' })
    const box = await site.reopen()
    expect(await box.queue('orders').get('orders-0')).toMatchObject({ state: 'completed', result: { paid: 5 } })
    expect(await box.queue('orders').get('orders-1')).toMatchObject({ state: 'scheduled' })
    expect(await box.queue('orders').dead.get('orders-2')).toMatchObject({ reason: 'permanent', error: { message: 'no' } })
    expect(await box.queue('bills').dequeue()).toMatchObject({ body: { for: 'orders-0' }, headers: { a: 'b' } })
    expect(await box.queue('orders').dequeue()).toMatchObject({ body: 'another' })
  })

  it('takes everything back when the function throws', async () => {
    const { box } = await make()
    const orders = box.queue<unknown>('orders')
    const [first] = await claimed(orders, 1)
    const fault = new Error('changed my mind')
    const rejected = box.transaction(async (tx) => {
      tx.ack(first!)
      tx.enqueue(orders, 'never', { id: 'never' })
      await turns(1)
      throw fault
    })
    await expect(rejected).rejects.toBe(fault)
    expect(await stateOf(orders, 'never')).toBeUndefined()
    await first!.ack('by hand')
    expect(await orders.get('orders-0')).toMatchObject({ state: 'completed', result: 'by hand' })
  })
})

it('is one append, and nothing is told before it is durable', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const orders = box.queue<unknown>('orders')
  const [first, second] = await claimed(orders, 2)
  const appends = storage.appends
  storage.hold()
  let isDone = false
  let receipt: Receipt | undefined
  const done = box
    .transaction((tx) => {
      tx.ack(first!)
      tx.ack(second!)
      receipt = tx.enqueue(orders, 1)
    })
    .then(() => (isDone = true))
  await turns()
  expect(isDone).toBe(false)
  expect(receipt).toEqual({})
  storage.release()
  await done
  expect(storage.appends).toBe(appends + 1)
  expect(receipt).toEqual({ id: expect.any(String), status: 'accepted', state: 'ready' })
})

const refusals: [string, string, (tx: Transaction, box: Box) => unknown][] = [
  ['ERR_QUEUE_FULL', 'a full queue', (tx, box) => [1, 2].map((body) => tx.enqueue(box.queue('small', { maxDepth: 1 }), body))],
  ['ERR_ID_CONFLICT', 'an id with another body', (tx, box) => ['a', 'b'].map((body) => tx.enqueue(box.queue('ids'), body, { id: '1' }))],
  [
    'ERR_DEDUP_FULL',
    'no room for an id',
    (tx, box) =>
      ['1', '2'].map((id) => tx.enqueue(box.queue('few', { dedup: { maxEntries: 1, whenFull: 'reject' } }), id, { id })),
  ],
]

it.each(refusals)('fails as a whole with %s for %s', async (code, _, stage) => {
  const { box } = await makeInMemory()
  const orders = box.queue<unknown>('orders')
  const [first] = await claimed(orders, 1)
  await refusal(
    () =>
      box.transaction((tx) => {
        tx.ack(first!)
        tx.enqueue(orders, 'with it', { id: 'with it' })
        stage(tx, box)
      }),
    code as 'ERR_QUEUE_FULL',
    /item 2/,
  )
  expect(await stateOf(orders, 'with it')).toBeUndefined()
  expect(await stateOf(orders, 'orders-0')).toBe('leased')
  await first!.ack()
})

it('fails as a whole when a lease was lost meanwhile', async () => {
  const { box, clock } = await makeInMemory()
  const orders = box.queue<unknown>('orders', { leaseMs: 100 })
  const [first, second] = await claimed(orders, 2)
  await refusal(
    () =>
      box.transaction(async (tx) => {
        tx.ack(first!)
        tx.ack(second!)
        tx.enqueue(orders, 'never', { id: 'never' })
        await first!.extend(10_000)
        await clock.advance(100)
      }),
    'ERR_LEASE_LOST',
  )
  expect(await stateOf(orders, 'never')).toBeUndefined()
  expect(await stateOf(orders, 'orders-0')).toBe('leased')
  await box.transaction((tx) => tx.ack(first!))
  expect(await stateOf(orders, 'orders-0')).toBe('completed')
})

it('refuses what it cannot do, at once', async () => {
  const { box } = await makeInMemory()
  const other = await makeInMemory()
  const orders = box.queue<unknown>('orders')
  const [first, settled] = await claimed(orders, 2)
  const [foreign] = await claimed(other.box.queue('orders'), 1)
  await settled!.ack()
  const cases: [string, RegExp, (tx: Transaction) => unknown][] = [
    ['ERR_INVALID_OPTION', /a delivery of this box/, (tx) => tx.ack(foreign!)],
    ['ERR_INVALID_OPTION', /a delivery of this box/, (tx) => tx.reject({ id: 'forged' } as never)],
    ['ERR_INVALID_OPTION', /a queue of this box/, (tx) => tx.enqueue(other.box.queue('orders'), 1)],
    ['ERR_INVALID_OPTION', /a queue of this box.*'orders'/, (tx) => tx.enqueue('orders' as never, 1)],
    ['ERR_INVALID_OPTION', /'signal'/, (tx) => tx.enqueue(orders, 1, { signal: undefined } as never)],
    ['ERR_INVALID_BODY', /undefined/, (tx) => tx.enqueue(orders, undefined)],
    ['ERR_BODY_TOO_LARGE', /body/, (tx) => tx.enqueue(orders, 'x'.repeat(1 << 20))],
    ['ERR_ALREADY_SETTLED', /orders-1/, (tx) => tx.ack(settled!)],
    ['ERR_ALREADY_SETTLED', /orders-0/, (tx) => [tx.ack(first!), tx.reject(first!)]],
    ['ERR_INVALID_BODY', /result/, (tx) => tx.ack(first!, 1n)],
    ['ERR_BODY_TOO_LARGE', /result/, (tx) => tx.ack(first!, 'x'.repeat(1 << 16))],
    ['ERR_INVALID_OPTION', /both/, (tx) => tx.reject(first!, 'no', { delayMs: 1, dead: true })],
    ['ERR_INVALID_OPTION', /inside another/, () => box.transaction(() => {})],
  ]
  for (const [code, message, stage] of cases) {
    let thrown: unknown
    await box.transaction(async (tx) => {
      // What was refused is not staged: whoever catches it commits the rest.
      try {
        await stage(tx)
      } catch (error) {
        thrown = error
        throw error
      }
    }).catch(() => {})
    expect(thrown).toMatchObject({ code, message: expect.stringMatching(message) })
  }
  await first!.ack()
  await refusal(() => box.transaction(5 as never), 'ERR_INVALID_OPTION', /fn/)
})

it('refuses a delivery that at-most-once has settled already', async () => {
  const { box } = await makeInMemory()
  const [first] = await claimed(box.queue('once', { guarantee: 'at-most-once' }), 1)
  await refusal(() => box.transaction((tx) => tx.ack(first!)), 'ERR_LEASE_LOST', /at-most-once/)
})

it('is over when its function is done', async () => {
  const { box } = await makeInMemory()
  const orders = box.queue<unknown>('orders')
  const [first] = await claimed(orders, 1)
  let late: Transaction | undefined
  await box.transaction((tx) => void (late = tx))
  for (const use of [() => late!.ack(first!), () => late!.reject(first!), () => late!.enqueue(orders, 1)]) {
    await refusal(use, 'ERR_CLOSED', /the transaction is over/)
  }
  await first!.ack()
})

it('holds at most 10,000 settlements and messages, and 8 MiB [S16]', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<Uint8Array>('bytes', { codec: bytes })
  const many = (tx: Transaction): void => {
    for (let n = 0; n < 10_000; n += 1) tx.enqueue(queue, new Uint8Array(1))
  }
  await box.transaction(many)
  expect((await queue.stats()).ready).toBe(10_000)
  await refusal(() => box.transaction((tx) => [many(tx), many(tx)]), 'ERR_BODY_TOO_LARGE', /10000 items/)
  const [first] = await queue.dequeueMany(1)
  await refusal(() => box.transaction((tx) => [many(tx), tx.ack(first!)]), 'ERR_BODY_TOO_LARGE', /10000 items/)
  const mebibyte = new Uint8Array(1 << 20)
  const large = (tx: Transaction): void => {
    for (let n = 0; n < 8; n += 1) tx.enqueue(queue, mebibyte)
  }
  await box.transaction(large)
  await refusal(() => box.transaction((tx) => [large(tx), tx.enqueue(queue, new Uint8Array(1))]), 'ERR_BODY_TOO_LARGE', /8388608/)
  expect((await queue.stats()).ready).toBe(10_007)
})

it('keeps what a codec encoded into bytes that it uses again', async () => {
  const { box } = await makeInMemory()
  const shared = new Uint8Array(1)
  const codec = { encode: (body: number) => (shared.fill(body), shared), decode: (given: Uint8Array) => given[0]! }
  const queue = box.queue<number>('shared', { codec })
  await box.transaction((tx) => [1, 2, 3].map((body) => tx.enqueue(queue, body)))
  expect((await queue.dequeueMany(3)).map(({ body }) => body)).toEqual([1, 2, 3])
})

it('of a handler leaves nothing to settle when it returns [S4]', async () => {
  const { box } = await makeInMemory()
  const orders = box.queue<number, string>('orders')
  const bills = box.queue<number>('bills')
  const seen = record(orders)
  orders.process(async (message) => {
    await box.transaction((tx) => {
      tx.ack(message, 'in the transaction')
      tx.enqueue(bills, message.body)
    })
    return 'not looked at'
  })
  await orders.enqueue(1, { id: 'a' })
  await seen.until('completed', 1)
  expect(await orders.get('a')).toMatchObject({ state: 'completed', result: 'in the transaction' })
  expect((await bills.stats()).ready).toBe(1)
  expect((await orders.stats()).acked).toBe(1)
})

it('that fails behind the back of its handler fails the attempt', async () => {
  const { box, clock } = await makeInMemory()
  const orders = box.queue<number>('orders')
  const full = box.queue<number>('full', { maxDepth: 1 })
  await full.enqueue(0)
  const seen = record(orders)
  const outcomes: unknown[] = []
  orders.process((message) => {
    const unit = box.transaction((tx) => {
      tx.ack(message)
      tx.enqueue(full, 1)
    })
    outcomes.push(unit.catch(({ code }: { code: string }) => code))
  })
  await orders.enqueue(1, { id: 'a' })
  expect(await seen.until('retry', 1)).toMatchObject({ id: 'a', error: { code: 'ERR_QUEUE_FULL' } })
  expect(await Promise.all(outcomes)).toEqual(['ERR_QUEUE_FULL'])
  await full.purge()
  await clock.advance(10_000)
  await seen.until('completed', 1)
  expect((await full.stats()).ready).toBe(1)
})

it('waits for schemas, and is taken back by what they refuse', async () => {
  const { box } = await makeInMemory()
  const asked = gate()
  const schema = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: async (value: unknown) => {
        await asked.promise
        return value === 'bad' ? { issues: [{ message: 'it is bad' }] } : { value: value as string }
      },
    },
  }
  const checked = box.queue('checked', { schema })
  const [first] = await claimed(box.queue('orders'), 1)
  const good = box.transaction((tx) => [tx.enqueue(checked, 'good'), tx.enqueue(checked, 'better')])
  const bad = box.transaction((tx) => [tx.ack(first!), tx.enqueue(checked, 'bad')])
  const behind = checked.enqueue('behind')
  bad.catch(() => {})
  await turns()
  expect((await checked.stats()).ready).toBe(0)
  asked.open()
  await refusal(() => bad, 'ERR_INVALID_BODY', /it is bad/)
  await Promise.all([good, behind])
  expect((await checked.dequeueMany(3)).map(({ body }) => body).toSorted()).toEqual(['behind', 'better', 'good'])
  await first!.ack()
})

it('passes each message through middleware, which may change it, stand in for it or refuse it [A6 use]', async () => {
  const { box } = await makeInMemory()
  const orders = box.queue<unknown>('orders')
  const told: unknown[] = []
  box.use({
    async enqueue({ body }, next) {
      if (body === 'held') return { id: 'held', status: 'duplicate', state: 'ready' }
      if (body === 'refused') throw new Error('not this one')
      const receipt = await next({ options: { headers: { trace: String(body) } } })
      told.push(receipt.status)
    },
  })
  const receipts = await box.transaction((tx) => ['a', 'held', 'b'].map((body) => tx.enqueue(orders, body)))
  expect(receipts.map(({ status, state }) => `${status} ${state}`)).toEqual(['accepted ready', 'duplicate ready', 'accepted ready'])
  expect(receipts[1]!.id).toBe('held')
  expect(told).toEqual(['accepted', 'accepted'])
  expect((await orders.dequeueMany(5)).map(({ body, headers }) => [body, headers['trace']])).toEqual([['a', 'a'], ['b', 'b']])
  const refused = box.transaction((tx) => ['c', 'refused'].map((body) => tx.enqueue(orders, body)))
  await expect(refused).rejects.toThrow('not this one')
  expect((await orders.stats()).enqueued).toBe(2)
})

it('goes on while the box closes, for the handlers that it waits for', async () => {
  const { box } = await makeInMemory()
  const orders = box.queue<number>('orders')
  const started = gate()
  const goOn = gate()
  orders.process(async (message) => {
    started.open()
    await goOn.promise
    await box.transaction((tx) => [tx.ack(message), tx.enqueue(orders, 2)])
  })
  await orders.enqueue(1)
  await started.promise
  const closed = box.close()
  goOn.open()
  expect(await closed).toEqual({ returned: 0 })
  await refusal(() => box.transaction(() => {}), 'ERR_CLOSED')
})

it('is refused when the box closes over a function that never ends', async () => {
  const { box } = await makeInMemory()
  const endless = box.transaction(() => new Promise(() => {}))
  await box.close()
  await refusal(endless, 'ERR_CLOSED')
})
