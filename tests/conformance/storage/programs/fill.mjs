// Appends frames to the folder of its first argument until one fails, and says how it ended.
import { fileStorage } from 'ackbox/file'

const FRAME_BYTES = 1000
const [directory, durability] = process.argv.slice(2)
const storage = fileStorage({ directory, durability })
await storage.open()
let frames = 0
let failure
for (; failure === undefined; frames += 1) {
  await storage.append(1, new Uint8Array(FRAME_BYTES).fill(frames)).catch((error) => (failure = error))
}
const again = await storage.append(2, new Uint8Array(1)).catch((error) => error)
await storage.close()
const { code, message, cause } = failure
process.stdout.write(
  `${JSON.stringify({ frames: frames - 1, code, message, errno: cause.code, same: again === failure })}\n`,
)
