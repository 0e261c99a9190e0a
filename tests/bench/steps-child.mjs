// One measured run in a process of its own: makes records durable and prints `{ records, seconds, engine }`.
//
//   node steps-child.mjs <append | steps> <empty directory> <records> <outstanding>
//
// `append`: one write and one fdatasync for all that is appended in a turn, which is the least that durability costs.
// `steps`: as many steps of handlers, each awaited before the next step of its message; messages are not measured apart.

import { open as openFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Steps of one message. */
const STEPS = 100

const [name, directory, records, outstanding] = [process.argv[2], process.argv[3], Number(process.argv[4]), Number(process.argv[5])]
const result = { charge: 'charge-000001', cents: 4_995 }

const subject = await { append, steps }[name]()
await subject.run(Math.ceil(records / 10)) // for the just-in-time compiler
const start = performance.now()
await subject.run(records)
const seconds = (performance.now() - start) / 1_000
await subject.close()
process.stdout.write(JSON.stringify({ records, seconds, engine: subject.engine }))

/** `outstanding` loops that append and wait. */
async function append() {
  const file = await openFile(join(directory, 'records'), 'a')
  let [lines, waiting, flushing] = [[], [], undefined]

  async function flush() {
    while (lines.length > 0) {
      const [batch, resolvers] = [Buffer.from(lines.join('')), waiting]
      lines = []
      waiting = []
      await file.writev([batch])
      await file.datasync()
      for (const resolve of resolvers) resolve()
    }
    flushing = undefined
  }

  function put(step) {
    lines.push(`${JSON.stringify({ step, result })}\n`)
    flushing ??= Promise.resolve().then(flush)
    return new Promise((resolve) => waiting.push(resolve))
  }

  return {
    async run(count) {
      let left = count
      const loop = async () => {
        while (left-- > 0) await put(`step ${left % STEPS}`)
      }
      await Promise.all(Array.from({ length: outstanding }, loop))
    },
    close: () => file.close(),
  }
}

/** `outstanding` handlers, each with one step after another. */
async function steps() {
  const { open } = await import('ackbox')
  const box = await open(directory)
  const queue = box.queue('orders')
  let [done, due, finish] = [0, 0, undefined]
  queue.process(async (message) => {
    for (let step = 0; step < STEPS; step++) await message.step(`step ${step}`, () => result)
    if (++done === due) finish()
  }, { concurrency: outstanding })

  return {
    engine: box.engine,
    async run(count) {
      const messages = Math.max(outstanding, Math.ceil(count / STEPS))
      due += messages
      const finished = new Promise((resolve) => (finish = resolve))
      await queue.enqueueMany(Array.from({ length: messages }, (_, n) => ({ body: { n } })))
      await finished
    },
    close: () => box.close(),
  }
}
