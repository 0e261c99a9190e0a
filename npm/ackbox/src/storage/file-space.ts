/** The room that is left in the file system where a folder is. */

import { statfs } from 'node:fs/promises'

import type { Clock } from '../clock.js'
import { describe } from '../errors.js'
import { Reserve } from './reserve.js'

/** Sizes of a file system, as `statfs` tells them. */
export interface FileSystemSize {
  readonly bsize: number
  readonly blocks: number
  readonly bavail: number
}

/** Asks a file system for its sizes. */
export type ReadSize = (directory: string) => Promise<FileSystemSize>

/** Keeps a reserve where a folder is; none where the file system tells no size. */
export function fileReserve(directory: string, clock: Pick<Clock, 'now'>, readSize: ReadSize = statfs): Reserve {
  const complaint = `fileStorage: it cannot be told how much space is left at ${directory}, and no reserve is kept`
  const ask = async (): Promise<{ bytes: number; freeBytes: number } | undefined> => {
    const { bsize, blocks, bavail } = checked(await readSize(directory))
    return blocks === 0 ? undefined : { bytes: blocks * bsize, freeBytes: bavail * bsize }
  }
  return new Reserve(ask, clock, complaint)
}

/** What an injected `readSize` gave. */
function checked(size: unknown): FileSystemSize {
  const { bsize, blocks, bavail } = (size ?? {}) as Partial<FileSystemSize>
  const isSize = [bsize, blocks, bavail].every((part) => typeof part === 'number' && part >= 0)
  if (isSize) return size as FileSystemSize
  throw new TypeError(`expected { bsize, blocks, bavail }, got ${describe(size)}`)
}
