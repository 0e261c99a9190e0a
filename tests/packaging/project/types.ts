// Compiled with `tsc --strict`, never run: what users need not write because it is inferred, and what is refused.
import { AckboxError, defineQueue, exponential, open, PermanentError } from 'ackbox'
import type { Box, Delivery, DrainReport, Queue, Receipt, Storage } from 'ackbox'
import { fileStorage } from 'ackbox/file'
import { httpSender, nodeListener, receiver } from 'ackbox/http'
import { drainOnSync, requestSync } from 'ackbox/service-worker'
import { manualClock } from 'ackbox/testing'

interface Order {
  id: string
  cents: number
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_: Same<A, B>): void {}

const storage: Storage = fileStorage({ directory: './data' })
const box: Box = await open(storage, { clock: manualClock() })
const orders: Queue<Order> = box.queue<Order>('orders', {
  backoff: exponential({ baseMs: 100 }),
  id: (order) => order.id,
  group: ({ id }) => id.slice(0, 1),
})

const receipt = await orders.enqueue({ id: 'o-1', cents: 5 }, { priority: 3 })
same<typeof receipt, Receipt>(true)
// @ts-expect-error a body of another shape
await orders.enqueue({ id: 5 })
// @ts-expect-error an option that does not exist
await orders.enqueue({ id: 'o-1', cents: 5 }, { prioriy: 3 })
// @ts-expect-error an item without a body
await orders.enqueueMany([{ id: 'o-1' }])

orders.process((message) => {
  same<typeof message, Delivery<Order>>(true)
  same<typeof message.body, Order>(true)
  if (message.body.cents < 0) throw new PermanentError('negative')
})
const send = httpSender<Order>({ url: (order) => `https://example.org/${order.id}`, fetch })
orders.process(send)
same<typeof send.destination, (body: Order) => string>(true)
const receive = receiver(orders, { authorize: async (request) => request.headers.get('authorization') })
same<typeof receive, (request: Request) => Promise<Response>>(true)
nodeListener(receive)
nodeListener((request) => (request.url.endsWith('/orders') ? receive(request) : new Response(null, { status: 404 })))
const offSync: () => void = requestSync(orders, { tag: 'orders' })
drainOnSync(({ signal }) => orders.drain(send, { signal }))
// @ts-expect-error a drain that reports something else
drainOnSync(() => 7)
// @ts-expect-error a sender of other messages
orders.process(httpSender<{ name: string }>({ url: 'https://example.org' }))
// @ts-expect-error a handler of other messages
orders.process((message: Delivery<{ name: string }>) => message.body.name)
// @ts-expect-error no handler
orders.process('handler')

const message = await orders.dequeue()
same<typeof message, Delivery<Order> | undefined>(true)
// @ts-expect-error there may be no message
await message.ack()
for await (const letter of orders.dead.list({ reason: 'exhausted' })) {
  same<typeof letter.body, Order | undefined>(true)
}
orders.on('retry', ({ id, delayMs }) => console.log(id.length + delayMs))
// @ts-expect-error an event that does not exist
orders.on('finish', () => {})

const counts = box.queue<number, string>('counts')
const report = await counts.drain(({ body }) => body.toFixed(), { concurrency: 2, drainTimeoutMs: 1_000 })
same<typeof report, DrainReport>(true)
// @ts-expect-error a result of another type
await counts.drain(({ body }) => body)
for await (const message of counts.consume({ prefetch: 2 })) {
  same<typeof message, Delivery<number>>(true)
  break
}
{
  await using messages = counts.consume()
  const next = await messages.next()
  if (!next.done) same<typeof next.value, Delivery<number>>(true)
}
for await (const event of counts.events({ signal: new AbortController().signal })) {
  if (event.type === 'retry') same<typeof event.delayMs, number>(true)
  // @ts-expect-error other events have no delay
  if (event.type === 'completed') event.delayMs.toFixed()
  break
}
const watch = counts.watch({ ids: ['a'], states: ['ready'] })
same<ReturnType<typeof watch.getSnapshot>[number]['body'], number | undefined>(true)
watch.subscribe(() => {})()
// @ts-expect-error a state that does not exist
counts.watch({ states: ['done'] })
await counts.idle({ signal: new AbortController().signal })
const off: () => void = box.use({
  enqueue: ({ options }, next) => next({ options: { ...options, headers: { a: 'b' } } }),
  async deliver(message, next) {
    same<typeof message, Delivery>(true)
    await next()
  },
})
off()
// @ts-expect-error a receipt is no text
box.use({ enqueue: () => 'receipt' })
counts.process(({ body }) => body.toFixed())
// @ts-expect-error a result of another type
counts.process(({ body }) => body)

const shared = defineQueue<Order, { paid: number }>('shared', { id: (order) => order.id })
const outcome = await box.queue(shared).finished('o-1', { timeoutMs: 1_000 })
if (outcome.state === 'completed') same<typeof outcome.result, { paid: number }>(true)
else if (outcome.state === 'dead') console.log(outcome.reason.length)
// @ts-expect-error only a completed message has a result
console.log(outcome.result)

try {
  await box.close()
} catch (error) {
  if (AckboxError.is(error, 'ERR_LOCKED')) same<typeof error.details.sameProcess, boolean>(true)
}
