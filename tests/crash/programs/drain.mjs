// Takes everything out of a queue and acknowledges it. As a program: drain.mjs <folder>
import { pathToFileURL } from 'node:url'

import { open } from 'ackbox'

import { placeAt } from './place.mjs'

// The body that belongs to an id. Some are large, so that appends differ in size.
export function bodyOf(id) {
  const sum = [...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0)
  return { id, text: id.repeat(sum % 5 === 0 ? 500 : 10) }
}

// Whether a body is the one of that id.
export function isIntact(id, body) {
  return JSON.stringify(body) === JSON.stringify(bodyOf(id))
}

// Prints `found <id> <intact>` for each message, where <intact> says whether the body is the one of that id, and at
// last `left` with what is in the queue then. All is durable before anything is printed.
export async function drain(queue, say = (line) => process.stdout.write(`${line}\n`)) {
  const lines = []
  for (;;) {
    // Messages whose start died with an owner are handed out one at a time.
    const messages = await queue.dequeueMany(10_000)
    if (messages.length === 0) break
    for (const { id, body } of messages) lines.push(`found ${id} ${isIntact(id, body)}`)
    await Promise.all(messages.map((message) => message.ack()))
  }
  const { ready, scheduled, leased, deadLetters } = await queue.stats()
  lines.push(`left ${JSON.stringify({ ready, scheduled, leased, deadLetters })}`)
  for (const line of lines) say(line)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const box = await open(placeAt(process.argv[2]))
  await drain(box.queue('jobs'))
  await box.close()
}
