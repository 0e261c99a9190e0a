/**
 * Tabs of a shop, each with the same box: they order, and send what anybody ordered. One of them drives; the test ends,
 * reloads, crashes and freezes that one.
 */
import { fileURLToPath } from 'node:url'

import type { BrowserContext, CDPSession, Page } from 'playwright'

export const DIST = fileURLToPath(new URL('../../../../npm/ackbox/dist/', import.meta.url))

/** The page. Its calls to the service are its own; whether they arrive is part of what is tested. */
export const SHOP = {
  '/index.html': '<!doctype html><title>shop</title><script type="module" src="/page.js"></script>',
  '/page.js': `
    import { open } from '/ackbox/web/ackbox.js'
    const name = new URL(location).searchParams.get('tab')
    const tell = (what, fields) => fetch('/' + what, { method: 'POST', body: JSON.stringify({ tab: name, ...fields }) })
    const box = await open('shop', { whenLocked: 'share' })
    const orders = box.queue('orders', { maxAttempts: 2 })
    orders.process(async (message) => {
      const { ok } = await tell('started', { id: message.id, attempt: message.attempt })
      if (!ok) throw new Error('the service did not take it')
      await message.ack()
      await tell('settled', { id: message.id })
    }, { concurrency: 8 })

    let ordering = true
    const ordered = (async () => {
      for (let number = 0; ordering; number++) {
        const id = name + '-' + performance.timeOrigin + '-' + number
        const { status } = await orders.enqueue({ id }, { id })
        await tell('told', { id, status })
      }
    })()
    const { clientId } = await new Promise((resolve) => {
      void navigator.locks.request('me:' + crypto.randomUUID(), async () => {
        const { held } = await navigator.locks.query()
        resolve(held.find((lock) => lock.name.startsWith('me:')))
      })
    })
    globalThis.shop = {
      drives: async () => {
        const { held } = await navigator.locks.query()
        return held.some((lock) => lock.name === 'ackbox:shop' && lock.clientId === clientId)
      },
      stop: async () => {
        ordering = false
        await ordered
      },
      rest: async () => {
        await orders.idle()
        const { ready, scheduled, leased, deadLetters } = await orders.stats()
        return { ready, scheduled, leased, deadLetters }
      },
    }`,
}

interface Shop {
  drives(): Promise<boolean>
  stop(): Promise<void>
  rest(): Promise<{ ready: number; scheduled: number; leased: number; deadLetters: number }>
}

type WithShop = { readonly shop?: Shop }

/** One tab. */
export class Tab {
  readonly page: Page
  readonly #session: CDPSession
  isGone = false

  private constructor(page: Page, session: CDPSession) {
    this.page = page
    this.#session = session
    const gone = (): void => void (this.isGone = true)
    page.on('crash', gone)
    page.on('close', gone)
  }

  static async open(context: BrowserContext, origin: string, name: string): Promise<Tab> {
    const page = await context.newPage()
    const tab = new Tab(page, await context.newCDPSession(page))
    await page.goto(`${origin}/index.html?tab=${name}`)
    await tab.isReady()
    return tab
  }

  /** Its box is open. */
  async isReady(): Promise<void> {
    await this.page.waitForFunction(() => 'shop' in globalThis)
  }

  drives(): Promise<boolean> {
    return this.page.evaluate(() => (globalThis as WithShop).shop!.drives())
  }

  async stop(): Promise<void> {
    await this.page.evaluate(() => (globalThis as WithShop).shop!.stop())
  }

  rest(): ReturnType<Shop['rest']> {
    return this.page.evaluate(() => (globalThis as WithShop).shop!.rest())
  }

  async close(): Promise<void> {
    await this.page.close({ runBeforeUnload: false })
  }

  async reload(): Promise<void> {
    await this.page.reload()
    await this.isReady()
  }

  /** Its process dies. */
  async crash(): Promise<void> {
    const crashed = this.page.waitForEvent('crash')
    // Nobody is left to answer.
    void this.#session.send('Page.crash').catch(() => {})
    await crashed
    this.isGone = true
    await this.page.close()
  }

  /** None of its code runs: browsers do not freeze a page that holds a lock, but the process of one may get no time. */
  async freeze(): Promise<void> {
    await this.#session.send('Debugger.enable')
    const paused = new Promise<unknown>((resolve) => this.#session.once('Debugger.paused', resolve))
    await this.#session.send('Debugger.pause')
    await paused
  }

  async thaw(): Promise<void> {
    await this.#session.send('Debugger.resume')
    await this.#session.send('Debugger.disable')
  }
}
