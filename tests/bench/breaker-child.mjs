// One measured run of circuit breakers in a process of its own; prints
// `{ successNs, mixedNs, successRatio, mixedRatio, failureNs, growth, timers, engine }`.
//
//   node breaker-child.mjs <ackbox | cockatiel | opossum> <calls>
//
// Times are what a call costs beyond the bare call, in nanoseconds of this process (not of the clock on the wall, which
// counts others too). The bare call takes turns with the guarded one, and with one that cockatiel guards, of which the
// ratios are. Both open after five failures in a row, which never come: every call of both is made, and one that is
// refused ends the run.

import { median } from './numbers.mjs'

/** Calls of one turn. */
const TURN = 5_000
/**
 * Turns before those that count, at least: a function is compiled anew when it first throws, WebAssembly is compiled
 * twice, and the time of the compilers is time of the process. In the first 30,000 calls it is most of it.
 */
const WARM_UP_TURNS = 10
/** Failures inside one window. */
const FAILURES = 20_000
/** Breakers that nobody calls. */
const IDLE = 1_000

let timersSet = 0
// Before anything is loaded: some breakers keep the timers that they find.
for (const call of ['setTimeout', 'setInterval', 'setImmediate']) {
  const set = globalThis[call]
  globalThis[call] = (...args) => {
    timersSet++
    return set(...args)
  }
}

const [name, text] = process.argv.slice(2)
const turns = Math.max(3, Math.round(Number(text) / TURN))
// opossum sorts its window at every failure: a turn of it takes seconds.
const warmUpTurns = name === 'opossum' ? 3 : WARM_UP_TURNS

const makers = { ackbox: makeAckbox, cockatiel: makeCockatiel, opossum: makeOpossum }
const maker = await makers[name]()
const rival = await makeCockatiel()

// All take the signal, as the documentation has it.
const succeed = async (_signal) => 1
const failure = new Error('it failed')
let calls = 0
const mixed = async (_signal) => {
  if (++calls % 10 === 0) throw failure
  return 1
}
const fail = async (_signal) => {
  throw failure
}

const success = await overhead(succeed)
const some = await overhead(mixed)
const { failureNs, growth } = await failures()
const timers = await idleTimers()
process.stdout.write(JSON.stringify({
  successNs: success.ns,
  successRatio: success.ratio,
  mixedNs: some.ns,
  mixedRatio: some.ratio,
  failureNs,
  growth,
  timers,
  engine: maker.engine,
}))
process.exit()

/** What the guard adds to a call, and how many times what cockatiel adds. */
async function overhead(fn) {
  const guarded = [maker.make(fn), rival.make(fn)]
  const costs = guarded.map(() => [])
  for (let turn = -warmUpTurns; turn < turns; turn++) {
    const bare = await cost(fn, TURN)
    for (const [index, call] of guarded.entries()) {
      const ns = (await cost(call, TURN)) - bare
      if (turn >= 0) costs[index].push(ns)
    }
  }
  const [ns, rivalNs] = costs.map(median)
  return { ns, ratio: ns / rivalNs }
}

/** What one failure costs, and how much more the last quarter of the failures than the first. */
async function failures() {
  const bare = await cost(fail, FAILURES)
  await cost(maker.makeTireless(fail), FAILURES / 4)
  const guarded = maker.makeTireless(fail)
  const quarters = []
  for (let quarter = 0; quarter < 4; quarter++) quarters.push(await cost(guarded, FAILURES / 4))
  const mean = quarters.reduce((sum, ns) => sum + ns) / 4
  return { failureNs: mean - bare, growth: quarters[3] / quarters[0] }
}

async function idleTimers() {
  const before = timersSet
  const breakers = Array.from({ length: IDLE }, () => maker.make(succeed))
  for (const breaker of breakers) await breaker()
  return timersSet - before
}

/** Nanoseconds a call. */
async function cost(fn, times) {
  const start = process.cpuUsage()
  for (let call = 0; call < times; call++) {
    try {
      await fn()
    } catch (error) {
      if (error !== failure) throw error
    }
  }
  const { user, system } = process.cpuUsage(start)
  return ((user + system) * 1e3) / times
}

async function makeAckbox() {
  const { CircuitBreaker, memoryStorage, open } = await import('ackbox')
  const box = await open(memoryStorage())
  const { engine } = box
  await box.close()
  const guard = (breaker, fn) => () => breaker.execute(fn)
  return {
    engine,
    make: (fn) => guard(new CircuitBreaker(), fn),
    makeTireless: (fn) => guard(new CircuitBreaker({ window: 'time', windowMs: 600_000, minCalls: 10 * FAILURES }), fn),
  }
}

async function makeCockatiel() {
  const { circuitBreaker, ConsecutiveBreaker, handleAll, SamplingBreaker } = await import('cockatiel')
  const guard = (breaker, fn) => {
    const policy = circuitBreaker(handleAll, { halfOpenAfter: 30_000, breaker })
    return () => policy.execute(fn)
  }
  return {
    make: (fn) => guard(new ConsecutiveBreaker(5), fn),
    makeTireless: (fn) => guard(new SamplingBreaker({ threshold: 0.99, duration: 600_000, minimumRps: FAILURES }), fn),
  }
}

async function makeOpossum() {
  const { default: Opossum } = await import('opossum')
  const guard = (fn, options) => {
    const breaker = new Opossum(fn, { timeout: false, resetTimeout: 30_000, ...options })
    return () => breaker.fire()
  }
  return {
    make: (fn) => guard(fn, {}),
    makeTireless: (fn) => guard(fn, { rollingCountTimeout: 600_000, rollingCountBuckets: 10, volumeThreshold: 10 * FAILURES }),
  }
}
