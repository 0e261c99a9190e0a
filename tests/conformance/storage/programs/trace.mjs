// Runs a box in a folder and notes every call to the file system that writes, flushes, creates or removes; then it is
// killed. Prints the notes as one line of JSON. Usage: trace.mjs <folder> <durability>
import fs, { constants, promises } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'

const [directory, durability] = process.argv.slice(2)
const notes = []
/** Names of the files below the folder that are open, by descriptor; the folder itself is '.'. */
const names = new Map()

const nameOf = (path) => (String(path) === directory ? '.' : basename(String(path)))
const isOurs = (path) => String(path).startsWith(directory)

const openFile = promises.open
promises.open = async (path, flags, mode) => {
  const creates = typeof flags === 'number' && (flags & constants.O_CREAT) !== 0
  if (isOurs(path) && creates) notes.push({ call: 'create', name: nameOf(path) })
  const handle = await openFile(path, flags, mode)
  const synchronous = typeof flags === 'number' && (flags & constants.O_DSYNC) !== 0
  if (isOurs(path)) names.set(handle.fd, { name: nameOf(path), synchronous })
  else names.delete(handle.fd)
  return handle
}

for (const call of ['write', 'fdatasync', 'fsync']) {
  const original = fs[call]
  fs[call] = (descriptor, ...rest) => {
    const file = names.get(descriptor)
    if (file === undefined) return original(descriptor, ...rest)
    const done = rest.pop()
    const number = notes.push({ call, ...file })
    original(descriptor, ...rest, (error, ...results) => {
      notes.push({ call: 'done', of: number - 1 })
      done(error, ...results)
    })
  }
}

const { unlink } = promises
promises.unlink = (path) => {
  if (isOurs(path)) notes.push({ call: 'unlink', name: nameOf(path) })
  return unlink(path)
}
syncBuiltinESMExports()

const { open } = await import('ackbox')
const { fileStorage } = await import('ackbox/file')

const storage = fileStorage({ directory, durability })
const openStorage = storage.open.bind(storage)
storage.open = async () => {
  const segments = await openStorage()
  notes.push({ call: 'opened', segments: segments.map(({ segment }) => segment) })
  return segments
}
const fileOf = (segment) => `${String(segment).padStart(8, '0')}.ackbox`
const append = storage.append.bind(storage)
storage.append = async (segment, bytes) => {
  await append(segment, bytes)
  notes.push({ call: 'appended', name: fileOf(segment) })
}
const remove = storage.remove.bind(storage)
storage.remove = (segment) => {
  notes.push({ call: 'remove', name: fileOf(segment) })
  return remove(segment)
}

const box = await open(storage, { segmentBytes: 16_384 })
const queue = box.queue('jobs')
await queue.enqueueMany(Array.from({ length: 20 }, () => ({ body: 'waits', delayMs: 3_600_000 })))
for (let round = 0; round < 40; round += 1) {
  await queue.enqueueMany(Array.from({ length: 10 }, () => ({ body: 'x'.repeat(300) })))
  await Promise.all((await queue.dequeueMany(10)).map((message) => message.ack()))
}
await queue.enqueue('the last word')
process.stdout.write(`${JSON.stringify({ notes })}\n`, () => process.kill(process.pid, 'SIGKILL'))
