// What explicit ids cost.
//
//   node ids-child.mjs enqueue <directory> <orders>          prints `{ plainSeconds, idsSeconds, engine }`
//   node ids-child.mjs memory <directory> <orders>           prints `{ bytesPerId, engine }`

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { open } from 'ackbox'
import { makeOrder } from './orders.mjs'

const UNIT = 5_000
const OUTSTANDING = 1_000
/** Orders of one turn, after which the other queue has its own: a slow moment of the disk hits both. */
const TURN = 10_000
const MEMORY_WARM_UP = 200_000

const [task, directory, text] = process.argv.slice(2)
const orders = Number(text)
const tasks = { enqueue: measureEnqueue, memory: measureMemory }
const answer = await tasks[task]()
process.stdout.write(JSON.stringify(answer))

async function measureEnqueue() {
  const box = await open(directory)
  const plain = box.queue('plain')
  const ids = box.queue('ids', { id: (order) => order.id })
  const seconds = { plain: 0, ids: 0 }
  // The first turns are for the just-in-time compiler.
  for (let from = -2 * TURN; from < orders; from += TURN) {
    const first = (from / TURN) % 2 === 0
    for (const name of first ? ['plain', 'ids'] : ['ids', 'plain']) {
      const start = performance.now()
      await enqueueAll(name === 'ids' ? ids : plain, from + 2 * TURN, Math.min(TURN, orders - from))
      if (from >= 0) seconds[name] += (performance.now() - start) / 1_000
    }
  }
  const { engine } = box
  await box.close()
  return { plainSeconds: seconds.plain, idsSeconds: seconds.ids, engine }
}

/** Sends so many orders, of which at most `OUTSTANDING` wait for their receipts. */
function enqueueAll(queue, from, count) {
  return new Promise((resolve, reject) => {
    let sent = 0
    let received = 0
    const refill = () => {
      while (sent < count && sent - received < OUTSTANDING) queue.enqueue(makeOrder(from + sent++)).then(receive, reject)
    }
    const receive = () => {
      received++
      if (received === count) resolve()
      else refill()
    }
    refill()
  })
}

/** What one more finished order with an id keeps in memory, while the box works. */
async function measureMemory() {
  const box = await open(directory)
  const queue = box.queue('orders', { id: (order) => order.id })
  const finish = async (from, count) => {
    for (let number = from; number < from + count; number += UNIT) {
      const length = Math.min(UNIT, from + count - number)
      await queue.enqueueMany(Array.from({ length }, (_, index) => ({ body: makeOrder(number + index) })))
      const { completed } = await queue.drain(() => {}, { concurrency: UNIT })
      if (completed !== length) throw new Error(`expected ${length} orders to be completed, ${completed} were`)
    }
  }
  // Afterwards every buffer has its size.
  await finish(0, MEMORY_WARM_UP)
  const before = await residentBytes()
  await finish(MEMORY_WARM_UP, orders)
  const bytesPerId = ((await residentBytes()) - before) / orders
  const { engine } = box
  await box.close()
  return { bytesPerId, engine }
}

/** Resident memory, without what JavaScript does not need any more. */
async function residentBytes() {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  for (let turn = 0; turn < 3; turn++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return process.memoryUsage().rss
}
