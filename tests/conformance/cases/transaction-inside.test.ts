/** A transaction inside another one of the same box is refused wherever its function calls for it. */
import { expect, it } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { gate, turns } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { IN_BROWSER } from '../support/platform.ts'

const NESTED = ['ERR_INVALID_OPTION', /inside another/] as const

it.skipIf(IN_BROWSER)('refuses one inside another after whatever the outer one awaited [A5 transaction]', async () => {
  const { box } = await makeInMemory()
  const orders = box.queue<unknown>('orders')
  const bill = async (): Promise<void> => {
    await turns(2)
    await box.transaction((tx) => tx.enqueue(orders, 'inner', { id: 'inner' }))
  }
  const outer = box.transaction(async (tx) => {
    tx.enqueue(orders, 'outer', { id: 'outer' })
    await orders.enqueue('beside', { id: 'beside' })
    await bill()
  })
  await refusal(() => outer, ...NESTED)
  expect(await orders.get('inner')).toBeUndefined()
  expect(await orders.get('outer')).toBeUndefined()
  expect(await orders.get('beside')).toBeDefined()
})

it.skipIf(IN_BROWSER)('refuses it through a transaction of another box, which may be inside', async () => {
  const [one, other] = [await makeInMemory(), await makeInMemory()]
  const queue = other.box.queue<unknown>('orders')
  await one.box.transaction(async () => {
    await turns(1)
    await other.box.transaction(async (tx) => {
      tx.enqueue(queue, 1, { id: 'of-the-other' })
      await turns(1)
      await refusal(() => one.box.transaction(() => {}), ...NESTED)
    })
    await refusal(() => one.box.transaction(() => {}), ...NESTED)
  })
  expect(await queue.get('of-the-other')).toBeDefined()
})

it('lets transactions run side by side, and what outlives one have its own', async () => {
  const { box } = await makeInMemory()
  const orders = box.queue<unknown>('orders')
  const [over, done] = [gate(), gate()]
  let outliving: Promise<unknown> | undefined
  const first = box.transaction(async (tx) => {
    tx.enqueue(orders, 1, { id: 'first' })
    outliving = over.promise.then(() => box.transaction((late) => late.enqueue(orders, 3, { id: 'late' })))
    await done.promise
  })
  const second = box.transaction(async (tx) => {
    await turns(1)
    tx.enqueue(orders, 2, { id: 'second' })
  })
  await second
  done.open()
  await first
  over.open()
  await outliving
  for (const id of ['first', 'second', 'late']) expect(await orders.get(id)).toBeDefined()
})

it('is not around a handler that runs because its function enqueued', async () => {
  const { box } = await makeInMemory()
  const orders = box.queue<unknown>('orders')
  const bills = box.queue<unknown>('bills')
  const billed = gate()
  orders.process(async (message) => {
    await box.transaction((tx) => {
      tx.ack(message)
      tx.enqueue(bills, message.body, { id: 'bill' })
    })
    billed.open()
  })
  // The worker waits: nothing but what the function does makes the box go on.
  await turns(20)
  await box.transaction(async () => {
    await orders.enqueue(1, { id: 'order' })
    await billed.promise
  })
  expect(await bills.get('bill')).toBeDefined()
})
