// What policies cost, as Markdown.

import { count, table, verdict } from './markdown.mjs'
import { TARGET_BYTES_EACH, TARGET_IDLE_MS, TARGET_SHARE } from './policies.mjs'

export function policiesSection({ throughput, destinations }) {
  return [
    '## Policies of workers',
    '',
    'Messages enqueued and handled a second of processor time, the journal in memory, by a worker without any policy; and what share of it is',
    'left with a breaker, with limits of each destination too, and with rates, a retry budget and a deadline beside them.',
    '',
    table(['', 'without/s', 'breaker', '+ destinations', '+ all others', 'target'], throughput.map(({ name, perSecond, shares, met }) => [
      name,
      count(perSecond),
      shares.breaker.toFixed(2),
      shares.destinations.toFixed(2),
      shares.all.toFixed(2),
      `>= ${TARGET_SHARE}: ${verdict(met)}`,
    ])),
    '',
    'A worker with a breaker and a rate for each destination that has seen so many of them: memory of each, what five times as many add,',
    'and two idle seconds.',
    '',
    table(['', 'destinations', 'bytes each', 'growth MB', 'idle ms', 'timers', 'target'], destinations.map((line) => [
      line.name,
      count(line.count),
      count(line.bytesEach),
      (line.growth / 1e6).toFixed(1),
      line.idleMs.toFixed(1),
      count(line.wakeups),
      `<= ${count(TARGET_BYTES_EACH)} bytes each, no more for more of them, <= ${TARGET_IDLE_MS} ms, no timers: ${verdict(line.met)}`,
    ])),
    '',
  ]
}
