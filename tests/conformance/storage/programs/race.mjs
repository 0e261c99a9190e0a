// Opens every folder that it is told, one a line, and says what came of it. Keeps what it got.
import { createInterface } from 'node:readline'

import { fileStorage } from 'ackbox/file'

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const kept = []
say({ ready: true })
for await (const directory of createInterface({ input: process.stdin })) {
  const storage = fileStorage({ directory })
  kept.push(storage)
  await storage.open().then(
    () => say({ opened: true }),
    ({ code }) => say({ opened: false, code }),
  )
}
