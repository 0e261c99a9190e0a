// What a box does where there is very much of something: how long the engine holds the thread, and what memory does.

import { loadavg } from 'node:os'
import { measure } from './child.mjs'
import { inFreshDirectory } from './directories.mjs'
import { median } from './numbers.mjs'

/** No call into the engine takes longer. */
export const TARGET_STEP_MS = 50
/** How often each line is measured, whatever comes out: the worst of all counts. */
export const RUNS = 3

const MEBIBYTE = 1 << 20

/**
 * `least`: with fewer no limit is met. `growthMax`: by so much memory may move in the last rounds of the same work, for garbage and
 * for what an allocator keeps in fragments; it depends on nothing that was measured. `keptMax`: so many bytes more may each thing take
 * as long as it is kept.
 */
const LINES = [
  { task: 'failing', name: 'messages whose handler always fails', share: 1, growthMax: 32 * MEBIBYTE, keptMax: 400 },
  { task: 'groups', name: 'messages, each with a group of its own', share: 1, growthMax: 32 * MEBIBYTE },
  { task: 'delayed', name: 'messages due in the same millisecond', share: 1, growthMax: 32 * MEBIBYTE },
  { task: 'queues', name: 'queues with a worker each', share: 1 / 100, growthMax: 32 * MEBIBYTE },
  { task: 'bodies', name: 'bodies of 1 MiB at every limit', share: 1 / 8_000, least: 100, growthMax: 64 * MEBIBYTE },
]
/** Each round of a line's share is a whole number of things. */
const STEP = 5

/**
 * `[{ name, engine, count, runs, seconds, longestMs, medianMs, heapGrowth, residentGrowth, keptBytes, peakBytes, load, growthMax,
 * keptMax, met }]`: the worst of all runs, and of the longest call into the engine their median too; `seconds` are those of all
 * runs, `load` is how many processes wanted a processor in the last minute of one.
 */
export async function measureLimits({ limits, say }) {
  const results = []
  for (const { task, name, share, least = STEP, growthMax, keptMax } of LINES) {
    const count = STEP * Math.ceil(Math.max(least, limits * share) / STEP)
    for (const engine of ['native', 'wasm']) {
      const runs = []
      while (runs.length < RUNS) {
        const run = await inFreshDirectory((directory) => measure('limits-child.mjs', [task, directory, count], { engine, flags: ['--expose-gc'] }))
        runs.push({ ...run, load: loadavg()[0] })
        say(`${count.toLocaleString('en')} ${name}, ${engine}: ${run.seconds.toFixed(1)} s, longest step ${run.longestMs.toFixed(1)} ms, resident ${(run.residentGrowth / 1e6).toFixed(1)} MB more`)
      }
      results.push({ name, engine, count, ...worstOf(runs, { count, growthMax, keptMax }) })
    }
  }
  return results
}

/** What runs of one line come to; each of them must have met its targets. */
export function worstOf(runs, { count, growthMax, keptMax }) {
  const worst = (kind) => Math.max(...runs.map((run) => run[kind]))
  const line = {
    runs: runs.length,
    seconds: runs.reduce((sum, { seconds }) => sum + seconds, 0),
    longestMs: worst('longestMs'),
    medianMs: median(runs.map(({ longestMs }) => longestMs)),
    heapGrowth: worst('heapGrowth'),
    residentGrowth: worst('residentGrowth'),
    peakBytes: worst('peakBytes'),
    load: worst('load'),
    growthMax,
  }
  const isFlat = line.heapGrowth <= growthMax && line.residentGrowth <= growthMax
  if (keptMax === undefined) return { ...line, met: line.longestMs <= TARGET_STEP_MS && isFlat }
  const keptBytes = worst('keptBytes')
  return { ...line, keptBytes, keptMax, met: line.longestMs <= TARGET_STEP_MS && isFlat && keptBytes <= growthMax + keptMax * count }
}
