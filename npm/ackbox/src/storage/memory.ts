/**
 * A storage in memory, for tests and for queues that may be lost. What it holds survives closing and opening the
 * box on the same object, never the process.
 */

import { platform } from '../clock.js'
import { AckboxError } from '../errors.js'
import { missingSegment, notOpen, shortRead } from './refusals.js'
import type { SegmentInfo, Storage, StorageReader } from './storage.js'

const WHAT = 'memory storage'

/** Bytes of a segment in one buffer that doubles when it is full. */
class MemorySegment {
  #buffer = new Uint8Array(4096)
  #length = 0

  get bytes(): number {
    return this.#length
  }

  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.byteLength
    if (length > this.#buffer.byteLength) {
      const larger = new Uint8Array(Math.max(length, this.#buffer.byteLength * 2))
      larger.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = larger
    }
    this.#buffer.set(bytes, this.#length)
    this.#length = length
  }

  slice(offset: number, length: number): Uint8Array {
    return this.#buffer.slice(offset, Math.min(offset + length, this.#length))
  }

  truncate(bytes: number): void {
    this.#length = Math.min(this.#length, bytes)
  }
}

/** Keeps a journal in memory. */
export function memoryStorage(): Storage {
  return new MemoryStorage()
}

class MemoryStorage implements Storage {
  readonly durability = 'none'
  readonly #segments = new Map<number, MemorySegment>()
  #openSince: number | undefined

  async open(): Promise<SegmentInfo[]> {
    if (this.#openSince !== undefined) throw locked(this.#openSince)
    this.#openSince = platform.wallNow()
    return [...this.#segments].map(([segment, { bytes }]) => ({ segment, bytes })).sort((a, b) => a.segment - b.segment)
  }

  async append(segment: number, bytes: Uint8Array): Promise<void> {
    this.#checkOpen('append')
    let target = this.#segments.get(segment)
    if (target === undefined) this.#segments.set(segment, (target = new MemorySegment()))
    target.append(bytes)
  }

  async read(segment: number, offset: number, length: number): Promise<Uint8Array> {
    this.#checkOpen('read')
    const bytes = this.#segment(segment).slice(offset, length)
    if (bytes.byteLength < length) throw shortRead(WHAT, segment, offset, length, bytes.byteLength)
    return bytes
  }

  async truncate(segment: number, bytes: number): Promise<void> {
    this.#checkOpen('truncate')
    this.#segment(segment).truncate(bytes)
  }

  async remove(segment: number): Promise<void> {
    this.#checkOpen('remove')
    this.#segment(segment)
    this.#segments.delete(segment)
  }

  async close(): Promise<void> {
    this.#openSince = undefined
  }

  async openReader(): Promise<StorageReader> {
    return new MemoryReader(this.#segments)
  }

  #checkOpen(call: string): void {
    if (this.#openSince === undefined) throw notOpen(WHAT, call)
  }

  #segment(segment: number): MemorySegment {
    const found = this.#segments.get(segment)
    if (found === undefined) throw missingSegment(WHAT, segment)
    return found
  }
}

/** Holds on to the segments that there are, and to what they hold. */
class MemoryReader implements StorageReader {
  readonly segments: readonly SegmentInfo[]
  readonly #kept: Map<number, { readonly content: MemorySegment; readonly bytes: number }>

  constructor(segments: ReadonlyMap<number, MemorySegment>) {
    const entries = [...segments].sort(([a], [b]) => a - b)
    this.#kept = new Map(entries.map(([segment, content]) => [segment, { content, bytes: content.bytes }]))
    this.segments = [...this.#kept].map(([segment, { bytes }]) => ({ segment, bytes }))
  }

  async read(segment: number, offset: number, length: number): Promise<Uint8Array> {
    const kept = this.#kept.get(segment)
    if (kept === undefined) throw missingSegment(WHAT, segment)
    const bytes = kept.content.slice(offset, Math.max(0, Math.min(length, kept.bytes - offset)))
    if (bytes.byteLength < length) throw shortRead(WHAT, segment, offset, length, bytes.byteLength)
    return bytes
  }

  async close(): Promise<void> {
    this.#kept.clear()
  }
}

function locked(since: number): AckboxError<'ERR_LOCKED'> {
  const pid = globalThis.process?.pid
  return new AckboxError('ERR_LOCKED', `${WHAT}: a box of this process is open on it`, {
    details: { ...(pid === undefined ? {} : { pid }), since, sameProcess: true },
  })
}
