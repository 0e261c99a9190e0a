/** Where a box is kept that is opened by a string or by nothing: this version has no such place in browsers. */
import { AckboxError } from './errors.js'
import type { Storage } from './storage/storage.js'

export function defaultStorage(): Storage {
  const message = 'open: this version of ackbox has no default storage here; pass a storage, such as memoryStorage()'
  throw new AckboxError('ERR_UNSUPPORTED', message)
}
