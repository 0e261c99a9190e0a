/** Where a box is kept that is opened by a string or by nothing: in a folder. */
import { fileStorage } from './storage/file.js'
import type { Storage } from './storage/storage.js'

export const SEGMENT_BYTES_DEFAULT = 64 << 20

/** What `open` does when another owner has the box. */
export const WHEN_LOCKED_DEFAULT = 'reject' as 'reject' | 'share'

/** Deaths of its process that a message survives without cost. */
export const FREE_OWNER_DEATHS = 0

export function defaultStorage(target: string = './.ackbox'): Storage {
  return fileStorage({ directory: target })
}
