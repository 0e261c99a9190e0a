// Two minutes of a queue whose messages go to two services, of which one goes down: in virtual time, so the same in every run.
//
// The bank is down for 55 seconds: each call to it hangs until the handler gives up, and holds one of the worker's slots
// meanwhile. The mail service is well all the time.

import { memoryStorage, open } from 'ackbox'
import { manualClock } from 'ackbox/testing'

/** When what happens, in milliseconds from the start. */
export const OUTAGE = { from: 20_000, to: 75_000 }
export const LENGTH_MS = 140_000

/** Messages a second to each of the two. */
export const ARRIVALS_PER_SECOND = 20
/** Handlers at once. */
export const CONCURRENCY = 10
/** What the breaker is told; everything else has its default. */
export const BREAKER = { failures: 5, cooldownMs: 10_000 }

const TICK_MS = 250
/** How long a service takes for a call, and how long a handler waits for one. */
const CALL_MS = 100
const TIMEOUT_MS = 2_000

/**
 * `{ handled, attempts, states, deadLetters }`: of each second how many messages were handled and how often the bank was
 * called; each change of the bank's circuit as `{ at, to }`; what became dead letters in the end.
 */
export async function simulate({ breaker }) {
  const clock = manualClock()
  const start = clock.now()
  const elapsed = () => clock.now() - start
  const seconds = () => new Array(LENGTH_MS / 1_000).fill(0)
  const [handled, attempts, states] = [seconds(), seconds(), []]
  const count = (series) => series[Math.min(Math.floor(elapsed() / 1_000), series.length - 1)]++
  const wait = (ms) => new Promise((resolve) => clock.setTimeout(resolve, ms))

  async function call(service) {
    if (service === 'bank') count(attempts)
    const isDown = service === 'bank' && elapsed() >= OUTAGE.from && elapsed() < OUTAGE.to
    await wait(isDown ? TIMEOUT_MS : CALL_MS)
    if (isDown) throw new Error('no answer')
  }

  const box = await open(memoryStorage(), { clock, seed: 1 })
  const queue = box.queue('calls', { destination: (body) => body.service })
  queue.on('completed', () => count(handled))
  queue.on('circuit', ({ to }) => states.push({ at: elapsed(), to }))
  queue.process(({ destination }) => call(destination), { concurrency: CONCURRENCY, ...(breaker && { breaker: BREAKER }) })

  let number = 0
  for (let time = 0; time < LENGTH_MS; time += TICK_MS) {
    const bodies = Array.from({ length: (ARRIVALS_PER_SECOND * TICK_MS) / 1_000 }, () => ['bank', 'mail']).flat()
    await queue.enqueueMany(bodies.map((service) => ({ id: `call-${++number}`, body: { service } })))
    await clock.advance(TICK_MS)
  }
  const { deadLetters } = await queue.stats()
  await box.close({ timeoutMs: 0 })
  return { handled, attempts, states, deadLetters }
}
