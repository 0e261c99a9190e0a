// The results as Markdown.

import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { TARGET_BYTES, TARGET_SECONDS } from './backlog.mjs'
import { TARGET_GROWTH } from './breakers.mjs'
import { browserSection } from './browser-report.mjs'
import { TARGET_ENTRY_BYTES, TARGET_RATIO } from './ids.mjs'
import { limitsSection } from './limits-report.mjs'
import { policiesSection } from './policies-report.mjs'
import { count, table, verdict } from './markdown.mjs'
import { ORDER_BYTES } from './orders.mjs'

/** Where it was measured. */
export function describeMachine() {
  return {
    node: process.version,
    system: `${platform()} ${release()} ${arch()}`,
    processors: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    /** Processes that wanted a processor in the last minute. */
    load: loadavg()[0],
  }
}

/** Of all parts that were measured. */
export function toMarkdown({ measuredAt, minutes, machine, loads, options, ...measured }) {
  return [
    '# Bench',
    '',
    `Node ${machine.node}, ${machine.system}, ${machine.processors}, ${machine.memoryGiB} GiB. Medians of ${options.rounds} rounds.`,
    `${measuredAt}, after ${count(minutes)} minutes. Load of the machine: ${loads[0].toFixed(1)} before, ${loads[1].toFixed(1)} at the end; above ${cpus().length} is noise.`,
    '',
    ...Object.keys(SECTIONS)
      .filter((part) => measured[part] !== undefined)
      .flatMap((part) => SECTIONS[part](measured[part], options)),
  ].join('\n')
}

const SECTIONS = {
  throughput: throughputSection,
  backlog: backlogSection,
  ids: idsSection,
  steps: stepsSection,
  breakers: breakersSection,
  policies: policiesSection,
  limits: limitsSection,
  browser: browserSection,
}

function throughputSection(throughput, options) {
  return [
    `## Enqueue and process, end to end`,
    '',
    `${count(options.orders)} orders of ${ORDER_BYTES} bytes, 1,000 outstanding, every byte flushed to the disk. The reference: JSON`,
    'lines, one buffered write and one fdatasync per batch, a Map for the state; no leases, no retries, no recovery.',
    '',
    table(['', 'orders/s', 'of the reference', 'range', 'target'], throughput.map(({ name, perSecond, ratio, ratios, target, met }) => [
      name,
      count(perSecond),
      ratio.toFixed(2),
      `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`,
      target === undefined ? '' : `>= ${target}: ${verdict(met)}`,
    ])),
    '',
  ]
}

function backlogSection(backlog, options) {
  return [
    `## Opening a journal with ${count(options.backlog)} pending orders`,
    '',
    'In a fresh process, the journal in the page cache. Resident: right after opening.',
    '',
    table(['', 'seconds', 'resident MB', 'peak MB', 'target'], backlog.map(({ name, seconds, residentBytes, peakBytes, met }) => [
      name,
      seconds.toFixed(2),
      count(residentBytes / 1e6),
      count(peakBytes / 1e6),
      `< ${TARGET_SECONDS} s, < ${TARGET_BYTES / 1e6} MB resident: ${verdict(met)}`,
    ])),
    '',
  ]
}

function idsSection(ids, options) {
  return [
    '## Explicit ids',
    '',
    `Enqueueing ${count(options.orders)} orders with an id each, beside as many without, in turns in one process.`,
    '',
    table(['', 'plain/s', 'with id/s', 'time with id', 'target'], ids.enqueue.map(({ name, plainPerSecond, idsPerSecond, ratio, met }) => [
      name,
      count(plainPerSecond),
      count(idsPerSecond),
      `${ratio.toFixed(2)} x`,
      `<= ${TARGET_RATIO} x: ${verdict(met)}`,
    ])),
    '',
    `${count(ids.memory.ids)} finished ids keep ${ids.memory.bytesPerId.toFixed(1)} bytes of memory each (native), of at most ${TARGET_ENTRY_BYTES}: ${verdict(ids.memory.met)}.`,
    '',
  ]
}

function stepsSection(steps) {
  return [
    '## Steps',
    '',
    'A result of 40 bytes made durable by a step of a handler, beside an append with a flush of the same in plain JavaScript. So many',
    'handlers run side by side and share a flush.',
    '',
    table(['', 'side by side', 'microseconds', 'of the append'], steps.map(({ name, outstanding, micros, cost }) => [
      name,
      count(outstanding),
      micros.toFixed(1),
      `${cost.toFixed(2)} x`,
    ])),
    '',
  ]
}

function breakersSection(breakers) {
  return [
    '## A circuit breaker around an async function that does nothing',
    '',
    'Nanoseconds of processor time beyond the bare call, once all is compiled: calls that succeed, calls of which every tenth fails, failures of',
    'which none leaves the window. Growth: what one of the last of 20,000 failures costs, against one of the first. Timers: those',
    'of 1,000 idle breakers.',
    '',
    table(['', 'success', 'of cockatiel', 'mixed', 'of cockatiel', 'failure', 'growth', 'timers', 'target'], breakers.map((breaker) => [
      breaker.name,
      count(breaker.successNs),
      breaker.ratios.success.toFixed(2),
      count(breaker.mixedNs),
      breaker.ratios.mixed.toFixed(2),
      count(breaker.failureNs),
      breaker.growth.toFixed(1),
      count(breaker.timers),
      breaker.target === undefined
        ? ''
        : `<= ${breaker.target} of cockatiel, growth <= ${TARGET_GROWTH}, no timers: ${verdict(breaker.met)}`,
    ])),
    '',
  ]
}
