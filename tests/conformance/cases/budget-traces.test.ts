/** The traces of retry budgets of the engine's own tests, through a worker; their README tells the form. */
import { constant, memoryStorage, open, type RetryBudgetOptions } from 'ackbox'
import { expect, it, onTestFinished } from 'vitest'
import { manualClock } from 'ackbox/testing'

import { BUDGET } from '../support/traces.ts'

/** Instant 0 of every trace. */
const START = 1_600_000_000_000
/** In all files together. */
const CASES_MIN = 15

interface Step {
  readonly at: number
  readonly succeed?: number
  readonly fail?: number
  readonly retries?: number
}

interface Case {
  readonly name: string
  readonly budget: RetryBudgetOptions
  readonly steps: readonly Step[]
}

const cases = Object.values(BUDGET).flatMap((cases) => cases as Case[])

it.each(cases)('a retry budget: $name [A3 retryBudget]', async ({ budget, steps }) => {
  const clock = manualClock({ start: START })
  const box = await open(memoryStorage(), { clock })
  onTestFinished(async () => void (await box.close({ timeoutMs: 0 })))
  const queue = box.queue<'succeed' | 'fail'>('jobs', { backoff: constant(0), maxAttempts: Infinity })
  let retries = 0
  queue.process(({ body, attempt }) => {
    if (attempt > 1) retries += 1
    else if (body === 'fail') throw new Error('the first attempt fails')
  }, { retryBudget: budget })
  for (const { at, succeed = 0, fail = 0, retries: expected } of steps) {
    await clock.advance(START + at - clock.now())
    for (let time = 0; time < succeed; time += 1) await queue.enqueue('succeed')
    await queue.idle()
    for (let time = 0; time < fail; time += 1) {
      await queue.enqueue('fail')
      await queue.idle()
    }
    if (expected !== undefined) expect(retries).toBe(expected)
  }
})

it('all cases are there', () => expect(cases.length).toBeGreaterThanOrEqual(CASES_MIN))
