/** Where a box is kept that is opened by a string or by nothing: in a database of the browser. */
import { indexedDbStorage } from './storage/indexeddb/index.js'
import type { Storage } from './storage/storage.js'

/** A page is given less room than a process, and removes what is settled in whole segments. */
export const SEGMENT_BYTES_DEFAULT = 4 << 20

export function defaultStorage(target: string = 'ackbox'): Storage {
  return indexedDbStorage({ name: target })
}
