/**
 * Tabs of a shop, each with the same box: they order, and send what anybody ordered. One of them drives; a test ends, reloads,
 * crashes and halts that one.
 */
import { fileURLToPath } from 'node:url'

import type { Queue } from 'ackbox'
import type { BrowserContext, CDPSession, Page } from 'playwright'

export const DIST = fileURLToPath(new URL('../../../../npm/ackbox/dist/', import.meta.url))

/** The page. It goes on asking a service that does not answer: so only the end of its tab can end a delivery before its time. */
export const SHOP = {
  '/index.html': '<!doctype html><title>shop</title><script type="module" src="/page.js"></script>',
  '/page.js': `
    import { open } from '/ackbox/web/ackbox.js'

    const tell = async (what, fields) => {
      for (;;) {
        try {
          return await fetch('/' + what, { method: 'POST', body: JSON.stringify(fields) })
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
    }
    const box = await open('shop', { whenLocked: 'share' })
    // An attempt that the end of a tab costs would be the last.
    const orders = box.queue('orders', { maxAttempts: 1 })
    const name = new URL(location).searchParams.get('tab') + '-' + performance.timeOrigin
    let isOrdering = true

    const handle = async (message) => {
      const { id, attempt, token } = message
      await tell('started', { id, attempt, token })
      await message.ack()
      await tell('settled', { id, token })
    }
    const order = async () => {
      for (let number = 1; isOrdering; number++) {
        const id = name + '-' + number
        try {
          const { status } = await orders.enqueue({ id }, { id })
          await tell('told', { id, status })
        } catch (error) {
          await tell('wrong', { id, message: String(error) })
        }
      }
    }
    const clientOf = async (lock) => (await navigator.locks.query()).held.find(({ name }) => name === lock)?.clientId

    const mine = 'me:' + crypto.randomUUID()
    const me = await navigator.locks.request(mine, () => clientOf(mine))
    let ordered
    globalThis.shop = {
      box, orders, me,
      driver: () => clientOf('ackbox:shop'),
      begin: () => {
        orders.process(handle, { concurrency: 4 })
        ordered = order()
      },
      stop: async () => {
        isOrdering = false
        await ordered
      },
      rest: async () => {
        await orders.idle()
        const { ready, scheduled, leased, deadLetters } = await orders.stats()
        return { ready, scheduled, leased, deadLetters }
      },
      unfinished: async (ids) => {
        const states = await Promise.all(ids.map(async (id) => (await orders.get(id))?.state))
        return ids.filter((_, at) => states[at] !== 'completed')
      },
    }`,
}

/** What a page of the shop offers to tests. */
export interface Shop {
  readonly orders: Queue<{ id: string }>
  /** Names of tabs as the browser gives them to holders of locks. */
  readonly me: string
  driver(): Promise<string | undefined>
  begin(): void
  stop(): Promise<void>
  rest(): Promise<{ ready: number; scheduled: number; leased: number; deadLetters: number }>
  unfinished(ids: readonly string[]): Promise<string[]>
}

type WithShop = { readonly shop: Shop }

export class Tab {
  readonly page: Page
  readonly #session: CDPSession
  #client = ''
  isGone = false

  private constructor(page: Page, session: CDPSession) {
    this.page = page
    this.#session = session
    page.once('crash', () => (this.isGone = true))
    page.once('close', () => (this.isGone = true))
  }

  /** A tab in which the box is open. */
  static async open(context: BrowserContext, origin: string, name: string): Promise<Tab> {
    const page = await context.newPage()
    const tab = new Tab(page, await context.newCDPSession(page))
    await page.goto(`${origin}/index.html?tab=${name}`)
    await tab.#opened()
    return tab
  }

  /** Orders and sends from now on. */
  begin(): Promise<void> {
    return this.page.evaluate(() => (globalThis as never as WithShop).shop.begin())
  }

  /** Orders no more; resolves when all receipts are there. */
  stop(): Promise<void> {
    return this.page.evaluate(() => (globalThis as never as WithShop).shop.stop())
  }

  /** What there is when nothing is left to do. */
  rest(): ReturnType<Shop['rest']> {
    return this.page.evaluate(() => (globalThis as never as WithShop).shop.rest())
  }

  unfinished(ids: readonly string[]): ReturnType<Shop['unfinished']> {
    return this.page.evaluate((ids) => (globalThis as never as WithShop).shop.unfinished(ids), ids)
  }

  /** The one among these that drives, as this one sees it; `undefined` if none of them does at the moment. */
  async driverAmong(tabs: readonly Tab[]): Promise<Tab | undefined> {
    const client = await this.page.evaluate(() => (globalThis as never as WithShop).shop.driver())
    return tabs.find((tab) => tab.#client === client)
  }

  async close(): Promise<void> {
    await this.page.close({ runBeforeUnload: false })
  }

  /** The same tab, with another page. */
  async reload(): Promise<void> {
    await this.page.reload()
    await this.#opened()
  }

  /** Its process dies. */
  async crash(): Promise<void> {
    const crashed = this.page.waitForEvent('crash')
    // Nobody is left to answer.
    void this.#session.send('Page.crash').catch(() => {})
    await crashed
    await this.page.close()
  }

  /** None of its code runs any more: browsers do not freeze a page that holds a lock, but the process of one may get no time. */
  async halt(): Promise<void> {
    await this.#session.send('Debugger.enable')
    const halted = new Promise<unknown>((resolve) => this.#session.once('Debugger.paused', resolve))
    await this.#session.send('Debugger.pause')
    // It is halted by the first thing that it does.
    void this.page.evaluate(() => 1).catch(() => {})
    await halted
  }

  async wake(): Promise<void> {
    await this.#session.send('Debugger.resume')
    await this.#session.send('Debugger.disable')
  }

  async #opened(): Promise<void> {
    await this.page.waitForFunction(() => 'shop' in globalThis)
    this.#client = await this.page.evaluate(() => (globalThis as never as WithShop).shop.me)
  }
}
