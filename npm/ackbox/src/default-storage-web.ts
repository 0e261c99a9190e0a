/** Where a box is kept that is opened by a string or by nothing: in a database of the browser. */
import { loadedBefore } from './parts.js'
import type { Storage } from './storage/storage.js'

/** A page is given less room than a process, and removes what is settled in whole segments. */
export const SEGMENT_BYTES_DEFAULT = 4 << 20

/** What `open` does when another owner has the box. */
export const WHEN_LOCKED_DEFAULT = 'share' as 'reject' | 'share'

/** Deaths of its page that a message survives without cost: pages are reloaded all the time. */
export const FREE_OWNER_DEATHS = 20

/** Loaded when it is needed: a page that only sends a few calls through a breaker keeps nothing. */
export async function defaultStorage(target: string = 'ackbox'): Promise<Storage> {
  const { indexedDbStorage } = loadedBefore.indexedDb ?? (await import('./storage/indexeddb/index.js'))
  return indexedDbStorage({ name: target })
}
