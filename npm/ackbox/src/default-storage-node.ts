/** Where a box is kept that is opened by a string or by nothing: in a folder. */
import { fileStorage } from './storage/file.js'
import type { Storage } from './storage/storage.js'

export const SEGMENT_BYTES_DEFAULT = 64 << 20

export function defaultStorage(target: string = './.ackbox'): Storage {
  return fileStorage({ directory: target })
}
