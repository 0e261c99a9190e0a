// What the policies of a worker cost, in a process of its own.
//
//   node --expose-gc policies-child.mjs throughput <orders>       prints `{ engine, plain, breaker, destinations, all }` in messages a second
//   node --expose-gc policies-child.mjs destinations <count>      prints `{ engine, bytesEach, growth, idleMs, wakeups }`
//
// The journal is in memory, so that nothing hides what handling costs. The workers of the first take turns.

import { memoryStorage, open } from 'ackbox'
import { makeOrder } from './orders.mjs'
import { median } from './numbers.mjs'

/** Messages of one turn. */
const TURN = 10_000
const CONCURRENCY = 100
const IDLE_MS = 2_000

const WORKERS = {
  plain: {},
  breaker: { breaker: true },
  destinations: { breaker: true, perDestination: { concurrency: 10 } },
  all: {
    breaker: true,
    perDestination: { concurrency: 10, rate: { limit: 1_000_000, perMs: 1_000 } },
    rate: { limit: 1_000_000, perMs: 1_000 },
    retryBudget: 0.2,
    timeoutMs: 60_000,
  },
}

let wakeups = 0
const setTimer = globalThis.setTimeout
globalThis.setTimeout = (fn, ms) => setTimer(() => {
  wakeups++
  fn()
}, ms)
const [task, text] = process.argv.slice(2)
const count = Number(text)
process.stdout.write(JSON.stringify(await { throughput, destinations }[task]()))
process.exit()

/** The same messages through workers that limit more and more. */
async function throughput() {
  const box = await open(memoryStorage())
  const rates = Object.fromEntries(Object.keys(WORKERS).map((name) => [name, []]))
  const turns = Math.max(3, Math.round(count / TURN))
  const queues = Object.fromEntries(Object.entries(WORKERS).map(([name, options]) => [name, openQueue(box, name, options)]))
  for (let turn = -1; turn < turns; turn++) {
    for (const name of rotated(Object.keys(WORKERS), turn + 1)) {
      const start = process.cpuUsage()
      await queues[name](TURN)
      const { user, system } = process.cpuUsage(start)
      // The first turn is for the just-in-time compiler.
      if (turn >= 0) rates[name].push(TURN / ((user + system) / 1e6))
    }
  }
  return { engine: box.engine, ...Object.fromEntries(Object.entries(rates).map(([name, all]) => [name, median(all)])) }
}

/** `run(count)` enqueues and handles so many messages, of ten destinations. */
function openQueue(box, name, options) {
  const queue = box.queue(name, { destination: (order) => order.destination })
  let [left, finish] = [0, undefined]
  queue.process(() => {
    if (--left === 0) finish()
  }, { concurrency: CONCURRENCY, ...options })
  return async (count) => {
    left = count
    const done = new Promise((resolve) => (finish = resolve))
    const items = Array.from({ length: count }, (_, n) => ({ body: { ...makeOrder(n), destination: `host-${n % 10}` } }))
    for (let sent = 0; sent < count; sent += 1_000) await queue.enqueueMany(items.slice(sent, sent + 1_000))
    await done
  }
}

/** A worker that has seen very many destinations: what it remembers of them, and what it does while nothing happens. */
async function destinations() {
  const box = await open(memoryStorage())
  const queue = box.queue('calls', { destination: (body) => body })
  let handled = 0
  const options = { concurrency: CONCURRENCY, breaker: true, perDestination: { rate: { limit: 10, perMs: 1_000 } } }
  queue.process(() => void handled++, options)
  const call = async (from, many) => {
    const until = handled + many
    for (let sent = 0; sent < many; sent += 1_000) {
      await queue.enqueueMany(Array.from({ length: Math.min(1_000, many - sent) }, (_, n) => ({ body: `https://host-${from + sent + n}.example` })))
    }
    while (handled < until) await new Promise((resolve) => setImmediate(resolve))
  }
  await call(0, 1_000)
  const before = resident()
  await call(1_000, count)
  const bytesEach = (resident() - before) / count
  const cpu = process.cpuUsage()
  wakeups = 0
  await new Promise((resolve) => setTimer(resolve, IDLE_MS))
  const { user, system } = process.cpuUsage(cpu)
  const atRest = wakeups
  const full = resident()
  // As many again, and again: those that are not used any more make room.
  for (let time = 1; time <= 4; time++) await call(1_000 + time * count, count)
  return { engine: box.engine, bytesEach, idleMs: (user + system) / 1e3, wakeups: atRest, growth: resident() - full }
}

function resident() {
  globalThis.gc()
  return process.memoryUsage.rss()
}

function rotated(names, by) {
  const turn = by % names.length
  return [...names.slice(turn), ...names.slice(0, turn)]
}
