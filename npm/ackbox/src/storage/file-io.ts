/**
 * The few file system calls of the file storage. Descriptors and callbacks, where `fs/promises` would cost an
 * append several more promises and objects.
 */

import { constants, fdatasync, fsync, read, write } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, relative, sep } from 'node:path'

/**
 * Whether a descriptor can be opened so that each write is on the disk when it returns: one trip to the thread pool
 * instead of two. Elsewhere (macOS, where only a full flush reaches the disk, and Windows) a write is flushed after.
 */
export const SYNCHRONOUS_WRITES = process.platform === 'linux' ? constants.O_DSYNC : undefined

/** Writes all of `bytes` at `position`. A write may do less than it was asked to: it goes on where it stopped. */
export function writeFully(descriptor: number, bytes: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let done = 0
    const next = (): void => {
      write(descriptor, bytes, done, bytes.byteLength - done, position + done, (error, written) => {
        if (error !== null) return reject(error)
        done += written
        if (done === bytes.byteLength) return resolve()
        if (written === 0)
          return reject(new Error(`expected to write ${bytes.byteLength} bytes, but ${done} were taken`))
        next()
      })
    }
    next()
  })
}

/** Reads up to `length` bytes at `position`; fewer only at the end of the file. */
export function readFully(descriptor: number, length: number, position: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
  return new Promise((resolve, reject) => {
    let done = 0
    const next = (): void => {
      if (done === length) return resolve(bytes)
      read(descriptor, bytes, done, length - done, position + done, (error, count) => {
        if (error !== null) return reject(error)
        if (count === 0) return resolve(bytes.subarray(0, done))
        done += count
        next()
      })
    }
    next()
  })
}

/** Flushes the content of a file to the disk. */
export function flush(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(descriptor, (error) => (error === null ? resolve() : reject(error)))
  })
}

/** Flushes a file with all that the file system knows of it, its length above all. */
export function flushWhole(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fsync(descriptor, (error) => (error === null ? resolve() : reject(error)))
  })
}

/** Makes the names in a folder durable. Windows cannot open folders, and keeps names in order by itself. */
export async function flushFolder(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  await withFile(directory, 'r', (handle) => flushWhole(handle.fd))
}

/** Makes the names of new folders durable, from the outermost new one down to `directory`. */
export async function flushNewFolders(outermost: string, directory: string): Promise<void> {
  const levels = relative(outermost, directory).split(sep).filter(Boolean).length
  let parent = dirname(directory)
  for (let level = 0; level <= levels; level++) {
    await flushFolder(parent)
    parent = dirname(parent)
  }
}

/** Opens a file for as long as `use` runs. */
export async function withFile<T>(
  path: string,
  flags: string | number,
  use: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await open(path, flags)
  try {
    return await use(handle)
  } finally {
    await handle.close()
  }
}
