// Enqueues, takes one by hand, and neither closes the box nor exits. Usage: exit-idle.mjs <folder>
import { open } from 'ackbox'

const box = await open(process.argv[2])
const queue = box.queue('jobs')
await queue.enqueueMany([{ body: 1 }, { body: 2 }, { body: 3, delayMs: 3_600_000 }])
const message = await queue.dequeue()
await message.ack()
console.log('done')
