// An ext4 in a file, and what a power cut leaves of it.
//
// What is mounted lies on a loop device, whose bytes are those of the file. What the file system was told and has not
// written to its device is in the memory of the kernel only: a copy of the file does not hold it, as a disk would not after
// a power cut.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'

import { deviceAt, mount, unmount } from '../support/mounts.mjs'

const IMAGE_BYTES = 24 << 20
/** The kernel writes nothing by itself within a test: what is not flushed stays in memory, as it may. */
const COMMIT_SECONDS = 3_600

/** Makes an empty ext4. */
export function makeImage(path, bytes = IMAGE_BYTES) {
  writeFileSync(path, '')
  truncateSync(path, bytes)
  execFileSync('mkfs.ext4', ['-q', '-F', '-b', '4096', '-m', '0', path], { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Mounts an image with a mode of its journal; what that has to repair is repaired. */
export function mountImage(path, place, data) {
  mkdirSync(place, { recursive: true })
  mount('-o', `loop,data=${data},commit=${COMMIT_SECONDS}`, path, place)
}

/** Unmounts and forgets. */
export function discardImage(path, place) {
  unmount(place)
  rmSync(path)
}

/**
 * Copies an image as it is at one moment; false if the device was written meanwhile, and the copy is of no moment.
 * Who writes must be stopped.
 */
export function copyAtOnce(path, place, copy) {
  const before = writesOf(place)
  copyFileSync(path, copy)
  const after = writesOf(place)
  return before.underWay === 0 && after.underWay === 0 && before.done === after.done
}

/** Writes and flushes that the device has seen. */
function writesOf(place) {
  const device = deviceAt(place)
  const stat = readFileSync(`/sys/block/${device}/stat`, 'utf8').trim().split(/\s+/).map(Number)
  return { done: stat[4], underWay: stat[8] }
}
