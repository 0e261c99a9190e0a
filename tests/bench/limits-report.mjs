// What a box does at its limits, as Markdown.

import { TARGET_STEP_MS } from './limits.mjs'
import { count, table, verdict } from './markdown.mjs'

export function limitsSection(limits) {
  return [
    '## Limits under load',
    '',
    'The longest call into the engine, in milliseconds of processor time; and by how much the heap of JavaScript and resident memory grew',
    'between the halves of the same work. Runs: what misses is run again, up to three times, for what the machine does meanwhile does not',
    'come back. Load: processes that wanted a processor in the last minute; beyond the number of processors steps take longer, for others',
    'empty the caches.',
    '',
    table(['', 'engine', 'runs', 'seconds', 'longest step', 'heap MB', 'resident MB', 'peak MB', 'load', 'target'], limits.map((line) => [
      `${count(line.count)} ${line.name}`,
      line.engine,
      count(line.runs),
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
