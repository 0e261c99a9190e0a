/** Open files to read segments from: as many as are in use, and the few that were used last. */

import { type FileHandle, open } from 'node:fs/promises'

/** A backlog larger than memory may spread over thousands of segments; descriptors are limited. */
const IDLE_READERS_MAX = 16

interface Reader {
  readonly opening: Promise<FileHandle>
  users: number
  /** No longer handed out: closed when its last user is done. */
  retired: boolean
}

/** Descriptors for reading, by segment. */
export class FileReaders {
  readonly #pathOf: (segment: number) => string
  /** Least recently used first. */
  readonly #readers = new Map<number, Reader>()

  constructor(pathOf: (segment: number) => string) {
    this.#pathOf = pathOf
  }

  /** Runs `read` with an open descriptor of the segment. */
  async use<T>(segment: number, read: (descriptor: number) => Promise<T>): Promise<T> {
    const reader = this.#readers.get(segment) ?? { opening: open(this.#pathOf(segment), 'r'), users: 0, retired: false }
    this.#readers.delete(segment)
    this.#readers.set(segment, reader)
    reader.users += 1
    try {
      return await read((await reader.opening).fd)
    } catch (error) {
      this.#retire(segment, reader)
      throw error
    } finally {
      reader.users -= 1
      if (reader.retired) await closeUnused(reader)
      await this.#retireOldest()
    }
  }

  /** Lets go of a segment's descriptor; reads that are under way finish. */
  async release(segment: number): Promise<void> {
    const reader = this.#readers.get(segment)
    if (reader === undefined) return
    this.#retire(segment, reader)
    await closeUnused(reader)
  }

  /** Lets go of all descriptors. */
  async releaseAll(): Promise<void> {
    for (const segment of [...this.#readers.keys()]) await this.release(segment)
  }

  async #retireOldest(): Promise<void> {
    if (this.#readers.size <= IDLE_READERS_MAX) return
    for (const [segment, reader] of this.#readers) {
      if (reader.users > 0) continue
      await this.release(segment)
      return
    }
  }

  #retire(segment: number, reader: Reader): void {
    reader.retired = true
    if (this.#readers.get(segment) === reader) this.#readers.delete(segment)
  }
}

/** Every reader is closed by the last one that lets go of it; a file that could not be opened needs no closing. */
async function closeUnused(reader: Reader): Promise<void> {
  if (reader.users > 0) return
  await reader.opening.then((handle) => handle.close()).catch(() => {})
}
