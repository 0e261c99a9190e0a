// Removes a segment beside an append that begins another one, while flushes take long. Prints as one line of JSON what files were
// closed under a flush, and how both calls ended. Usage: slow-flush.mjs <folder>
import fs, { promises } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { setImmediate as nextTurn } from 'node:timers/promises'

const [directory] = process.argv.slice(2)
const TURNS = 20
const flushing = new Map()
const closedUnderFlush = []
let isSlow = false
let otherEnded
const other = new Promise((resolve) => (otherEnded = resolve))

const { fdatasync } = fs
fs.fdatasync = (descriptor, done) => {
  flushing.set(descriptor, (flushing.get(descriptor) ?? 0) + 1)
  const flush = () =>
    fdatasync(descriptor, (error) => {
      flushing.set(descriptor, flushing.get(descriptor) - 1)
      done(error)
      if (flushing.get(descriptor) > 0) otherEnded()
    })
  if (!isSlow) return flush()
  isSlow = false
  // This one goes on behind another one of the same file, and behind whatever follows from that at once.
  void other.then(turns).then(flush)
}
const openFile = promises.open
promises.open = async (...args) => {
  const handle = await openFile(...args)
  const { fd } = handle
  const close = handle.close.bind(handle)
  handle.close = () => {
    if ((flushing.get(fd) ?? 0) > 0) closedUnderFlush.push(String(args[0]).split('/').at(-1))
    return close()
  }
  return handle
}
syncBuiltinESMExports()

async function turns() {
  for (let turn = 0; turn < TURNS; turn += 1) await nextTurn()
}

const { fileStorage } = await import('ackbox/file')
const storage = fileStorage({ directory, durability: 'process-crash' })
await storage.open()
for (const segment of [1, 2]) await storage.append(segment, new Uint8Array(100))
isSlow = true
const removal = storage.remove(1)
// The removal has come to its flush.
while (isSlow) await nextTurn()
const calls = await Promise.allSettled([removal, storage.append(3, new Uint8Array(100))])
await storage.close()
process.stdout.write(`${JSON.stringify({ closedUnderFlush, calls: calls.map(({ status, reason }) => reason?.message ?? status) })}\n`)
