// Waits for a storage that has no room for a while; nothing else keeps the process alive. Usage: exit-short.mjs
import { memoryStorage, open } from 'ackbox'
import { faultyStorage } from 'ackbox/testing'

process.once('beforeExit', () => console.log('nothing left to do'))
const storage = faultyStorage(memoryStorage())
const box = await open(storage)
box.on('warning', () => {})
const queue = box.queue('jobs')
await queue.enqueue(1)
const message = await queue.dequeue()

/** The next append finds no room. */
function fill() {
  storage.plan({ append: storage.appends + 1, kind: 'clean' })
}

fill()
await message.step('charge', () => 1)
console.log('step recorded')
fill()
await queue.pause()
console.log('paused')
