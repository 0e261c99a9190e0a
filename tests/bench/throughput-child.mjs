// One measured run in a process of its own: enqueues and processes orders end to end and prints
// `{ orders, seconds, engine }`.
//
//   node throughput-child.mjs <reference | ackbox | ackbox-ids> <empty directory> <orders> <outstanding>
//
// An order is outstanding from its enqueue until its handler returned. The clock stops when the
// last settlement is durable and everything is closed.

import { makeOrder } from './orders.mjs'
import { openReference } from './reference.mjs'

/** Unmeasured orders before, for the just-in-time compiler. */
const WARM_UP = 20_000

const [name, directory, orders, outstanding] = process.argv.slice(2)

const subject = name === 'reference' ? await openReference(directory) : await openAckbox(name === 'ackbox-ids')
const drive = makeDriver(subject, Number(outstanding))
await drive(WARM_UP)
const start = performance.now()
await drive(Number(orders))
await subject.close()
const seconds = (performance.now() - start) / 1_000
await subject.verify?.()
process.stdout.write(JSON.stringify({ orders: Number(orders), seconds, engine: subject.engine }))

/** The queue of a fresh box: the shape of the reference, all options at their defaults. */
async function openAckbox(withIds) {
  const { open } = await import('ackbox')
  const box = await open(directory)
  const queue = box.queue('orders', withIds ? { id: (order) => order.id } : {})
  return {
    engine: box.engine,
    enqueue: (order) => queue.enqueue(order),
    process: (handler) => queue.process(handler, { concurrency: Number(outstanding) }),
    close: () => box.close(),
    async verify() {
      const again = await open(directory)
      const { ready, scheduled, leased, deadLetters } = await again.queue('orders').stats()
      await again.close()
      const left = ready + scheduled + leased + deadLetters
      if (left !== 0) throw new Error(`expected every order to be settled in the journal, ${left} are not`)
    },
  }
}

/** `drive(count)` sends so many orders and resolves when all have a receipt and were handled. */
function makeDriver(subject, outstanding) {
  let sent = 0
  let handled = 0
  let receipts = 0
  let target = 0
  let finish, fail

  subject.process(async ({ body }) => {
    if (body.quantity !== 2) throw new Error(`a damaged order: ${JSON.stringify(body)}`)
    handled++
    refill()
    checkFinished()
  })

  function refill() {
    while (sent < target && sent - handled < outstanding) subject.enqueue(makeOrder(sent++)).then(countReceipt, fail)
  }

  function countReceipt() {
    receipts++
    checkFinished()
  }

  function checkFinished() {
    if (handled > target) fail(new Error(`${handled} deliveries of ${target} orders`))
    if (handled === target && receipts === target) finish()
  }

  return (count) => new Promise((resolve, reject) => {
    target += count
    finish = resolve
    fail = reject
    refill()
  })
}
