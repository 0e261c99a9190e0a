/** What takes the engine long leaves the event loop its turns. */
import { PermanentError } from 'ackbox'
import { expect, it } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'

const LETTERS = 20_000
const ENQUEUED_AT_ONCE = 10_000

it('a walk over many dead letters goes on between the turns of the event loop', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs', { maxAttempts: 1 })
  for (let from = 0; from < LETTERS; from += ENQUEUED_AT_ONCE) {
    await queue.enqueueMany(Array.from({ length: ENQUEUED_AT_ONCE }, (_, index) => ({ body: from + index })))
    await queue.drain(() => Promise.reject(new PermanentError('no')), { concurrency: 1_000 })
  }

  let turns = 0
  const count = (): void => {
    turns++
    turn = setImmediate(count)
  }
  let turn = setImmediate(count)
  expect(await queue.dead.count({ reason: 'expired' })).toBe(0)
  clearImmediate(turn)
  expect(turns).toBeGreaterThan(1)

  // Whoever wants an answer at once gets it, and what was begun goes on.
  const counting = queue.dead.count({ reason: 'expired' })
  await null
  await null
  expect(box.health().ok).toBe(true)
  expect(await queue.stats()).toMatchObject({ deadLetters: LETTERS })
  expect(await counting).toBe(0)
})
