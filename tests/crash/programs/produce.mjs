// One life of a producer. It first takes out everything that the lives before left, prints it as `found <id> <intact>`
// and acknowledges it; then it enqueues until it is killed and prints `accepted <id>` for every receipt.
// Usage: produce.mjs <folder> <prefix of the ids> <file for what it says>
import { open } from 'ackbox'

import { bodyOf, drain } from './drain.mjs'
import { placeAt } from './place.mjs'
import { sayTo } from './say.mjs'

const [folder, prefix, file] = process.argv.slice(2)
const OUTSTANDING = 40
const say = sayTo(file)

const box = await open(placeAt(folder))
const queue = box.queue('jobs')
await drain(queue, say)

let next = 0
async function produce() {
  for (;;) {
    const number = (next += 1)
    // Every seventh goes through a batch: its id ends with `=`, that of its companion with `=+`.
    const id = `${prefix}-${number}${number % 7 === 0 ? '=' : ''}`
    const receipts = id.endsWith('=')
      ? await queue.enqueueMany([id, `${id}+`].map((each) => ({ body: bodyOf(each), id: each })))
      : [await queue.enqueue(bodyOf(id), { id })]
    for (const receipt of receipts) say(`${receipt.status} ${receipt.id}`)
  }
}
await Promise.all(Array.from({ length: OUTSTANDING }, produce))
