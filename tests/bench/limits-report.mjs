// What a box does at its limits, as Markdown.

import { TARGET_STEP_MS } from './limits.mjs'
import { count, table, verdict } from './markdown.mjs'

export function limitsSection(limits) {
  return [
    '## Limits under load',
    '',
    'The longest call into the engine, in milliseconds of processor time; and by how much the heap of JavaScript and resident memory grew',
    'from the first round of the same work to the last. Load: processes that wanted a processor in the last minute; beyond the number of',
    'processors, steps take longer, for others empty the caches.',
    '',
    table(['', 'engine', 'seconds', 'longest step', 'heap MB', 'resident MB', 'peak MB', 'load', 'target'], limits.map((line) => [
      `${count(line.count)} ${line.name}`,
      line.engine,
      count(line.seconds),
      line.longestMs.toFixed(1),
      (line.heapGrowth / 1e6).toFixed(1),
      (line.residentGrowth / 1e6).toFixed(1),
      count(line.peakBytes / 1e6),
      line.load.toFixed(1),
      `<= ${TARGET_STEP_MS} ms, resident <= ${count(line.allowed / 1e6)} MB more: ${verdict(line.met)}`,
    ])),
    '',
  ]
}
