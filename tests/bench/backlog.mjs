// Opening a journal that holds a large backlog.

import { measure } from './child.mjs'
import { inFreshDirectory } from './directories.mjs'
import { median } from './numbers.mjs'

export const TARGET_SECONDS = 3
export const TARGET_BYTES = 600e6

/** `[{ name, seconds, residentBytes, peakBytes, met }]`: medians; the journal is in the page cache. */
export async function measureBacklog({ rounds, orders, say }) {
  return inFreshDirectory(async (directory) => {
    say(`writing a journal of ${orders.toLocaleString('en')} orders`)
    await measure('backlog-child.mjs', ['fill', directory, orders], { engine: 'native' })
    const results = []
    for (const engine of ['native', 'wasm']) {
      const runs = []
      for (let round = 1; round <= rounds; round++) {
        const run = await measure('backlog-child.mjs', ['open', directory, orders], { engine })
        runs.push(run)
        say(`round ${round} of ${rounds}: ackbox ${engine} opened it in ${run.seconds.toFixed(2)} s`)
      }
      const [seconds, residentBytes, peakBytes] = ['seconds', 'residentBytes', 'peakBytes'].map((key) => median(runs.map((run) => run[key])))
      results.push({ name: `ackbox ${engine}`, seconds, residentBytes, peakBytes, met: seconds < TARGET_SECONDS && residentBytes < TARGET_BYTES })
    }
    return results
  })
}
