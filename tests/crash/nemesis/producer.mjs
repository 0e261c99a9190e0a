// Enqueues through whoever owns the box, one message after the other in each of its lanes, and asks again until it is told that
// the message is durable. Stops at the end of its input. Usage: producer.mjs <prefix of the ids> <doorway> <file for what it says>
import { setTimeout as pause } from 'node:timers/promises'

import { bodyOf } from '../programs/drain.mjs'
import { recordTo } from '../programs/say.mjs'
import { ask } from './doorway.mjs'

const PATIENCE_MS = 250
const AGAIN_MS = 15

const [prefix, doorway, file] = process.argv.slice(2)
const say = recordTo(file)
let stopping = false
process.stdin.on('end', () => (stopping = true)).resume()

// Groups outlive a producer: what a life has been told comes before what the next one enqueues.
const family = prefix.split('.')[0]
const lanes = [
  ...['red', 'green', 'blue'].map((group) => ['jobs', `${family}-${group}`]),
  ['jobs', '-'],
  ['jobs', '-'],
  ['orders', '-'],
  ['orders', '-'],
  ['orders', `${family}-gold`],
  ['notes', '-'],
  ['slips', '-'],
  ['slips', '-'],
]
await Promise.all(lanes.map(produce))

async function produce([queue, group], lane) {
  for (let number = 1; !stopping; number += 1) {
    const id = `${prefix}.${lane}.${number}`
    say(`invoked ${queue} ${id} ${group}`)
    say(`receipt ${queue} ${id} ${await enqueue({ queue, id, group, body: bodyOf(id) })}`)
  }
}

/** The same id again and again: whichever was heard first counts. */
async function enqueue(message) {
  for (;;) {
    const { status } = await ask(doorway, message, PATIENCE_MS).catch(() => ({}))
    if (status !== undefined) return status
    await pause(AGAIN_MS)
  }
}
