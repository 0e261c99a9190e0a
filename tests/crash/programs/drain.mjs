// Takes everything out of a queue and acknowledges it. As a program: drain.mjs <folder>
import { pathToFileURL } from 'node:url'

import { open } from 'ackbox'

// Prints `found <id> <intact>` for each message, where <intact> says whether the body is the one of that id, and at
// last `left` with what is in the queue then. All is durable before anything is printed.
export async function drain(queue, say = (line) => process.stdout.write(`${line}\n`)) {
  const lines = []
  for (;;) {
    // Messages whose start died with an owner are handed out one at a time.
    const messages = await queue.dequeueMany(10_000)
    if (messages.length === 0) break
    for (const { id, body } of messages) lines.push(`found ${id} ${body.id === id.replace('+', '')}`)
    await Promise.all(messages.map((message) => message.ack()))
  }
  const { ready, scheduled, leased, deadLetters } = await queue.stats()
  lines.push(`left ${JSON.stringify({ ready, scheduled, leased, deadLetters })}`)
  for (const line of lines) say(line)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const box = await open(process.argv[2])
  await drain(box.queue('jobs'))
  await box.close()
}
