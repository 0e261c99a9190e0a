/**
 * Makes dead letters.
 *
 * usage: node make-dead-letters.mjs <folder> <letters>
 */
import { open, PermanentError } from 'ackbox'
import { fileStorage } from 'ackbox/file'

const [directory, count] = [process.argv[2], Number(process.argv[3])]
const box = await open(fileStorage({ directory, durability: 'process-crash' }))
const orders = box.queue('orders')

for (let made = 0; made < count; made += 10_000) {
  await orders.enqueueMany(Array.from({ length: 10_000 }, (_, n) => ({ body: { n: made + n, text: 'x'.repeat(100) } })))
}
await orders.drain(() => {
  throw Object.assign(new PermanentError('never'), { stack: undefined })
}, { concurrency: 1_000 })
await box.close()
