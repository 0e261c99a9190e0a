// The outbox: orders in an IndexedDB of this browser, and what sends them to the service.

import { exponential, open } from 'ackbox'
import { httpSender } from 'ackbox/http'
import { requestSync } from 'ackbox/service-worker'

const send = httpSender({ url: new URL('/orders', location.href) })

/** Resolves with the queue and its worker. All tabs share the box, and this one works whichever of them drives it. */
export async function openOutbox() {
  const box = await open('tea-orders')
  const orders = box.queue('orders', {
    id: (order) => order.id, // by which the service knows an order that comes again
    destination: send.destination,
    backoff: exponential({ baseMs: 500, capMs: 10_000 }),
  })
  const worker = orders.process(send, {
    concurrency: 4,
    breaker: { failures: 3, cooldownMs: 5_000 }, // after three failures in a row the service is left alone for 5 s
  })
  requestSync(orders) // what a closed tab left is sent by service-worker.js
  return { box, orders, worker }
}

/** Of the service: the circuit breaker is its own. */
export const destination = send.destination()
