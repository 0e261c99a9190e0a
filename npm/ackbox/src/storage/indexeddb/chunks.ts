/**
 * A journal as chunks: what one append wrote is one row, whose key tells where it ends. Chunks of a segment join without
 * gaps, so where one begins follows from its length, and the last key of a segment is its length.
 */

import type { SegmentInfo } from '../storage.js'
import type { Journal } from './database.js'

type Mode = IDBTransactionMode

/** All keys of a segment lie in between: an array is greater than each of its beginnings, and than each number. */
const allOf = (segment: number): IDBKeyRange => IDBKeyRange.bound([segment], [segment, []])

/** What there is, oldest first: one look for each segment. */
export async function listSegments<M extends Mode>(journal: Journal<M>): Promise<SegmentInfo[]> {
  const segments: SegmentInfo[] = []
  let cursor = await journal.openKeyCursor(null, 'prev')
  while (cursor !== null) {
    const [segment, bytes] = cursor.key
    segments.push({ segment, bytes })
    // On to the last key before all of this segment.
    cursor = await cursor.continue([segment] as never)
  }
  return segments.reverse()
}

/** Adds a chunk that ends at `end`. The bytes are copied by then. */
export async function addChunk(journal: Journal, segment: number, end: number, bytes: Uint8Array): Promise<void> {
  // A view would be stored with all of its buffer.
  await journal.add(bytes.slice(), [segment, end])
}

/** Exactly `length` bytes from `offset`, which the segment has. */
export async function readChunks<M extends Mode>(
  journal: Journal<M>,
  segment: number,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const wanted = new Uint8Array(length)
  const until = offset + length
  if (length === 0) return wanted
  let at = offset
  const take = (chunk: Uint8Array, end: number): void => {
    const begin = end - chunk.byteLength
    if (begin > at || end <= at) throw new Error(`expected a chunk of segment ${segment} at ${at}, found ${begin} to ${end}`)
    const part = chunk.subarray(at - begin, Math.min(until, end) - begin)
    wanted.set(part, at - offset)
    at += part.byteLength
  }
  const first = await chunkAt(journal, segment, offset)
  take(first.bytes, first.end)
  if (at === until) return wanted
  const [between, last] = await Promise.all([
    journal.getAll(IDBKeyRange.bound([segment, first.end], [segment, until], true, true)),
    chunkAt(journal, segment, until - 1),
  ])
  for (const chunk of between) take(chunk, at + chunk.byteLength)
  if (at < until) take(last.bytes, last.end)
  return wanted
}

/** Cuts a segment to its first `bytes` bytes. One that is empty stays a segment. */
export async function cutChunks(journal: Journal, segment: number, bytes: number): Promise<void> {
  const { bytes: straddling, end } = await chunkAt(journal, segment, bytes)
  const kept = straddling.slice(0, straddling.byteLength - (end - bytes))
  await journal.delete(IDBKeyRange.bound([segment, bytes], [segment, []], true))
  if (kept.byteLength > 0 || bytes === 0) await journal.put(kept, [segment, bytes])
}

/** Removes a segment. */
export async function removeChunks(journal: Journal, segment: number): Promise<void> {
  await journal.delete(allOf(segment))
}

/** The chunk that holds the byte at `offset`. */
async function chunkAt<M extends Mode>(
  journal: Journal<M>,
  segment: number,
  offset: number,
): Promise<{ bytes: Uint8Array; end: number }> {
  const cursor = await journal.openCursor(IDBKeyRange.bound([segment, offset], [segment, []], true))
  if (cursor === null) throw new Error(`expected byte ${offset} in segment ${segment}, but it ends before`)
  return { bytes: cursor.value, end: cursor.key[1] }
}
