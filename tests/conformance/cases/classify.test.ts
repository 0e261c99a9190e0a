/** What `classify` says about an error is what follows from it; where it says nothing usable, the rest still holds. */
import { constant, httpErrors, PermanentError, RetryAfterError, type Classify, type ErrorVerdict, type Warning } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { type Arrival, loopback, says } from '../support/loopback.ts'

const always = (verdict: unknown): Classify => (): ErrorVerdict => verdict as ErrorVerdict

function fail(): never {
  throw new Error('handler failed')
}

eachStorage('classify [A3 classify]', (make) => {
  it("'dead' makes a dead letter at once", async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    queue.process(fail, { classify: always('dead') })
    await queue.enqueue(1, { id: 'a' })
    expect(await seen.until('dead')).toMatchObject({ id: 'a', attempt: 1, reason: 'permanent' })
    expect(await queue.dead.get('a')).toMatchObject({ error: { message: 'handler failed' }, attempt: 1 })
  })

  it("'retry' and undefined are the backoff of the queue, until attempts run out", async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { backoff: constant(500), maxAttempts: 3 })
    const seen = record(queue)
    const verdicts: ErrorVerdict[] = ['retry', undefined, 'retry']
    queue.process(fail, { classify: () => verdicts.shift() })
    await queue.enqueue(1)
    for (let retries = 1; retries <= 2; retries += 1) {
      expect(await seen.until('retry', retries)).toMatchObject({ attempt: retries, delayMs: 500 })
      await clock.advance(500)
    }
    expect(await seen.until('dead')).toMatchObject({ reason: 'exhausted', attempt: 3 })
  })

  it('a time is waited for, at no cost unless it says so', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { maxAttempts: 2, backoff: constant(1) })
    const seen = record(queue)
    const verdicts: ErrorVerdict[] = [
      { retryAfterMs: 7_000 },
      { retryAfterMs: 9_000, costsAttempt: false, countsAsFailure: true },
      { retryAfterMs: 11_000, costsAttempt: true },
      { retryAfterMs: 1, costsAttempt: true },
    ]
    queue.process(fail, { classify: () => verdicts.shift() })
    await queue.enqueue(1)
    for (const [index, delayMs] of [7_000, 9_000, 11_000].entries()) {
      expect(await seen.until('retry', index + 1)).toMatchObject({ delayMs, at: clock.now() + delayMs })
      await clock.advance(delayMs)
    }
    expect(await seen.until('dead')).toMatchObject({ reason: 'exhausted' })
    expect(seen.of('started').map(({ attempt }) => attempt)).toEqual([1, 1, 1, 2])
  })
})

