// One life of a program that uses a queue. Writes `accepted <id>` for what the queue says it has, and `handled <id>` at the end of a
// handler, or `failed <id>`; a line is in the file before the program goes on.
//
//   life.mjs <subject> <folder> <file for what it says> produce <prefix> [<how many>]   enqueues, until it is killed, refused or has so many
//   life.mjs <subject> <folder> <file for what it says> consume [<outage in ms>]         handles until nothing is left; the service that
//                                                                                       the handler calls fails so long at first
import { setTimeout as pause } from 'node:timers/promises'

import { sayTo } from '../crash/programs/say.mjs'

const OUTSTANDING = 10
/** What a message carries: enough to fill a page of a database now and then. */
const TEXT = 'x'.repeat(400)

const [subject, folder, file, task, ...rest] = process.argv.slice(2)
const { openQueue } = await import(`./subjects/${subject}.mjs`)
const say = sayTo(file)
await { produce, consume }[task](...rest)
process.exit(0)

async function produce(prefix, count = 'Infinity') {
  const queue = await openQueue(folder)
  let next = 0
  let refused = false
  await Promise.all(Array.from({ length: OUTSTANDING }, async () => {
    while (next < Number(count) && !refused) {
      const id = `${prefix}-${(next += 1)}`
      try {
        await queue.enqueue({ id, text: TEXT })
        say(`accepted ${id}`)
      } catch {
        refused = true
      }
      // A queue that never yields would never be killed in between.
      await pause(0)
    }
  }))
}

async function consume(outageMs = '0') {
  const recovered = Date.now() + Number(outageMs)
  const queue = await openQueue(folder, async (id) => {
    await pause(1 + (id.length % 4))
    if (Date.now() < recovered) {
      say(`failed ${id}`)
      throw new Error('the service answers with 500')
    }
    say(`handled ${id}`)
  })
  await queue.idle()
}
