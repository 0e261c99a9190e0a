/** What pages and their service worker agree on, and the parts of both worlds that are used. */

/** Under which name a Background Sync is registered, where none is named. */
export const TAG_DEFAULT = 'ackbox'
export const TAG_BYTES_MAX = 256

/** Background Sync, where a browser has it. */
export interface SyncManagerLike {
  register(tag: string): Promise<unknown>
}

/** What a page says to a service worker whose browser has no Background Sync. */
export interface DrainMessage {
  readonly ackbox: 'drain'
  readonly tag: string
}

export function drainMessage(tag: string): DrainMessage {
  return { ackbox: 'drain', tag }
}

export function isDrainMessage(data: unknown, tag: string): boolean {
  if (typeof data !== 'object' || data === null) return false
  const { ackbox, tag: of } = data as Partial<DrainMessage>
  return ackbox === 'drain' && of === tag
}
