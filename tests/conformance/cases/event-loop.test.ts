/** What the engine has to do, however long or often, leaves the event loop its turns. */
import { constant, PermanentError, type Queue, type QueueOptions, RetryAfterError, type WorkerOptions } from 'ackbox'
import { expect, it } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { gate } from '../support/clock.ts'

const LETTERS = 20_000
const ENQUEUED_AT_ONCE = 10_000
/** Far more deliveries than follow each other without a turn, and an end to those that never gave one. */
const CHAIN = 1_000

/** Counts the turns of the event loop from now on. */
function countTurns(): () => number {
  let turns = 0
  const count = (): void => {
    turns++
    turn = setImmediate(count)
  }
  let turn = setImmediate(count)
  return () => {
    clearImmediate(turn)
    return turns
  }
}

it('a walk over many dead letters goes on between the turns of the event loop', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs', { maxAttempts: 1 })
  for (let from = 0; from < LETTERS; from += ENQUEUED_AT_ONCE) {
    await queue.enqueueMany(Array.from({ length: ENQUEUED_AT_ONCE }, (_, index) => ({ body: from + index })))
    await queue.drain(() => Promise.reject(new PermanentError('no')), { concurrency: 1_000 })
  }

  const turns = countTurns()
  expect(await queue.dead.count({ reason: 'expired' })).toBe(0)
  expect(turns()).toBeGreaterThan(1)

  // Whoever wants an answer at once gets it, and what was begun goes on.
  const counting = queue.dead.count({ reason: 'expired' })
  await null
  await null
  expect(box.health().ok).toBe(true)
  expect(await queue.stats()).toMatchObject({ deadLetters: LETTERS })
  expect(await counting).toBe(0)
})

interface Chain {
  readonly options?: QueueOptions<number>
  readonly worker?: WorkerOptions<number>
  /** What a delivery does that is not the last one. */
  readonly goOn: (queue: Queue<number>) => unknown
}

const failing = (error: Error) => (): never => {
  throw error
}

const CHAINS: [string, Chain][] = [
  ['a handler that enqueues one more', { goOn: (queue) => queue.enqueue(0) }],
  ['a handler that enqueues one more with its acknowledgement', { goOn: () => 'staged' }],
  ['retries without a delay', { options: { backoff: constant(0), maxAttempts: Infinity }, goOn: failing(new Error('no')) }],
  ['retries that come at no cost', { options: { backoff: constant(0) }, goOn: failing(new RetryAfterError(0)) }],
  ['a circuit that never stays open', {
    options: { backoff: constant(0) },
    worker: { breaker: { failures: 1, cooldownMs: 0 } },
    goOn: failing(new Error('no')),
  }],
]

it.each(CHAINS)('deliveries that each bring about the next leave the event loop its turns: %s', async (_, chain) => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs', chain.options)
  const ended = gate()
  let deliveries = 0
  const turns = countTurns()
  queue.process((message) => {
    deliveries += 1
    if (deliveries === CHAIN) return ended.open()
    const next = chain.goOn(queue)
    if (next === 'staged') message.enqueue(queue, 0)
  }, chain.worker)
  await queue.enqueue(0)
  await ended.promise
  expect(turns()).toBeGreaterThan(1)
  await queue.idle()
})
