/** Where boxes live in a browser: in memory, in its databases. */
import { memoryStorage } from 'ackbox'

import type { Place } from './boxes.ts'
import { freshName, storageOn } from './indexed-db.ts'

export const PLACES: Readonly<Record<string, Place>> = {
  memoryStorage: async () => {
    const storage = memoryStorage()
    return () => storage
  },
  indexedDbStorage: async () => {
    const name = freshName()
    return () => storageOn(name)
  },
}

/** Cases that need one are left out here. */
export async function temporaryFolder(): Promise<string> {
  throw new Error('a browser has no folders')
}
