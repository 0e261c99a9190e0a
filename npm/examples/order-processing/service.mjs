// The order service: the process that the demo kills. What it must not forget is in the box;
// everything else in here may vanish between any two lines.
//
//   node service.mjs <journal folder> <url of the outside world>
//
// Orders come over IPC from main.mjs, as they would come over HTTP from a shop.

import { exponential, open, PermanentError, RetryAfterError } from 'ackbox'
import { CONCURRENCY } from './concurrency.mjs'

/** A call to the outside world that takes longer has failed: perhaps it was heard, perhaps not. */
const PATIENCE_MS = 250

const [journal, outsideWorld] = process.argv.slice(2)

const box = await open(journal)

const orders = box.queue('orders', {
  guarantee: 'exactly-once',
  id: (order) => order.id, // an order that is sent twice is one order
  maxAttempts: 6,
  backoff: exponential({ baseMs: 50, factor: 2, capMs: 2_000 }),
})

// The receipt means that the order is on the disk. The shop sends an order until it sees one.
process.on('message', async (order) => {
  const { id, status } = await orders.enqueue(order)
  report({ receipt: { id, status } })
})

// Returning acknowledges the order. Throwing has it tried again after a backoff. A process that
// dies in here has it delivered again after the restart, and then each step that is on record gives
// its result without being called. One that was cut off between its call and its record is called
// again with the same key, by which the other side knows it.
orders.process(async (message) => {
  const order = message.body
  validate(order)
  await message.step('check', () => checkInventory(order))
  const charge = await message.step('charge', ({ key }) => takePayment(order, key))
  const shipment = await message.step('ship', ({ key }) => ship(order, key))
  return { charge, shipment }
}, { concurrency: CONCURRENCY })

function validate(order) {
  if (!Number.isInteger(order.quantity) || order.quantity < 1) {
    throw new PermanentError(`invalid quantity ${order.quantity}`)
  }
  if (!Number.isInteger(order.cents) || order.cents < 1) {
    throw new PermanentError(`invalid amount ${order.cents}`)
  }
}

async function checkInventory(order) {
  const response = await call(`/inventory/${order.sku}/${order.id}`, { method: 'GET' })
  const { stock } = await response.json()
  if (stock < order.quantity) throw new PermanentError(`out of stock: ${order.sku}`)
}

async function takePayment(order, key) {
  const { charge } = await post('/payments', key, { order: order.id, cents: order.cents })
  return charge
}

async function ship(order, key) {
  const { id, sku, quantity } = order
  const { shipment } = await post('/shipments', key, { order: id, sku, quantity })
  return shipment
}

async function post(path, key, body) {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key }
  const response = await call(path, { method: 'POST', headers, body: JSON.stringify(body) })
  const answer = await response.json()
  report({ answered: key }) // for the reckoning: from here on only a kill excuses another call
  return answer
}

// What a refusal means is decided here, once: never again, not before a time, or try again.
async function call(path, request) {
  const response = await fetch(outsideWorld + path, { ...request, signal: AbortSignal.timeout(PATIENCE_MS) })
  if (response.ok) return response
  const problem = `${path.split('/')[1]}: ${await response.text()}`
  if (response.status === 402) throw new PermanentError(problem)
  if (response.status === 429) throw new RetryAfterError(response.headers, { cause: new Error(problem) })
  throw new Error(problem)
}

const reporting = setInterval(async () => report({ stats: await orders.stats() }), 100)

function report(message) {
  if (process.connected) process.send(message)
}

// A clean end: running handlers finish, the rest stays in the journal.
async function stop() {
  clearInterval(reporting)
  await box.close()
  if (process.connected) process.disconnect()
}
process.once('SIGTERM', stop)
process.once('disconnect', stop)
