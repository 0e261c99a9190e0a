/**
 * Walks over all dead letters, page by page and as an iterable, while the queue goes on.
 *
 * usage: node --expose-gc walk-dead-letters.mjs <folder> <letters>; prints one JSON line: the engine, what was seen, and by
 * how many bytes memory `grown`: what JavaScript and WebAssembly use, at its highest since before the first page, and what is
 * resident `outside` of them (the native engine and its allocator), from the first quarter of the walks to the last.
 */
import { open } from 'ackbox'
import { fileStorage } from 'ackbox/file'

const [directory, count] = [process.argv[2], Number(process.argv[3])]
const box = await open(fileStorage({ directory, durability: 'process-crash' }), { maxMemoryBytes: 8 << 20 })
const orders = box.queue('orders')

/** Bytes that live now. WebAssembly's memory is `external`; what V8 has reserved for its own garbage is in neither figure. */
function used() {
  globalThis.gc()
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage()
  return { js: heapUsed + external, outside: rss - heapTotal - external }
}

const looks = [used()]
function look() {
  looks.push(used())
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]
}

/** Medians for what is outside: the operating system takes memory back when it likes. */
function grown() {
  const quarter = looks.length >> 2
  const outside = looks.map((each) => each.outside)
  return {
    js: Math.max(...looks.map((each) => each.js)) - looks[0].js,
    outside: median(outside.slice(-quarter)) - median(outside.slice(0, quarter)),
  }
}

/** Counts every letter by its number; each must come up once in a walk. */
class Walk {
  #seen = new Uint8Array(count)
  letters = 0

  meet(letter) {
    this.#seen[letter.body.n] += 1
    this.letters += 1
  }

  get complete() {
    return this.letters === count && this.#seen.every((times) => times === 1)
  }
}

const paged = new Walk()
let [pages, after] = [0, undefined]
do {
  const page = await orders.dead.list().page({ limit: 1_000, after })
  for (const letter of page.items) paged.meet(letter)
  if (pages % 10 === 0) {
    // Life goes on beside the walk.
    await orders.enqueue({ n: -1 })
    await (await orders.dequeue()).ack()
  }
  if (pages % 50 === 0) look()
  pages += 1
  after = page.next
} while (after !== undefined)

const iterated = new Walk()
for await (const letter of orders.dead.list({ reason: 'permanent' })) {
  iterated.meet(letter)
  if (iterated.letters % 50_000 === 0) look()
}
const counted = await orders.dead.count()
const { engine } = box
await box.close()
console.log(JSON.stringify({ engine, counted, paged: paged.complete, iterated: iterated.complete, grown: grown() }))
