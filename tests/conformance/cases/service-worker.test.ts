/**
 * Draining with the page closed: a service worker with Background Sync and one without, and the page that asks. The globals
 * are those of a worker or a page, with real events. [A7 service-worker]
 */
import { constant, memoryStorage, open, type DrainReport } from 'ackbox'
import { type FetchLike, httpSender } from 'ackbox/http'
import { drainOnSync, requestSync, type SyncContext } from 'ackbox/service-worker'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { gate, turns } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { standInPage } from '../support/page-globals.ts'
import { nextWarning } from '../support/platform.ts'

const DONE: DrainReport = { completed: 1, retried: 0, dead: 0, remaining: 0 }

/** The globals of a service worker; what its events wait for comes back from `tell`. */
function worker({ hasSync = true, register = async (_: string): Promise<void> => {} } = {}) {
  const scope = new EventTarget()
  const registered: string[] = []
  const sync = { register: (tag: string) => (registered.push(tag), register(tag)) }
  vi.stubGlobal('registration', hasSync ? { sync } : {})
  vi.stubGlobal('addEventListener', scope.addEventListener.bind(scope))
  vi.stubGlobal('removeEventListener', scope.removeEventListener.bind(scope))
  onTestFinished(() => void vi.unstubAllGlobals())
  /** Whether the browser is told that all is well: it keeps the worker alive until then. */
  const tell = (type: string, parts: object = {}): Promise<'well' | 'again' | 'not waited for'> => {
    let waited: Promise<unknown> | undefined
    scope.dispatchEvent(Object.assign(new Event(type), { waitUntil: (work: Promise<unknown>) => void (waited = work) }, parts))
    return waited === undefined ? Promise.resolve('not waited for') : waited.then(() => 'well', () => 'again')
  }
  return { tell, registered }
}

describe('a service worker', () => {
  it('drains when the browser fires the sync, and sends what a closed page left behind [A7 service-worker]', async () => {
    const { tell } = worker()
    const sent: (string | undefined)[] = []
    const fetch: FetchLike = async (_, { headers }) => (sent.push(headers['idempotency-key']), new Response(null, { status: 202 }))
    const storage = memoryStorage()
    const page = await open(storage)
    await page.queue('orders').enqueueMany([{ body: 1, id: 'a' }, { body: 2, id: 'b' }])
    await page.close()
    drainOnSync(async ({ signal }) => {
      await using box = await open(storage)
      return await box.queue('orders').drain(httpSender({ url: 'https://service.test/orders', fetch }), { signal, concurrency: 2 })
    })
    expect(sent, 'with Background Sync it waits for it').toEqual([])
    expect(await tell('sync', { tag: 'ackbox' })).toBe('well')
    expect(sent.sort()).toEqual(['"a"', '"b"'])
    await using again = await open(storage)
    expect(await again.queue('orders').stats()).toMatchObject({ ready: 0, scheduled: 0 })
  })

  it('has the browser try again while a drain rejects or leaves messages', async () => {
    const { tell, registered } = worker()
    const { box } = await makeInMemory()
    const queue = box.queue<number>('orders', { backoff: constant(60_000) })
    await queue.enqueue(1)
    const answers = [() => queue.drain(() => Promise.reject(new Error('no answer'))), () => Promise.reject(new Error('locked')), () => Promise.resolve([DONE, DONE]), () => Promise.resolve()]
    drainOnSync(() => answers.shift()!())
    const told = []
    for (let fired = 0; fired < 4; fired += 1) told.push(await tell('sync', { tag: 'ackbox' }))
    expect([told, registered]).toEqual([['again', 'again', 'well', 'well'], []])
  })

  it('registers another sync behind the last try of the browser, if it may', async () => {
    const contexts: boolean[] = []
    const fails = ({ lastChance }: SyncContext): never => {
      contexts.push(lastChance)
      throw new Error('no answer')
    }
    const may = worker()
    drainOnSync(fails, { tag: 'shop' })
    expect(await may.tell('sync', { tag: 'shop' })).toBe('again')
    expect(may.registered).toEqual([])
    expect(await may.tell('sync', { tag: 'shop', lastChance: true })).toBe('again')
    expect(may.registered).toEqual(['shop'])
    const mayNot = worker({ register: () => Promise.reject(new Error('not allowed')) })
    drainOnSync(fails)
    expect(await mayNot.tell('sync', { tag: 'ackbox', lastChance: true })).toBe('again')
    expect(contexts).toEqual([false, true, true])
  })

  it('leaves the syncs and messages of others alone', async () => {
    const { tell } = worker()
    const drain = vi.fn()
    drainOnSync(drain)
    expect(await tell('sync', { tag: 'photos' })).toBe('not waited for')
    for (const data of [null, 'drain', {}, { ackbox: 'drain', tag: 'photos' }]) expect(await tell('message', { data })).toBe('not waited for')
    expect(await tell('online')).toBe('not waited for')
    expect(drain).not.toHaveBeenCalled()
  })

  it('drains once at a time; all that come meanwhile share the next', async () => {
    const { tell } = worker()
    const runs = [gate<DrainReport>(), gate<DrainReport>(), gate<DrainReport>()]
    let started = 0
    drainOnSync(() => runs[started++]!.promise)
    const first = tell('sync', { tag: 'ackbox' })
    const others = [tell('sync', { tag: 'ackbox' }), tell('message', { data: { ackbox: 'drain', tag: 'ackbox' } })]
    await turns()
    expect(started).toBe(1)
    runs[0]!.fail(new Error('no answer'))
    expect(await first).toBe('again')
    const late = tell('sync', { tag: 'ackbox' })
    await turns()
    expect(started).toBe(2)
    runs[1]!.open(DONE)
    expect(await Promise.all(others)).toEqual(['well', 'well'])
    runs[2]!.open(DONE)
    expect(await late).toBe('well')
    expect(started).toBeLessThanOrEqual(3)
    expect(await tell('sync', { tag: 'photos' })).toBe('not waited for')
  })

  it('gives up what takes too long', async () => {
    const { tell } = worker()
    drainOnSync(({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))), { timeoutMs: 1 })
    expect(await tell('sync', { tag: 'ackbox' })).toBe('again')
  })

  it('without Background Sync drains as it starts, when it is online again and when a page asks [A7 service-worker]', async () => {
    const { tell } = worker({ hasSync: false })
    const warned = nextWarning()
    let drains = 0
    const off = drainOnSync(() => {
      drains++
      if (drains === 2) throw new Error('no answer')
    })
    await turns()
    expect(drains).toBe(1)
    await tell('online')
    await turns()
    expect(drains).toBe(2)
    expect((await warned).message).toMatch(/no answer/)
    expect(await tell('message', { data: { ackbox: 'drain', tag: 'ackbox' } })).toBe('well')
    expect(drains).toBe(3)
    off()
    await tell('online')
    expect(await tell('message', { data: { ackbox: 'drain', tag: 'ackbox' } })).toBe('not waited for')
    expect(drains).toBe(3)
  })

  it('is where it belongs', async () => {
    await refusal(() => drainOnSync(() => {}), 'ERR_UNSUPPORTED', /service worker/)
    worker()
    for (const [drain, options] of [[undefined, {}], [() => {}, { tag: '' }], [() => {}, { timeoutMs: 0 }], [() => {}, { tags: 'a' }]] as const) {
      await refusal(() => drainOnSync(drain as never, options as never), 'ERR_INVALID_OPTION', /drainOnSync/)
    }
  })

  it('says what a drain has to give', async () => {
    const { tell } = worker()
    drainOnSync(() => 'all' as never)
    expect(await tell('sync', { tag: 'ackbox' })).toBe('again')
  })
})

