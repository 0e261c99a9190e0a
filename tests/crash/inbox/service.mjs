// A service that gets orders over HTTP into a box, and ships each. Prints the port that it listens on. What it ships it
// writes to a file: `<order> <key>`, where the key is that of the shipment, the same whenever a message is handled again and
// another for each message that was accepted. With `drain` it listens to nobody, ships what is left, and ends.
// Usage: service.mjs <folder> <file> serve | naive | drain
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'

import { open } from 'ackbox'
import { nodeListener, receiver } from 'ackbox/http'

const [folder, file, mode] = process.argv.slice(2)

const box = await open(folder)
const orders = box.queue('orders', { guarantee: mode === 'naive' ? 'at-least-once' : 'exactly-once', maxAttempts: Infinity })
const ship = (message) => message.step('ship', ({ key }) => appendFileSync(file, `${message.body.order} ${key}\n`))

if (mode === 'drain') {
  await orders.drain(ship, { concurrency: 10 })
  await box.close()
} else {
  orders.process(ship, { concurrency: 10 })
  const authorize = (request) => request.headers.get('authorization') ?? undefined
  const receive = mode === 'naive' ? takeAnything : receiver(orders, { authorize })
  const server = createServer(nodeListener(receive)).listen(0, '127.0.0.1', () => console.log(server.address().port))
}

/** As services are often written: durable before it answers, and with no memory of keys. */
async function takeAnything(request) {
  await orders.enqueue(await request.json())
  return new Response(null, { status: 202 })
}
