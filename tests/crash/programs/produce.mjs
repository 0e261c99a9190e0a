// One life of a producer. It first takes out everything that the lives before left, prints it as `found <id> <intact>`
// and acknowledges it; then it enqueues until it is killed and prints `accepted <id>` for every receipt.
// Usage: produce.mjs <folder> <prefix of the ids> <file for what it says>
import { open } from 'ackbox'

import { drain } from './drain.mjs'
import { sayTo } from './say.mjs'

const [folder, prefix, file] = process.argv.slice(2)
const OUTSTANDING = 40
const say = sayTo(file)

const box = await open(folder)
const queue = box.queue('jobs')
await drain(queue, say)

let next = 0
async function produce() {
  for (;;) {
    const id = `${prefix}-${(next += 1)}`
    // Every seventh goes through a batch, every fifth is large, so that appends differ in shape and size.
    const body = { id, text: 'x'.repeat(next % 5 === 0 ? 4_000 : 100) }
    const receipts =
      next % 7 === 0
        ? await queue.enqueueMany([{ body, id }, { body, id: `${id}+` }])
        : [await queue.enqueue(body, { id })]
    for (const receipt of receipts) say(`${receipt.status} ${receipt.id}`)
  }
}
await Promise.all(Array.from({ length: OUTSTANDING }, produce))
