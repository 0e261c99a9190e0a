// Very much of one kind in one box, in a process of its own.
//
//   node --expose-gc limits-child.mjs <failing | groups | delayed | queues | bodies> <empty directory> <count>
//
// Prints `{ engine, seconds, longestMs, heapGrowth, residentGrowth, keptBytes, peakBytes }`. First all of `count` at once, for
// the longest call into the engine and the peak; then the same twelve times with fewer, for what stays: what lives, or is
// resident, is looked at after each of these rounds, and growth is by how much the least of the last three exceeds the least
// of the three before them. Garbage and fragments come and go, what is kept stays. `keptBytes`: by how
// much resident memory grew for all things of the first round while they are kept, where they are.

import { takeLongest } from './engine-probe.mjs'
import { AckboxError, constant, open } from 'ackbox'
import { leapingClock } from './leaping-clock.mjs'
import { makeOrder } from './orders.mjs'

/** Messages of one atomic unit, at most. */
const UNIT = 10_000
/** Rounds behind the first one; an allocator has settled in the first half of them. */
const ROUNDS = 12
/** Of what is in the first round, so much is in each of the others. */
const SHARE = 1 / 5
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

/** Messages that nobody can handle, sent as fast as they are taken, until all are dead letters; which are removed then. */
async function failing() {
  const box = await open(directory)
  const queue = box.queue('orders', { maxAttempts: 2, backoff: constant(1_000) })
  queue.process(() => {
    throw failure
  }, { concurrency: 1_000 })
  let keptBytes
  const measured = await measureRounds(box, async (length) => {
    const before = used()
    for (let sent = 0; sent < length; sent += BURST) {
      await Promise.all(Array.from({ length: Math.min(BURST, length - sent) }, (_, n) => queue.enqueue(makeOrder(sent + n))))
    }
    await until(async () => (await queue.stats()).deadLetters === length)
    keptBytes ??= used().resident - before.resident
    const removed = await queue.dead.remove({})
    if (removed !== length) throw new Error(`expected ${length} dead letters to be removed, ${removed} were`)
  })
  return { ...measured, keptBytes }
}

/** Messages of which each has a group of its own: all wait, then all are handled. */
async function groups() {
  const box = await open(directory)
  const queue = box.queue('orders')
  let sent = 0
  return measureRounds(box, async (length) => {
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
  return measureRounds(box, async (length) => {
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
  return measureRounds(box, async (length) => {
    // As many times as there are messages for each.
    for (let time = 0; time < 5 * length; time += count) await Promise.all(all.map((queue) => queue.enqueue(makeOrder(sent++))))
    await until(() => handled === sent)
  })
}

/** Bodies and results of the largest size, at the limits of a unit, of what may wait for the storage, and of the queue, in each round. */
async function bodies() {
  const box = await open(directory)
  const length = count
  // A message takes some bytes beside its body.
  const queue = box.queue('orders', { maxBytes: (length + 1) * MEBIBYTE })
  let sent = 0
  return measureRounds(box, async () => {
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

/** All at once, then a share of it again and again. */
async function measureRounds(box, round) {
  const start = performance.now()
  await round(count)
  const { maxRSS } = process.resourceUsage()
  const memory = []
  for (let time = 0; time < ROUNDS; time++) {
    await round(count * SHARE)
    memory.push(used())
  }
  const settled = memory.slice(ROUNDS / 2)
  const half = settled.length / 2
  const growth = (kind) => least(settled.slice(half), kind) - least(settled.slice(0, half), kind)
  return {
    engine: box.engine,
    seconds: (performance.now() - start) / 1_000,
    longestMs: takeLongest(),
    heapGrowth: growth('heap'),
    residentGrowth: growth('resident'),
    peakBytes: maxRSS * 1_024,
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
