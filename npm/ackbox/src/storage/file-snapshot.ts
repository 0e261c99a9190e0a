/**
 * Looking at the segments of a folder beside its owner: no lock is asked about or taken, nothing is written.
 *
 * Every file is opened when it is listed and stays open: what was listed can be read to the end, also after the owner
 * has removed it. The owner appends to the last segment and removes the oldest, so what is there at one moment is a
 * prefix of the journal; only if a file is gone between its listing and its opening must the list be made anew.
 */

import { type FileHandle, open } from 'node:fs/promises'

import { readFully } from './file-io.js'
import { missingSegment, shortRead } from './refusals.js'
import { segmentPath, segmentsIn } from './segment-files.js'
import type { SegmentInfo, StorageReader } from './storage.js'

/** An owner removes segments far more seldom than a folder can be listed. */
const ATTEMPTS_MAX = 100

interface OpenSegment {
  readonly file: FileHandle
  readonly bytes: number
}

/** What is in a folder now: nothing if there is no such folder. */
export async function openSnapshot(directory: string): Promise<StorageReader> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const segments = await openAll(directory, attempt === ATTEMPTS_MAX)
    if (segments !== undefined) return new FileSnapshot(directory, segments)
  }
  throw new Error(`expected to list the segments of ${directory} at one moment, but they changed ${ATTEMPTS_MAX} times meanwhile`)
}

/** Opens what is listed, oldest first; `undefined` if it is not there any more, or not all of it, unless it never is. */
async function openAll(directory: string, mayHaveGaps: boolean): Promise<Map<number, OpenSegment> | undefined> {
  const listed = await segmentsIn(directory).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
  // A folder that changes while it is listed may show a file and not the one that was made before it.
  const hasGaps = listed.some((segment, index) => index > 0 && segment !== listed[index - 1]! + 1)
  if (hasGaps && !mayHaveGaps) return undefined
  const files: FileHandle[] = []
  try {
    for (const segment of listed) files.push(await open(segmentPath(directory, segment), 'r'))
    const segments = new Map<number, OpenSegment>()
    for (const [index, file] of files.entries()) segments.set(listed[index]!, { file, bytes: (await file.stat()).size })
    return segments
  } catch (error) {
    for (const file of files) await file.close()
    if (isMissing(error)) return undefined
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

class FileSnapshot implements StorageReader {
  readonly segments: readonly SegmentInfo[]
  readonly #directory: string
  readonly #open: Map<number, OpenSegment>

  constructor(directory: string, open: Map<number, OpenSegment>) {
    this.#directory = directory
    this.#open = open
    this.segments = [...open].map(([segment, { bytes }]) => ({ segment, bytes }))
  }

  async read(segment: number, offset: number, length: number): Promise<Uint8Array> {
    const found = this.#open.get(segment)
    if (found === undefined) throw missingSegment(this.#directory, segment)
    const wanted = Math.max(0, Math.min(length, found.bytes - offset))
    const bytes = await readFully(found.file.fd, wanted, offset)
    if (bytes.byteLength < length) throw shortRead(this.#directory, segment, offset, length, bytes.byteLength)
    return bytes
  }

  async close(): Promise<void> {
    const files = [...this.#open.values()]
    this.#open.clear()
    for (const { file } of files) await file.close()
  }
}
