// Enqueues and handles until it is killed. Prints `accepted <id>` for every receipt, `started <id>` and `handled <id>`
// from inside the handler, and `completed <id>` once the settlement is durable.
// Usage: consume.mjs <folder> <prefix of the ids> <file for what it says>
import { open } from 'ackbox'

import { bodyOf } from './drain.mjs'
import { placeAt } from './place.mjs'
import { resultOf } from './results.mjs'
import { sayTo } from './say.mjs'

const [folder, prefix, file] = process.argv.slice(2)
const OUTSTANDING = 20
const say = sayTo(file)

const box = await open(placeAt(folder))
// A handler of many messages that dies often must not run out of attempts here.
const queue = box.queue('jobs', { maxAttempts: 1_000_000 })
queue.on('completed', ({ id }) => say(`completed ${id}`))
queue.process(
  async ({ id, attempt }) => {
    say(`started ${id} ${attempt}`)
    for (let turn = 0; turn < attempt % 4; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    say(`handled ${id} ${attempt}`)
    return resultOf(id)
  },
  { concurrency: 10 },
)

let next = 0
async function produce() {
  for (;;) {
    const id = `${prefix}-${(next += 1)}`
    const receipt = await queue.enqueue(bodyOf(id), { id })
    say(`${receipt.status} ${receipt.id}`)
  }
}
await Promise.all(Array.from({ length: OUTSTANDING }, produce))
