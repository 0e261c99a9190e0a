/** The example `browser-outbox`: its service, and its page in Chromium as a person finds it, by roles and names. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Queue } from 'ackbox'
import type { BrowserContext, Locator, Page } from 'playwright'
import { onTestFinished } from 'vitest'

const EXAMPLE = new URL('../../../../npm/examples/browser-outbox/', import.meta.url)

interface Order {
  readonly id: string
  readonly tea: string
  readonly packs: number
}

export interface Service {
  readonly url: string
  readonly inbox: Queue<Order>
  close(): Promise<void>
}

type Start = (options: { folder: string; port: number }) => Promise<Service>

const { startService } = (await import(new URL('service.mjs', EXAMPLE).href)) as { startService: Start }

/** The service of the test, over one folder: it can be stopped, and started again under the same address. */
export class Shop {
  readonly #folder: string
  #service: Service

  private constructor(folder: string, service: Service) {
    this.#folder = folder
    this.#service = service
  }

  static async open(): Promise<Shop> {
    const folder = await mkdtemp(join(tmpdir(), 'ackbox-outbox-'))
    const shop = new Shop(folder, await startService({ folder, port: 0 }))
    onTestFinished(async () => {
      await shop.stop()
      await rm(folder, { recursive: true, force: true })
    })
    return shop
  }

  get url(): string {
    return this.#service.url
  }

  stop(): Promise<void> {
    return this.#service.close()
  }

  async start(): Promise<void> {
    this.#service = await startService({ folder: this.#folder, port: Number(new URL(this.url).port) })
  }

  /** What it has, as `packs × tea`, in the order in which it came. */
  async taken(): Promise<string[]> {
    const orders = await this.#service.inbox.peek({ limit: 1_000 })
    return orders.map(({ body }) => `${body?.packs} × ${body?.tea}`)
  }
}

/** The page, by what a person sees of it. */
export class Desk {
  readonly page: Page
  readonly outbox: Locator
  readonly refused: Locator
  readonly taken: Locator
  readonly offline: Locator
  readonly circuit: Locator

  private constructor(page: Page) {
    this.page = page
    this.outbox = page.getByRole('list', { name: 'Outbox' }).getByRole('listitem')
    this.refused = page.getByRole('list', { name: 'Refused' }).getByRole('listitem')
    this.taken = page.getByRole('list', { name: 'Orders that the service has' }).getByRole('listitem')
    this.offline = page.getByRole('switch', { name: 'Work offline' })
    this.circuit = page.locator('#circuit')
  }

  /** In a new tab. */
  static async open(context: BrowserContext, url: string): Promise<Desk> {
    const desk = new Desk(await context.newPage())
    await desk.page.goto(url)
    await desk.isReady()
    return desk
  }

  /** The outbox is open. */
  async isReady(): Promise<void> {
    await this.page.locator('#circuit:not([data-state=starting])').waitFor()
  }

  async reload(): Promise<void> {
    await this.page.reload()
    await this.isReady()
  }

  async order(tea: string, packs: number): Promise<void> {
    await this.page.getByLabel('Tea').selectOption(tea)
    await this.page.getByLabel('Packs').fill(String(packs))
    await this.page.getByRole('button', { name: 'Place order' }).click()
    await this.page.getByText(`${packs} × ${tea}: kept.`).waitFor()
  }

  /** Tells the service how to be, and waits until it is. */
  async serviceIs(mood: string): Promise<void> {
    const told = this.page.waitForResponse((response) => response.url().endsWith('/mood') && response.status() === 204)
    await this.page.getByRole('radio', { name: mood }).check()
    await told
  }
}

/** Until there are so many. */
export async function has(list: Locator, count: number): Promise<void> {
  if (count === 0) await list.first().waitFor({ state: 'detached' })
  else await list.nth(count - 1).waitFor()
}
