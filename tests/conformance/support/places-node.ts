/** Where boxes live in Node: in memory, in folders. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { memoryStorage } from 'ackbox'
import { fileStorage } from 'ackbox/file'
import { onTestFinished } from 'vitest'

import type { Place } from './boxes.ts'

export const PLACES: Readonly<Record<string, Place>> = {
  memoryStorage: async () => {
    const storage = memoryStorage()
    return () => storage
  },
  fileStorage: async () => {
    const directory = await temporaryFolder()
    return () => fileStorage({ directory })
  },
}

/** A folder that is removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ackbox-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
