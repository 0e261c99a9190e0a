// A program with orders to send, in a box. It enqueues them all, whether it was here before or not, sends them, and prints
// `done <completed> <dead>` when none is left.
// Usage: sender.mjs <folder> <url> <orders>
import { constant, open } from 'ackbox'
import { httpSender } from 'ackbox/http'

const [folder, url, count] = process.argv.slice(2)

const box = await open(folder)
const orders = box.queue('orders', { id: ({ order }) => order, backoff: constant(10), maxAttempts: Infinity })
const send = httpSender({ url, headers: { authorization: 'the shop' }, timeoutMs: 2_000 })
console.log('open')
const ids = Array.from({ length: Number(count) }, (_, index) => `order-${index}`)
await orders.enqueueMany(ids.map((order) => ({ body: { order } })))
// An outage of this test lasts for milliseconds.
orders.process(send, { concurrency: 4, breaker: { failures: 5, cooldownMs: 20 } })
const ends = await Promise.all(ids.map((id) => orders.finished(id)))
const ended = (state) => ends.filter((end) => end.state === state).length
console.log(`done ${ended('completed')} ${ended('dead')}`)
await box.close()