describe('classify', () => {
  it('is asked with the error and the delivery, once for each failure', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<{ n: number }>('jobs')
    const seen = record(queue)
    const asked: unknown[] = []
    queue.process(fail, {
      classify: (error, message) => {
        asked.push([(error as Error).message, message.body.n, message.attempt])
        return 'dead'
      },
    })
    await queue.enqueue({ n: 7 })
    await seen.until('dead')
    expect(asked).toEqual([['handler failed', 7, 1]])
  })

  it('that names no time to come leaves that to the backoff, at no cost unless it says so', async () => {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<number>('jobs', { maxAttempts: 1, backoff: constant(700) })
    const seen = record(queue)
    const verdicts: ErrorVerdict[] = [{ retryAfterMs: 0 }, { retryAfterMs: 0, costsAttempt: true }]
    queue.process(fail, { classify: () => verdicts.shift() })
    await queue.enqueue(1)
    expect(await seen.until('retry')).toMatchObject({ attempt: 1, delayMs: 700 })
    await clock.advance(700)
    expect(await seen.until('dead')).toMatchObject({ attempt: 1, reason: 'exhausted' })
  })

  it('is not asked about errors that say themselves what follows', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs', { backoff: constant(1) })
    const seen = record(queue)
    let asked = 0
    const count: Classify = () => void (asked += 1)
    queue.process(
      ({ body }) => {
        if (body === 1) throw new PermanentError('never')
        throw new RetryAfterError(3_000)
      },
      { classify: count },
    )
    await queue.enqueueMany([{ body: 1 }, { body: 2 }])
    expect(await seen.until('dead')).toMatchObject({ reason: 'permanent', error: { message: 'never' } })
    expect(await seen.until('retry')).toMatchObject({ delayMs: 3_000 })
    expect(asked).toBe(0)
  })

  it('is not asked about a delivery that the handler settled before it threw', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    let asked = 0
    const count: Classify = () => void (asked += 1)
    queue.process(
      async (message) => {
        await message.ack()
        fail()
      },
      { classify: count },
    )
    await queue.enqueue(1, { id: 'a' })
    await seen.until('completed')
    expect(await queue.get('a')).toMatchObject({ state: 'completed' })
    expect(asked).toBe(0)
  })

  it.each<[string, Classify, RegExp]>([
    ['throws', () => fail(), /handler failed/],
    ['gives an unknown word', always('later'), /'retry', 'dead'.*got 'later'/],
    ['gives a time that is none', always({ retryAfterMs: Number.NaN }), /retryAfterMs.*NaN/],
    ['gives no time', always({}), /retryAfterMs.*undefined/],
    ['misspells', always({ retryAfter: 5 }), /'retryAfter'.*'retryAfterMs'/],
    ['gives a flag that is none', always({ retryAfterMs: 5, costsAttempt: 'no' }), /costsAttempt.*'no'/],
    ['gives a promise', (() => Promise.reject(new Error('late'))) as never, /'retry', 'dead'/],
    ['gives null', always(null), /got null/],
  ])('that %s is reported, and the backoff follows', async (_, classify, cause) => {
    const { box } = await makeInMemory()
    const warnings: Warning[] = []
    box.on('warning', (warning) => warnings.push(warning))
    const queue = box.queue<number>('jobs', { backoff: constant(700) })
    const seen = record(queue)
    queue.process(fail, { classify, name: 'sender' })
    await queue.enqueue(1, { id: 'a' })
    expect(await seen.until('retry')).toMatchObject({ delayMs: 700, error: { message: 'handler failed' } })
    expect(warnings).toEqual([
      {
        queue: 'jobs',
        message: expect.stringMatching(/'jobs', worker 'sender': classify failed for message 'a'/),
        cause: expect.objectContaining({ message: expect.stringMatching(cause) }),
      },
    ])
  })

  it('that is no function is refused', async () => {
    const { box } = await makeInMemory()
    await refusal(() => box.queue('jobs').process(fail, { classify: 'dead' as never }), 'ERR_INVALID_OPTION', /classify.*'dead'/)
  })

  it('with httpErrors: a missing page is dead, a busy server is asked again when it says [A3 classify]', async () => {
    const answers: Record<string, ((arrival: Arrival) => void)[]> = {
      '/missing': [says(404)],
      '/busy': [says(503, { 'retry-after': '30' }), says(503, { 'retry-after': '30' }), says(200)],
    }
    const { origin } = await loopback((arrival) => answers[arrival.path]!.shift()!(arrival))
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('calls', { maxAttempts: 2, backoff: constant(1) })
    const seen = record(queue)
    queue.process(
      async ({ body }) => {
        const response = await fetch(`${origin}/${body}`)
        if (!response.ok) throw response
      },
      { classify: httpErrors() },
    )
    await queue.enqueue('missing', { id: 'missing' })
    expect(await seen.until('dead')).toMatchObject({ id: 'missing', reason: 'permanent', attempt: 1 })
    expect((await queue.dead.get('missing'))?.error?.message).toBe('status 404 Not Found')
    await queue.enqueue('busy', { id: 'busy' })
    for (let retries = 1; retries <= 2; retries += 1) {
      expect(await seen.until('retry', retries)).toMatchObject({ id: 'busy', delayMs: 30_000 })
      await clock.advance(30_000)
    }
    expect(await seen.until('completed')).toMatchObject({ id: 'busy', attempt: 1 })
  })
})
