// A worker waits for a message that comes later; nothing else keeps the process alive. Usage: exit-worker.mjs <folder>
import { open } from 'ackbox'

process.once('beforeExit', () => console.log('nothing left to do'))
const box = await open(process.argv[2])
const queue = box.queue('jobs')
await queue.enqueue('later', { delayMs: 150 })
const worker = queue.process(({ body }) => {
  console.log(`handled ${body}`)
  queue.on('completed', () => worker.close().then(() => console.log('worker closed')))
})
