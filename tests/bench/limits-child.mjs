// Very much of one kind in one box, in a process of its own.
//
//   node --expose-gc limits-child.mjs <failing | groups | delayed | queues | bodies> <empty directory> <count>
//
// Prints `{ engine, seconds, longestMs, heapGrowth, residentGrowth, things, bytesEach, peakBytes }`. The same is done in rounds:
// `longestMs` is the longest call into the engine in any of them. What lives, or is resident, is looked at after each
// round, and growth is by how much the least of the second half exceeds the least of the first: garbage comes and goes,
// what is kept stays. `things` were added between the two, and `bytesEach` is resident growth for each.

import { takeLongest } from './engine-probe.mjs'
import { AckboxError, constant, open } from 'ackbox'
import { leapingClock } from './leaping-clock.mjs'
import { makeOrder } from './orders.mjs'

/** Messages of one atomic unit, at most. */
const UNIT = 10_000
/** Single enqueues of one turn of the event loop. */
const BURST = 50_000
const HOUR_MS = 3_600_000
const MEBIBYTE = 1 << 20
/** A JSON text has two quotes. */
const LARGEST_BODY = 'x'.repeat(MEBIBYTE - 2)
const LARGEST_RESULT = 'y'.repeat(65_536 - 2)
const failure = new Error('always')

const [task, directory, text] = process.argv.slice(2)
const count = Number(text)
const tasks = { failing, groups, delayed, queues, bodies }
process.stdout.write(JSON.stringify(await tasks[task]()))
process.exit()

/** Messages that nobody can handle, sent as fast as they are taken, until all are dead letters. */
async function failing() {
  const box = await open(directory)
  const queue = box.queue('orders', { maxAttempts: 2, backoff: constant(1_000) })
  queue.process(() => {
    throw failure
  }, { concurrency: 1_000 })
  let sent = 0
  return measureRounds(box, 4, count / 4, async (length) => {
    for (const until = sent + length; sent < until;) {
      await Promise.all(Array.from({ length: Math.min(BURST, until - sent) }, () => queue.enqueue(makeOrder(sent++))))
    }
    await until(async () => (await queue.stats()).deadLetters === sent)
  })
}

/** Messages of which each has a group of its own: all wait, then all are handled. */
async function groups() {
  const box = await open(directory)
  const queue = box.queue('orders')
  let sent = 0
  return measureRounds(box, 2, count, async (length) => {
    await enqueueUnits(queue, length, () => ({ body: makeOrder(sent), group: `group-${sent++}` }))
    const { completed } = await queue.drain(() => {}, { concurrency: 1_000 })
    if (completed !== length) throw new Error(`expected ${length} messages to be handled, ${completed} were`)
  })
}

/** Messages that all become due in the same millisecond. */
async function delayed() {
  const clock = leapingClock()
  const box = await open(directory, { clock })
  const queue = box.queue('orders')
  let handled = 0
  queue.process(() => void handled++, { concurrency: 1_000 })
  let sent = 0
  return measureRounds(box, 2, count, async (length) => {
    const at = clock.now() + HOUR_MS
    await enqueueUnits(queue, length, () => ({ body: makeOrder(sent++), at }))
    clock.leap(HOUR_MS)
    await until(() => handled === sent)
  })
}

/** Queues with a worker each, all with something to do at once. */
async function queues() {
  const box = await open(directory)
  let handled = 0
  const all = Array.from({ length: count }, (_, number) => box.queue(`queue-${number}`))
  for (const queue of all) queue.process(() => void handled++)
  let sent = 0
  return measureRounds(box, 4, count, async () => {
    for (let time = 0; time < 5; time++) await Promise.all(all.map((queue) => queue.enqueue(makeOrder(sent++))))
    await until(() => handled === sent)
  })
}

/** Bodies and results of the largest size, at the limits of a unit, of what may wait for the storage, and of the queue. */
async function bodies() {
  const box = await open(directory)
  const length = count / 4
  // A message takes some bytes beside its body.
  const queue = box.queue('orders', { maxBytes: (length + 1) * MEBIBYTE })
  let sent = 0
  return measureRounds(box, 4, length, async () => {
    await refused('ERR_BODY_TOO_LARGE', queue.enqueue(`${LARGEST_BODY}x`, { id: 'too-large' }))
    await refused('ERR_BODY_TOO_LARGE', queue.enqueueMany(Array.from({ length: 9 }, (_, n) => ({ id: `unit-${n}`, body: LARGEST_BODY }))))
    const unit = Array.from({ length: 8 }, (_, n) => ({ id: `body-${sent + n}`, body: LARGEST_BODY }))
    await queue.enqueueMany(unit)
    let accepted = unit.length
    // More at once than may wait for the storage: what is refused is sent again.
    while (accepted < length) {
      const offered = Array.from({ length: Math.min(100, length - accepted) }, (_, n) => `body-${sent + accepted + n}`)
      const results = await Promise.allSettled(offered.map((id) => queue.enqueue(LARGEST_BODY, { id })))
      const failed = results.find(({ reason }) => reason !== undefined && !AckboxError.is(reason, 'ERR_QUEUE_FULL'))
      if (failed !== undefined) throw failed.reason
      const first = results.findIndex(({ status }) => status === 'rejected')
      accepted += first < 0 ? offered.length : first
    }
    await refused('ERR_QUEUE_FULL', queue.enqueueMany([{ id: 'one', body: LARGEST_BODY }, { id: 'more', body: LARGEST_BODY }]))
    const { completed } = await queue.drain(({ body }) => {
      if (body.length !== LARGEST_BODY.length) throw new Error('a body was cut')
      return LARGEST_RESULT
    }, { concurrency: 100 })
    if (completed !== length) throw new Error(`expected ${length} bodies to be handled, ${completed} were`)
    sent += length
  })
}

/** Does the same several times; `things` is how many are in one round. */
async function measureRounds(box, rounds, things, round) {
  const start = performance.now()
  const memory = []
  for (let time = 0; time < rounds; time++) {
    await round(things)
    memory.push(used())
  }
  const seconds = (performance.now() - start) / 1_000
  const longestMs = takeLongest()
  const half = rounds / 2
  const growth = (kind) => least(memory.slice(half), kind) - least(memory.slice(0, half), kind)
  const residentGrowth = growth('resident')
  const added = things * half
  const { engine } = box
  return {
    engine,
    seconds,
    longestMs,
    heapGrowth: growth('heap'),
    residentGrowth,
    things: added,
    bytesEach: residentGrowth / added,
    peakBytes: process.resourceUsage().maxRSS * 1_024,
  }
}

function least(memory, kind) {
  return Math.min(...memory.map((round) => round[kind]))
}

function used() {
  globalThis.gc()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed + external, resident: rss }
}

async function enqueueUnits(queue, length, make) {
  for (let sent = 0; sent < length; sent += UNIT) {
    await queue.enqueueMany(Array.from({ length: Math.min(UNIT, length - sent) }, make))
  }
}

async function refused(code, promise) {
  const error = await promise.then(() => undefined, (error) => error)
  if (!AckboxError.is(error, code)) throw new Error(`expected ${code}`, { cause: error })
}

/** Looks every now and then. */
async function until(check) {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 50))
}
