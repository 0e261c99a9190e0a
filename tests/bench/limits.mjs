// What a box does where there is very much of something: how long the engine holds the thread, and what memory does.

import { loadavg } from 'node:os'
import { measure } from './child.mjs'
import { inFreshDirectory } from './directories.mjs'

/** No call into the engine takes longer. */
export const TARGET_STEP_MS = 50

const MEBIBYTE = 1 << 20
/** What garbage, and pages that an allocator keeps in fragments, move by, whatever happens: this, or so much of the peak. */
const NOISE_BYTES = 64 * MEBIBYTE
const NOISE_SHARE = 1 / 8

/** What a step takes for itself comes back in every run, what the machine does meanwhile does not. */
const RUNS_MAX = 3

/** `least`: with fewer no limit is met. `flat`: later rounds take no more memory than the first ones; else what each thing may keep, in bytes. */
const LINES = [
  { task: 'failing', name: 'messages whose handler always fails', share: 1, bytesEach: 400 },
  { task: 'groups', name: 'messages, each with a group of its own', share: 1, flat: true },
  { task: 'delayed', name: 'messages due in the same millisecond', share: 1, flat: true },
  { task: 'queues', name: 'queues with a worker each', share: 1 / 100, flat: true },
  { task: 'bodies', name: 'bodies of 1 MiB at every limit', share: 1 / 2_000, least: 400, flat: true },
]

/**
 * `[{ name, engine, count, runs, seconds, longestMs, heapGrowth, residentGrowth, bytesEach, peakBytes, load, allowed, met }]`:
 * of the first of so many runs that meets the target, or of the last; `load` is how many processes wanted a processor in the
 * last minute of it.
 */
export async function measureLimits({ limits, say }) {
  const results = []
  for (const { task, name, share, least = 4, flat, bytesEach } of LINES) {
    const count = 4 * Math.ceil(Math.max(least, limits * share) / 4)
    for (const engine of ['native', 'wasm']) {
      let line
      for (let runs = 1; runs <= RUNS_MAX && line?.met !== true; runs++) {
        const run = await inFreshDirectory((directory) => measure('limits-child.mjs', [task, directory, count], { engine, flags: ['--expose-gc'] }))
        const load = loadavg()[0]
        say(`${count.toLocaleString('en')} ${name}, ${engine}: ${run.seconds.toFixed(1)} s, longest step ${run.longestMs.toFixed(1)} ms`)
        const noise = Math.max(NOISE_BYTES, NOISE_SHARE * run.peakBytes)
        const allowed = flat ? noise : noise + bytesEach * run.things
        const met = run.longestMs <= TARGET_STEP_MS && run.heapGrowth <= allowed && run.residentGrowth <= allowed
        line = { name, count, runs, load, allowed, met, ...run }
      }
      results.push(line)
    }
  }
  return results
}
