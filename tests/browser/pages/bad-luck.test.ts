/** What happens to a box in a browser that nobody wished for: for real, with tabs that others open beside it. */
import type { Page } from 'playwright'
import { describe, expect, it } from 'vitest'

import { useProfile } from './support/chromium.ts'
import { show, type Shown, shownSite } from './support/shown.ts'

const newPage = useProfile()

/** Opens the box `shop` in a tab, where the calls of a test find it. */
function openShop(page: Page): Promise<void> {
  return page.evaluate(async () => {
    const { ackbox } = globalThis as unknown as Shown
    const warnings: string[] = []
    const ended: string[] = []
    const box = await ackbox.open('shop', { whenLocked: 'wait' })
    box.on('warning', ({ message }) => warnings.push(message))
    box.closed.catch((error: Error) => ended.push(`${error.message} ${String((error.cause as Error | undefined)?.message)}`))
    Object.assign(globalThis, { box, orders: box.queue('orders'), warnings, ended })
  })
}

interface Shop extends Shown {
  readonly box: import('ackbox').Box
  readonly orders: import('ackbox').Queue<unknown>
  readonly warnings: string[]
  readonly ended: string[]
}

/** What comes of an enqueue: its status, or the code of its error. */
function enqueue(page: Page, id: string): Promise<string> {
  return page.evaluate(async (given) => {
    const { orders } = globalThis as unknown as Shop
    return orders.enqueue('tea', { id: given }).then(({ status }) => status, ({ code }) => code as string)
  }, id)
}

/** What ended the box. */
async function whyEnded(page: Page): Promise<string> {
  await page.waitForFunction(() => (globalThis as unknown as Shop).ended.length > 0)
  return page.evaluate(() => (globalThis as unknown as Shop).ended[0]!)
}

/** A tab with the box, and another one of its site. */
async function twoTabs(): Promise<{ tab: Page; other: Page; url: string }> {
  const url = await shownSite()
  const tab = await show(await newPage(), url)
  await openShop(tab)
  return { tab, other: await show(await tab.context().newPage(), url), url }
}

describe('IndexedDB [A8 indexedDbStorage]', () => {
  it('that is denied is an error that says so: a frame without an origin has none', async () => {
    const url = await shownSite({
      headers: { 'access-control-allow-origin': '*' },
      files: { '/frame.html': '<!doctype html><iframe sandbox="allow-scripts" src="/index.html"></iframe>' },
    })
    const page = await newPage()
    await page.goto(url.replace('index', 'frame'))
    const frame = page.frames()[1]!
    await frame.waitForFunction(() => 'ackbox' in globalThis)
    const refused = await frame.evaluate(() =>
      (globalThis as unknown as Shown).ackbox.open('shop').then(() => 'opened', ({ code, message }) => `${code}: ${message}`),
    )
    expect(refused).toMatch(/^ERR_STORAGE_FAILED: database 'shop': the browser denies IndexedDB here/)
  })

  it('that another tab deletes ends the box, which says why, and is empty when it is opened again', async () => {
    const { tab, other } = await twoTabs()
    expect(await enqueue(tab, 'a')).toBe('accepted')
    await other.evaluate(() => new Promise((resolve, reject) => {
      Object.assign(indexedDB.deleteDatabase('shop'), { onsuccess: resolve, onerror: reject })
    }))
    expect(await enqueue(tab, 'b')).toBe('ERR_STORAGE_FAILED')
    expect(await whyEnded(tab)).toMatch(/the database was deleted/)
    await tab.close()
    await openShop(other)
    expect(await enqueue(other, 'a')).toBe('accepted')
  })

  it('that is cleared with the data of the site ends the box, which says why', async () => {
    const { tab, url } = await twoTabs()
    const session = await tab.context().newCDPSession(tab)
    await session.send('Storage.clearDataForOrigin', { origin: new URL(url).origin, storageTypes: 'indexeddb' })
    expect(await enqueue(tab, 'a')).toBe('ERR_STORAGE_FAILED')
    expect(await whyEnded(tab)).toMatch(/site data were cleared|the database was deleted/)
  })

  it('that a newer version of the package in another tab takes over ends the box; this version opens it no more', async () => {
    const { tab, other } = await twoTabs()
    expect(await enqueue(tab, 'a')).toBe('accepted')
    await other.evaluate(() => new Promise((resolve, reject) => {
      Object.assign(indexedDB.open('shop', 1_000), { onsuccess: resolve, onerror: reject })
    }))
    expect(await enqueue(tab, 'b')).toBe('ERR_STORAGE_FAILED')
    expect(await whyEnded(tab)).toMatch(/a newer version of ackbox changed the database/)
    const again = tab.evaluate(async () => {
      const { ackbox, box } = globalThis as unknown as Shop
      await box.close().catch(() => {})
      return ackbox.open('shop').then(() => 'opened', ({ code, message }) => `${code}: ${message}`)
    })
    expect(await again).toMatch(/^ERR_NEWER_FORMAT: .*load the page again to get that version/)
  })
})

