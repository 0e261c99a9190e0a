/** Options that a handler brings along, and those that the caller names. */
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
