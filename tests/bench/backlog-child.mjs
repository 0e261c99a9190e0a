// A backlog of orders that nobody has processed yet.
//
//   node backlog-child.mjs fill <directory> <orders>   writes it, in units of 5,000
//   node backlog-child.mjs open <directory> <orders>   opens it and prints
//                                                      `{ seconds, residentBytes, peakBytes, engine }`

import { open } from 'ackbox'
import { makeOrder } from './orders.mjs'

const UNIT = 5_000

const [task, directory, text] = process.argv.slice(2)
const orders = Number(text)
if (task === 'fill') await fill()
else process.stdout.write(JSON.stringify(await measureOpen()))

async function fill() {
  const box = await open(directory)
  const queue = box.queue('orders')
  for (let number = 0; number < orders; number += UNIT) {
    const length = Math.min(UNIT, orders - number)
    await queue.enqueueMany(Array.from({ length }, (_, index) => ({ body: makeOrder(number + index) })))
  }
  await box.close()
}

async function measureOpen() {
  const start = performance.now()
  const box = await open(directory)
  const seconds = (performance.now() - start) / 1_000
  const residentBytes = process.memoryUsage().rss
  const peakBytes = process.resourceUsage().maxRSS * 1_024
  const { ready } = await box.queue('orders').stats()
  if (ready !== orders) throw new Error(`expected ${orders} ready orders in the journal, found ${ready}`)
  const { engine } = box
  await box.close()
  return { seconds, residentBytes, peakBytes, engine }
}
