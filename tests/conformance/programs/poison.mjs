// One message of fifty-one kills whoever handles it. Usage: poison.mjs <folder> <log>
import { appendFileSync } from 'node:fs'

import { open } from 'ackbox'

const [folder, log] = process.argv.slice(2)
const POISON = 25

const box = await open(folder)
const queue = box.queue('jobs')
const finished = new Promise((resolve) => {
  const look = async () => {
    const { ready, scheduled, leased } = await queue.stats()
    if (ready + scheduled + leased === 0) resolve()
  }
  queue.on('completed', look)
  queue.on('dead', look)
})
// Every life asks for the same messages again: their ids make that harmless.
await queue.enqueueMany(Array.from({ length: 51 }, (_, body) => ({ body, id: `m-${body}` })))

queue.process(
  async ({ body, attempt }) => {
    appendFileSync(log, `start ${body} ${attempt}\n`)
    if (body === POISON) process.kill(process.pid, 'SIGKILL')
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    appendFileSync(log, `done ${body} ${attempt}\n`)
  },
  { concurrency: 20 },
)
await finished

const dead = []
for await (const { id, reason, history } of queue.dead.list()) dead.push({ id, reason, history: history.length })
const states = await Promise.all(Array.from({ length: 51 }, async (_, n) => (await queue.get(`m-${n}`))?.state))
console.log(JSON.stringify({ dead, states }))
await box.close()
