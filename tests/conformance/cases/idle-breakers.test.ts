/** Breakers that nobody calls cost no timer, whatever their state; a worker has one for all of its destinations. */
import { createHook } from 'node:async_hooks'

import { CircuitBreaker, constant, memoryStorage, open, type TimerHandle } from 'ackbox'
import { expect, it, onTestFinished } from 'vitest'
import { manualClock } from 'ackbox/testing'

const MANY = 1_000

/** Timers of the platform that are set until the end of the test, those included that keep no process alive. */
function countTimers(): { set: number } {
  const counted = { set: 0 }
  const hook = createHook({
    init(_id, type) {
      if (type === 'Timeout') counted.set += 1
    },
  }).enable()
  onTestFinished(() => void hook.disable())
  return counted
}

it('a thousand breakers set no timer, closed or open [A7 CircuitBreaker]', async () => {
  const active = process.getActiveResourcesInfo().length
  const timers = countTimers()
  const breakers = Array.from({ length: MANY }, () => new CircuitBreaker({ failures: 1 }))
  for (const breaker of breakers) await breaker.execute(async () => {})
  for (const breaker of breakers.slice(MANY / 2)) await breaker.execute(() => Promise.reject(new Error('down'))).catch(() => {})
  expect(breakers.map(({ state }) => state).filter((state) => state === 'open')).toHaveLength(MANY / 2)
  expect(timers.set).toBe(0)
  expect(process.getActiveResourcesInfo()).toHaveLength(active)
  setTimeout(() => {}, 0)
  expect(timers.set, 'the test would see one').toBe(1)
})

it('circuits of a thousand destinations wait behind one timer, and closed ones behind none [A3 breaker]', async () => {
  const clock = manualClock()
  const timers = new Set<TimerHandle>()
  const counting = {
    ...clock,
    setTimeout(fn: () => void, ms: number) {
      const timer = clock.setTimeout(() => (timers.delete(timer), fn()), ms)
      timers.add(timer)
      return timer
    },
    clearTimeout(timer: TimerHandle) {
      timers.delete(timer)
      clock.clearTimeout(timer)
    },
  }
  const box = await open(memoryStorage(), { clock: counting })
  onTestFinished(async () => void (await box.close({ timeoutMs: 0 })))
  const queue = box.queue<string>('calls', { destination: (body) => body, backoff: constant(0), maxAttempts: 5 })
  let isDown = false
  const handler = (): void => {
    if (isDown) throw new Error('down')
  }
  const worker = queue.process(handler, { concurrency: 100, breaker: { failures: 1 } })
  const bodies = Array.from({ length: MANY }, (_, n) => ({ body: `host-${n}` }))
  await queue.enqueueMany(bodies)
  await queue.idle()
  expect(timers.size).toBe(0)
  isDown = true
  await queue.enqueueMany(bodies)
  await clock.advance(0)
  expect(worker.circuits().filter(({ state }) => state === 'open')).toHaveLength(MANY)
  expect(timers.size).toBe(1)
})
