// What a box does at its limits, as Markdown.

import { RUNS, TARGET_STEP_MS } from './limits.mjs'
import { count, table, verdict } from './markdown.mjs'

export function limitsSection(limits) {
  return [
    '## Limits under load',
    '',
    `Each line was run ${RUNS} times, and shows the worst of them: the longest call into the engine, in milliseconds of processor time (and`,
    'the median of what was longest in each run); the peak, with all of it at once; and by how much the heap of JavaScript and resident',
    'memory still grew between the last three rounds of the same work, with a fifth of it, and the three before them. Load: processes that',
    'wanted a processor in the last minute; beyond the number of processors steps take longer, for others empty the caches.',
    '',
    table(['', 'engine', 'seconds', 'longest step', 'median', 'heap MB', 'resident MB', 'kept each', 'peak MB', 'load', 'target'], limits.map((line) => [
      `${count(line.count)} ${line.name}`,
      line.engine,
      count(line.seconds),
      line.longestMs.toFixed(1),
      line.medianMs.toFixed(1),
      (line.heapGrowth / 1e6).toFixed(1),
      (line.residentGrowth / 1e6).toFixed(1),
      line.keptBytes === undefined ? '' : count(line.keptBytes / line.count),
      count(line.peakBytes / 1e6),
      line.load.toFixed(1),
      `${target(line)}: ${verdict(line.met)}`,
    ])),
    '',
  ]
}

function target({ growthMax, keptMax }) {
  const kept = keptMax === undefined ? '' : `, <= ${keptMax} bytes each and that while kept`
  return `<= ${TARGET_STEP_MS} ms, <= ${count(growthMax / 1e6)} MB more${kept}`
}
