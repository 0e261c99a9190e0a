// Lives in a box until it is killed, and writes what it says into a file outside of the image: a line is there when it goes on.
// Usage: writer.mjs <folder> <durability> <prefix of the ids> <file for what it says>
import { openSync, writeSync } from 'node:fs'

import { open } from 'ackbox'
import { fileStorage } from 'ackbox/file'

import { live } from '../../support/told/life.mjs'

const [directory, durability, prefix, file] = process.argv.slice(2)
const SEGMENT_BYTES = 32 << 10
const LANES = 4
const log = openSync(file, 'a')
const say = (...fact) => {
  const line = `${JSON.stringify(fact)}\n`
  writeSync(log, line)
  process.stdout.write(line)
}

const box = await open(fileStorage({ directory, durability }), { segmentBytes: SEGMENT_BYTES })
await live(box, say, { prefix, rounds: Infinity, lanes: LANES })