describe('a tab that is gone between a transaction and the event that tells of it [A2 enqueue]', () => {
  it('left a message that nobody was told of: it is there, and the same again is a duplicate', async () => {
    const url = await shownSite()
    const tab = await newPage()
    await tab.addInitScript(() => {
      const { transaction } = IDBDatabase.prototype
      let tell = (): void => {}
      const state = { isDeaf: false, committed: new Promise<void>((resolve) => (tell = resolve)) }
      IDBDatabase.prototype.transaction = function (...given) {
        const made = transaction.apply(this, given)
        if (state.isDeaf && made.mode === 'readwrite') {
          made.addEventListener('complete', (event) => (event.stopImmediatePropagation(), tell()))
        }
        return made
      }
      Object.assign(globalThis, { state })
    })
    await show(tab, url)
    await openShop(tab)
    const told = await tab.evaluate(async () => {
      const { orders, state } = globalThis as unknown as Shop & { state: { isDeaf: boolean; committed: Promise<void> } }
      state.isDeaf = true
      const enqueued = orders.enqueue('tea', { id: 'a' }).then(() => 'told')
      return Promise.race([enqueued, state.committed.then(() => 'committed')])
    })
    expect(told).toBe('committed')
    const other = await tab.context().newPage()
    const crashed = tab.waitForEvent('crash')
    const session = await tab.context().newCDPSession(tab)
    session.send('Page.crash').catch(() => {})
    await crashed
    await show(other, url)
    await openShop(other)
    expect(await enqueue(other, 'a')).toBe('duplicate')
    expect(await other.evaluate(async () => (await (globalThis as unknown as Shop).orders.stats()).ready)).toBe(1)
  })
})

describe('a clock that is changed [S23]', () => {
  const DAY_MS = 86_400_000

  it('back, between two lives of the page, is told, and holds nothing back for longer than configured', async () => {
    const url = await shownSite()
    const tab = await show(await newPage(), url)
    await openShop(tab)
    await tab.evaluate(async () => {
      const { ackbox, box } = globalThis as unknown as Shop
      const orders = box.queue('orders', { backoff: ackbox.constant(60_000) })
      const failed = new Promise((resolve) => orders.on('retry', resolve))
      orders.process(() => Promise.reject(new Error('not now')))
      await orders.enqueue('tea', { id: 'a' })
      await failed
    })
    await tab.addInitScript((back) => {
      const { now } = Date
      Date.now = () => now() - back
    }, DAY_MS)
    await show(tab, url)
    await openShop(tab)
    const seen = await tab.evaluate(async () => {
      const { orders, warnings } = globalThis as unknown as Shop
      const { dueAt = 0, state } = (await orders.get('a'))!
      return { state, waits: dueAt - Date.now(), warnings }
    })
    expect(seen.state).toBe('scheduled')
    expect(seen.waits).toBeLessThanOrEqual(60_000)
    expect(seen.warnings.join()).toMatch(/clock|time/)
  })

  it('forth, while the page is open, makes due what is due by then', async () => {
    const url = await shownSite()
    const tab = await newPage()
    await tab.addInitScript(() => {
      const { now } = Date
      const wall = { aheadMs: 0 }
      Date.now = () => now() + wall.aheadMs
      Object.assign(globalThis, { wall })
    })
    await show(tab, url)
    await openShop(tab)
    const handled = tab.evaluate(async (ahead) => {
      const { orders, wall } = globalThis as unknown as Shop & { wall: { aheadMs: number } }
      const handled: string[] = []
      const both = new Promise((resolve) => orders.process(({ id }) => void (handled.push(id) === 2 && resolve(undefined))))
      await orders.enqueue('tea', { id: 'tomorrow', delayMs: ahead })
      wall.aheadMs = ahead
      await orders.enqueue('tea', { id: 'now' })
      await both
      return handled.sort()
    }, DAY_MS)
    expect(await handled).toEqual(['now', 'tomorrow'])
  })
})
