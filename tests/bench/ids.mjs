// Explicit ids: what they cost an enqueue, and what a finished one keeps in memory.

import { measure } from './child.mjs'
import { inFreshDirectory } from './directories.mjs'
import { median } from './numbers.mjs'

/** An enqueue with an id takes at most so many times as long as one without. */
export const TARGET_RATIO = 1.3
/** A finished id keeps at most so much memory. */
export const TARGET_ENTRY_BYTES = 64

/**
 * `{ enqueue: [{ name, plainPerSecond, idsPerSecond, ratio, met }], memory: { ids, bytesPerId, met } }`. Both kinds of
 * enqueue take turns in one process. Memory is what a process grows by, for each order with an id that it finishes; medians.
 */
export async function measureIds({ rounds, orders, ids, say }) {
  const enqueue = []
  for (const engine of ['native', 'wasm']) {
    const runs = []
    for (let round = 1; round <= rounds; round++) {
      const run = await inFreshDirectory((directory) => measure('ids-child.mjs', ['enqueue', directory, orders], { engine }))
      runs.push(run)
      say(`round ${round} of ${rounds}: ackbox ${engine}: an enqueue with an id takes ${(run.idsSeconds / run.plainSeconds).toFixed(2)} of one without`)
    }
    const ratio = median(runs.map(({ plainSeconds, idsSeconds }) => idsSeconds / plainSeconds))
    const [plainPerSecond, idsPerSecond] = ['plainSeconds', 'idsSeconds'].map((key) => median(runs.map((run) => orders / run[key])))
    enqueue.push({ name: `ackbox ${engine}`, plainPerSecond, idsPerSecond, ratio, met: ratio <= TARGET_RATIO })
  }
  return { enqueue, memory: await measureMemory({ rounds, ids, say }) }
}

async function measureMemory({ rounds, ids, say }) {
  const runs = []
  for (let round = 1; round <= rounds; round++) {
    const { bytesPerId } = await inFreshDirectory((directory) => measure('ids-child.mjs', ['memory', directory, ids], { engine: 'native' }))
    runs.push(bytesPerId)
    say(`round ${round} of ${rounds}: a finished id keeps ${bytesPerId.toFixed(1)} bytes`)
  }
  const bytesPerId = median(runs)
  return { ids, bytesPerId, met: bytesPerId <= TARGET_ENTRY_BYTES }
}