/** The globals of a page with a service worker. */
function page(sync?: { register(tag: string): Promise<void> }) {
  const page = { visibilityState: 'visible' }
  const posted: unknown[] = []
  const registration = { active: { postMessage: (message: unknown) => void posted.push(message) }, ...(sync === undefined ? {} : { sync }) }
  const { changeVisibility } = standInPage({ serviceWorker: { ready: Promise.resolve(registration) } }, page)
  onTestFinished(() => void vi.unstubAllGlobals())
  const hide = (isHidden: boolean): void => {
    page.visibilityState = isHidden ? 'hidden' : 'visible'
    changeVisibility()
  }
  return { posted, hide }
}

describe('a page', () => {
  it('asks for a sync with the first message behind none, and when it is hidden with some [A7 service-worker]', async () => {
    const tags: string[] = []
    const { hide } = page({ register: async (tag) => void tags.push(tag) })
    const { box } = await makeInMemory()
    const queue = box.queue<number>('orders')
    const off = requestSync(queue, { tag: 'shop' })
    await turns()
    hide(true)
    await turns()
    expect(tags, 'there is nothing to send').toEqual([])
    await queue.enqueueMany([{ body: 1 }, { body: 2 }])
    await queue.enqueue(3)
    await turns()
    expect(tags).toEqual(['shop'])
    hide(true)
    await turns()
    expect(tags).toEqual(['shop', 'shop'])
    hide(false)
    await queue.drain(() => {})
    hide(true)
    await turns()
    expect(tags).toEqual(['shop', 'shop'])
    await queue.enqueue(4)
    await turns()
    expect(tags).toEqual(['shop', 'shop', 'shop'])
    off()
    await queue.drain(() => {})
    await queue.enqueue(5)
    hide(true)
    await turns()
    expect(tags).toHaveLength(3)
  })

  it('asks at once for what an earlier page left', async () => {
    const tags: string[] = []
    page({ register: async (tag) => void tags.push(tag) })
    const { box } = await makeInMemory()
    const queue = box.queue<number>('orders')
    await queue.enqueue(1, { delayMs: 60_000 })
    requestSync(queue)
    await turns()
    expect(tags).toEqual(['ackbox'])
  })

  it.each([
    ['has no Background Sync', undefined],
    ['refuses it', { register: () => Promise.reject(new DOMException('denied', 'NotAllowedError')) }],
  ])('tells the worker to drain where the browser %s', async (_, sync) => {
    const { posted } = page(sync)
    const { box } = await makeInMemory()
    const queue = box.queue<number>('orders')
    requestSync(queue, { tag: 'shop' })
    await queue.enqueue(1)
    await turns()
    expect(posted).toEqual([{ ackbox: 'drain', tag: 'shop' }])
    const { tell } = worker({ hasSync: false })
    let drains = 0
    drainOnSync(() => void drains++, { tag: 'shop' })
    await tell('message', { data: structuredClone(posted[0]) })
    expect(drains, 'as it starts, and as it is told').toBe(2)
  })

  it('works without a service worker, and checks its options', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('orders')
    requestSync(queue)
    await queue.enqueue(1)
    await refusal(() => requestSync(queue, { tag: 7 as never }), 'ERR_INVALID_OPTION', /requestSync/)
    await refusal(() => requestSync(queue, { tags: 'a' } as never), 'ERR_INVALID_OPTION', /requestSync/)
  })
})
