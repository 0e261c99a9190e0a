/**
 * Looking at a journal beside its owner. A transaction of IndexedDB ends as soon as nothing is asked of it, so what is
 * there at one moment can only be kept by copying it: all of it, into memory.
 */

import { AckboxError } from '../../errors.js'
import { missingSegment, shortRead } from '../refusals.js'
import type { SegmentInfo, StorageReader } from '../storage.js'
import { listSegments, readChunks } from './chunks.js'
import { connectToExisting, type Database, JOURNAL_STORES } from './database.js'

/** A journal in a browser is far smaller; one that is not would take the page down with it. */
const BYTES_MAX = 256 << 20

/** What is in a database now: nothing if there is none. */
export async function openSnapshot(name: string, what: string): Promise<StorageReader> {
  const database = await connectToExisting(name, () => {})
  if (database === undefined) return new Snapshot(what, [], new Map())
  try {
    return await copyOf(database, what)
  } finally {
    database.close()
  }
}

async function copyOf(database: Database, what: string): Promise<StorageReader> {
  const journal = database.transaction(JOURNAL_STORES, 'readonly').objectStore('journal')
  const segments = await listSegments(journal)
  const total = segments.reduce((sum, { bytes }) => sum + bytes, 0)
  if (total > BYTES_MAX) {
    const message = `${what}: expected a journal of at most ${BYTES_MAX} bytes to look at with readOnly, got ${total}`
    throw new AckboxError('ERR_UNSUPPORTED', message)
  }
  const copies = new Map<number, Uint8Array>()
  for (const { segment, bytes } of segments) {
    copies.set(segment, await readChunks(journal, segment, 0, bytes))
  }
  return new Snapshot(what, segments, copies)
}

class Snapshot implements StorageReader {
  readonly segments: readonly SegmentInfo[]
  readonly #what: string
  readonly #copies: Map<number, Uint8Array>

  constructor(what: string, segments: readonly SegmentInfo[], copies: Map<number, Uint8Array>) {
    this.segments = segments
    this.#what = what
    this.#copies = copies
  }

  async read(segment: number, offset: number, length: number): Promise<Uint8Array> {
    const copy = this.#copies.get(segment)
    if (copy === undefined) throw missingSegment(this.#what, segment)
    const bytes = copy.slice(offset, offset + length)
    if (bytes.byteLength < length) throw shortRead(this.#what, segment, offset, length, bytes.byteLength)
    return bytes
  }

  async close(): Promise<void> {
    this.#copies.clear()
  }
}
