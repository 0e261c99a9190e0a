// Where the bench works. Journals lie beside the results and not in the system's temporary
// folder, which is memory on some machines.

import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const RESULTS = fileURLToPath(new URL('../../target/bench/', import.meta.url))

/** Calls `fn` with an empty directory that is gone afterwards. */
export async function inFreshDirectory(fn) {
  await mkdir(RESULTS, { recursive: true })
  const directory = await mkdtemp(join(RESULTS, 'journal-'))
  try {
    return await fn(directory)
  } finally {
    // A browser that is closed may still be writing.
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}
