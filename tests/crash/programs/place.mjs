// Where the programs keep their box: a folder; or, when the environment says `lying`, the same folder behind a storage that
// says of every append that it is done, and writes it LAG_MS later. What is killed in between is lost.
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'

import { fileStorage } from 'ackbox/file'

const LAG_MS = 2_000

export function placeAt(folder) {
  return process.env['ACKBOX_CRASH_STORAGE'] === 'lying' ? lyingStorage(fileStorage({ directory: folder })) : folder
}

function lyingStorage(beneath) {
  // Bytes of each segment, with those that are not written yet.
  const contents = new Map()
  let written = Promise.resolve()
  return {
    durability: beneath.durability,
    async open() {
      const segments = await beneath.open()
      for (const { segment, bytes } of segments) contents.set(segment, Buffer.from(await beneath.read(segment, 0, bytes)))
      return segments
    },
    async append(segment, bytes) {
      const copy = Buffer.from(bytes)
      contents.set(segment, Buffer.concat([contents.get(segment) ?? Buffer.alloc(0), copy]))
      written = Promise.all([written, pause(LAG_MS)]).then(() => beneath.append(segment, copy))
      // The event loop must turn, as it does behind a real append.
      await nextTurn()
    },
    read: async (segment, offset, length) => Uint8Array.from(contents.get(segment).subarray(offset, offset + length)),
    async truncate(segment, bytes) {
      contents.set(segment, contents.get(segment).subarray(0, bytes))
      await beneath.truncate(segment, bytes)
    },
    async remove(segment) {
      await written
      await beneath.remove(segment)
    },
    async close() {
      await written
      await beneath.close()
    },
  }
}
