/**
 * Makes dead letters, then walks over all of them, page by page and as an iterable, while the queue goes on.
 *
 * usage: node --expose-gc dead-letters.mjs <folder> <letters>; prints one JSON line: what was seen, and by how many bytes
 * the memory in use was higher at any page than before the first one.
 */
import { open, PermanentError } from 'ackbox'
import { fileStorage } from 'ackbox/file'

const [directory, count] = [process.argv[2], Number(process.argv[3])]
const box = await open(fileStorage({ directory, durability: 'process-crash' }), { maxMemoryBytes: 8 << 20 })
const orders = box.queue('orders')

for (let made = 0; made < count; made += 10_000) {
  await orders.enqueueMany(Array.from({ length: 10_000 }, (_, n) => ({ body: { n: made + n, text: 'x'.repeat(100) } })))
}
await orders.drain(() => {
  throw Object.assign(new PermanentError('never'), { stack: undefined })
}, { concurrency: 1_000 })

/** Bytes that live now, on either heap, and in buffers. */
function used() {
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return { js: heapUsed + external, resident: process.memoryUsage.rss() }
}

const before = used()
const grown = { js: 0, resident: 0 }
function look() {
  const now = used()
  for (const kind of ['js', 'resident']) grown[kind] = Math.max(grown[kind], now[kind] - before[kind])
}

const seen = new Uint8Array(count)
let [paged, pages, after] = [0, 0, undefined]
do {
  const page = await orders.dead.list().page({ limit: 1_000, after })
  for (const { body } of page.items) {
    seen[body.n] += 1
    paged += 1
  }
  if (pages % 10 === 0) {
    // Life goes on beside the walk.
    await orders.enqueue({ n: -1 })
    await (await orders.dequeue()).ack()
  }
  if (pages % 50 === 0) look()
  pages += 1
  after = page.next
} while (after !== undefined)

let iterated = 0
for await (const letter of orders.dead.list({ reason: 'permanent' })) {
  iterated += letter.body.n >= 0 ? 1 : 0
  if (iterated % 50_000 === 0) look()
}
const counted = await orders.dead.count()
await box.close()
console.log(JSON.stringify({ counted, paged, iterated, once: seen.every((times) => times === 1), pages, grown }))
