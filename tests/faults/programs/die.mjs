// One life of a box that ends as a killed process ends: a lock that nobody holds any more, messages in hand, and no close.
// Prints what it said, one JSON array a line. Usage: die.mjs <folder> <durability> <rounds>
import { writeSync } from 'node:fs'

import { open } from 'ackbox'
import { fileStorage } from 'ackbox/file'

import { bodyOf, live, queuesOf, SEGMENT_BYTES } from '../../support/told/life.mjs'

const [directory, durability, rounds] = process.argv.slice(2)
const say = (...fact) => writeSync(1, `${JSON.stringify(fact)}\n`)

const box = await open(fileStorage({ directory, durability }), { segmentBytes: SEGMENT_BYTES })
await live(box, say, { prefix: 'before', rounds: Number(rounds) })
const { hand } = queuesOf(box)
for (const id of ['last.1h', 'last.2m']) {
  say('offer', id)
  await hand.enqueue(bodyOf(id), { id })
  say('accept', id)
}
for (const { id, attempt } of await hand.dequeueMany(2)) say('start', id, attempt)
process.kill(process.pid, 'SIGKILL')
