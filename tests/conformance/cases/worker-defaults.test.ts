/** Options that a handler brings along, and those that the caller names. */
import { constant, type WorkerOptions } from 'ackbox'
import { httpSender } from 'ackbox/http'
import { expect, it } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'

const DEFAULTS = Symbol.for('ackbox.worker-defaults')
const handler = (defaults: object) => Object.assign(() => {}, { [DEFAULTS]: defaults })

it('a handler brings options that hold where process names nothing else [A7 httpSender]', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue('jobs')
  const brought = handler({ concurrency: 7, name: 'own', notAnOption: 1 })
  expect(queue.process(brought).stats()).toMatchObject({ concurrency: 7, name: 'own' })
  expect(queue.process(brought, { concurrency: 2 }).stats()).toMatchObject({ concurrency: 2, name: 'own' })
})

it('what a handler brings is checked like what is named', async () => {
  const { box } = await makeInMemory()
  await refusal(() => box.queue('jobs').process(handler({ concurrency: 0 })), 'ERR_INVALID_OPTION', /concurrency/)
})

it('a sender brings a breaker for each destination', () => {
  const send = httpSender({ url: 'http://127.0.0.1' }) as unknown as Record<symbol, unknown>
  expect(send[DEFAULTS]).toEqual({ breaker: true })
})

it('who does not want the breaker of a sender says so [A7 httpSender, A3 breaker]', async () => {
  const { box } = await makeInMemory()
  const send = httpSender<string>({ url: 'http://127.0.0.1' })
  const queue = box.queue<string>('letters', { destination: send.destination })
  const stateOf = async (options: WorkerOptions<string>) => {
    const worker = queue.process(send, options)
    const { state } = worker.circuit('http://127.0.0.1')
    await worker.close()
    return state
  }
  expect(await stateOf({})).toBe('closed')
  expect(await stateOf({ breaker: undefined })).toBe('closed')
  expect(await stateOf({ breaker: false })).toBe('disabled')
  expect(await stateOf({ breaker: false, perDestination: { breaker: { failures: 1 } } })).toBe('closed')
})

it('no breaker is what a worker has anyway', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs', { backoff: constant(0), maxAttempts: 9 })
  const worker = queue.process(() => Promise.reject(new Error('down')), { breaker: false })
  await queue.enqueue('a')
  await clock.advance(0)
  expect((await queue.dead.count())).toBe(1)
  expect(worker.circuits()).toEqual([])
  expect(() => worker.circuit().isolate()).toThrow(/circuit breaker/)
})
