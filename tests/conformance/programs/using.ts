// Every object that a scope gives back at its end: `await using`, as tsc compiles it for a runtime that has no such syntax.
// Prints, by the scope that ended, what became of the message.
import { memoryStorage, open, type Box, type Queue } from 'ackbox'
import { manualClock } from 'ackbox/testing'

const storage = memoryStorage()

async function show(queue: Queue<number>, scope: string): Promise<void> {
  const { ready, leased } = await queue.stats()
  console.log(`${scope}: ${ready} ready, ${leased} leased`)
}

let left: Box
{
  await using box = await open(storage, { clock: manualClock() })
  left = box
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1)
  {
    await using message = await queue.dequeue()
    await show(queue, `holding ${message?.body}`)
  }
  await show(queue, 'delivery')
  {
    await using messages = queue.consume({ prefetch: 2 })
    await messages.next()
    await show(queue, 'holding one more')
  }
  await show(queue, 'consumption')
  let events
  {
    await using stream = queue.events()
    events = stream
  }
  await queue.pause()
  console.log(`events: done is ${(await events.next()).done}`)
  await queue.resume()
  let worker
  {
    await using started = queue.process(() => {})
    worker = started
    await queue.idle()
  }
  await worker.closed
  await queue.enqueue(2)
  await show(queue, 'worker')
}
await left.closed
console.log(`box: ${left.health().reason}`)
