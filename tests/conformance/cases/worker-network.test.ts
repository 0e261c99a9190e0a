/** Workers on a platform that goes on and off line, and in pages that are hidden and seen again. */
import { constant, type Delivery } from 'ackbox'
import { expect, it, vi } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { standInPage } from '../support/page-globals.ts'
import { IN_BROWSER } from '../support/platform.ts'

/** The events of a browser's window and document, as its globals have them. */
function stubBrowser(): { network: { onLine: boolean }; page: { visibilityState: string }; tell(what: 'online' | 'offline' | 'visibilitychange'): void } {
  const events = new EventTarget()
  const network = { onLine: true }
  const page = { visibilityState: 'visible' }
  const { changeVisibility } = standInPage(network, page)
  vi.stubGlobal('addEventListener', events.addEventListener.bind(events))
  vi.stubGlobal('removeEventListener', events.removeEventListener.bind(events))
  return { network, page, tell: (what) => void (what === 'visibilitychange' ? changeVisibility() : events.dispatchEvent(new Event(what))) }
}

it('a platform that says whether it is online is believed without being asked to, in a worker too [A3 networkMode]', async () => {
  const { network, tell } = stubBrowser()
  // In a browser the case runs in a page, whose document nobody can take away.
  if (!IN_BROWSER) vi.stubGlobal('document', undefined)
  network.onLine = false
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs')
  const seen: string[] = []
  queue.process(({ body, attempt }) => void seen.push(`${body} ${attempt}`))
  await queue.enqueue('a')
  await clock.advance(60_000)
  expect(seen).toEqual([])
  network.onLine = true
  tell('online')
  await queue.idle()
  expect(seen).toEqual(['a 1'])
})

it('a page that is seen again asks at once, a hidden one does not [A3 networkMode]', async () => {
  const { page, tell } = stubBrowser()
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs')
  const seen: string[] = []
  const state = { isReady: false, asked: 0 }
  const ready = (): boolean => (state.asked++, state.isReady)
  const worker = queue.process(({ body }) => void seen.push(body), { ready })
  await queue.enqueue('a')
  await clock.advance(0)
  state.isReady = true
  page.visibilityState = 'hidden'
  tell('visibilitychange')
  expect([state.asked, seen]).toEqual([1, []])
  page.visibilityState = 'visible'
  tell('visibilitychange')
  await queue.idle()
  expect([state.asked, seen]).toEqual([3, ['a']])
  state.isReady = false
  await queue.enqueue('b')
  await clock.advance(0)
  const { asked } = state
  await worker.close()
  tell('visibilitychange')
  expect(state.asked, 'nothing is asked any more').toBe(asked)
})

it('going on hammers nobody: backoff and circuit hold back what they held back [A3 networkMode]', async () => {
  const { network, tell } = stubBrowser()
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs', { backoff: constant(60_000), destination: (body) => body })
  const started: string[] = []
  const fail = ({ body }: Delivery<string>): void => {
    started.push(body)
    throw new Error('no answer')
  }
  queue.process(fail, { breaker: { failures: 1, cooldownMs: 3_600_000 } })
  await queue.enqueueMany(['a', 'a', 'b'].map((body) => ({ body })))
  await clock.advance(0)
  expect(started, 'one opens the circuit of a, one that of b').toEqual(['a', 'b'])
  const { acked, leased, delivered } = await queue.stats()
  for (let flap = 0; flap < 50; flap += 1) {
    network.onLine = false
    tell('offline')
    await clock.advance(10)
    network.onLine = true
    tell('online')
    tell('visibilitychange')
    await clock.advance(10)
  }
  expect(started).toEqual(['a', 'b'])
  expect(await queue.stats()).toMatchObject({ acked, leased, delivered })
})
