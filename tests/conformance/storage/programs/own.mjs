// Opens the folder of its first argument, says what came of it, and stays until its input ends (then it closes) or
// until it is killed. A second argument `append` makes it append one frame before.
import { fileStorage } from 'ackbox/file'

const [directory, action] = process.argv.slice(2)
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const storage = fileStorage({ directory })
try {
  const segments = await storage.open()
  if (action === 'append') await storage.append(1, new Uint8Array(100).fill(1))
  say({ opened: segments })
  for await (const _ of process.stdin);
  await storage.close()
} catch (error) {
  say({ code: error.code, message: error.message, details: error.details })
}
