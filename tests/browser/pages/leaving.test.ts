/** What becomes of requests whose page goes away, and of those that wait while there is no network. */
import type { ServerResponse } from 'node:http'

import type { Page } from 'playwright'
import { describe, expect, it } from 'vitest'

import { useProfile } from './support/chromium.ts'
import { show, type Shown, shownSite } from './support/shown.ts'

const newPage = useProfile()

/** A request that the service got. */
interface Asked {
  readonly id: string
  readonly response: ServerResponse
  /** Resolves when the client has gone. */
  readonly gone: Promise<void>
}

/** A service that a test answers for. */
class Service {
  readonly asked: Asked[] = []
  /** What is answered at once; nothing: the test answers. */
  status: number | undefined
  #waiting: (() => void)[] = []

  readonly listener: import('node:http').RequestListener = (request, response) => {
    const gone = new Promise<void>((resolve) => request.socket.once('close', () => resolve()))
    request.resume().on('error', () => {})
    request.on('end', () => {
      this.asked.push({ id: String(request.headers['idempotency-key']).slice(1, -1), response, gone })
      if (this.status !== undefined) response.writeHead(this.status).end()
      for (const wake of this.#waiting.splice(0)) wake()
    })
  }

  /** The n-th request, from 1. */
  async request(count: number): Promise<Asked> {
    while (this.asked.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return this.asked[count - 1]!
  }
}

interface Shop extends Shown {
  readonly orders: import('ackbox').Queue<string>
  readonly worker: import('ackbox').Worker
  readonly told: string[]
}

/** Opens the shop, which sends what it has; `told` are its events. */
function openShop(page: Page): Promise<void> {
  return page.evaluate(async () => {
    const { ackbox } = globalThis as unknown as Shop
    const told: string[] = []
    const box = await ackbox.open('shop', { whenLocked: 'wait' })
    const send = ackbox.httpSender<string>({ url: new URL('/orders', location.href) })
    const orders = box.queue<string>('orders', { maxAttempts: 1, backoff: ackbox.constant(1), destination: send.destination })
    orders.on('retry', ({ id, attempt, error }) => told.push(`${id} again behind attempt ${attempt}: ${error?.name}`))
    orders.on('completed', ({ id, attempt }) => told.push(`${id} sent at attempt ${attempt}`))
    orders.on('dead', ({ id, reason }) => told.push(`${id} dead: ${reason}`))
    const worker = orders.process(send, { breaker: { failures: 1, cooldownMs: 86_400_000 } })
    Object.assign(globalThis, { box, orders, worker, told })
  })
}

function enqueue(page: Page, id: string, length: number): Promise<void> {
  return page.evaluate(async ([given, size]) => {
    await (globalThis as unknown as Shop).orders.enqueue('x'.repeat(size), { id: given })
  }, [id, length] as const)
}

async function isTold(page: Page, text: string): Promise<void> {
  await page.waitForFunction((wanted) => (globalThis as unknown as Shop).told.includes(wanted), text)
}

/** The state of the circuit of the service. */
function circuit(page: Page): Promise<string> {
  return page.evaluate(() => (globalThis as unknown as Shop).worker.circuit(location.origin).state)
}

async function openedShop(): Promise<{ service: Service; page: Page; url: string }> {
  const service = new Service()
  const url = await shownSite({ listeners: { '/orders': service.listener } })
  const page = await show(await newPage(), url)
  await openShop(page)
  return { service, page, url }
}

/** More than may outlive a page. */
const LONG = 100_000

describe('a page that goes away [A7 httpSender]', () => {
  it('aborts a request that cannot outlive it, at no cost: the only attempt of its message is still there', async () => {
    const { service, page } = await openedShop()
    await enqueue(page, 'long', LONG)
    const { gone } = await service.request(1)
    // As a page that the browser keeps aside, which is seen again at once.
    await page.evaluate(() => void dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })))
    await gone
    await isTold(page, 'long again behind attempt 1: RetryAfterError')
    expect(await circuit(page)).toBe('closed')
    const { response } = await service.request(2)
    response.writeHead(200).end()
    await isTold(page, 'long sent at attempt 1')
  })

  it('leaves alone a request that outlives it', async () => {
    const { service, page } = await openedShop()
    await enqueue(page, 'short', 10)
    const { response } = await service.request(1)
    await page.evaluate(() => void dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })))
    response.writeHead(200).end()
    await isTold(page, 'short sent at attempt 1')
    expect(service.asked.map(({ id }) => id)).toEqual(['short'])
  })

  it.each([['long', LONG, 'cut off'], ['short', 10, 'answered']] as const)('and is closed, with a %s request of %i bytes, leaves it %s', async (id, length, fate) => {
    const { service, page, url } = await openedShop()
    const other = await show(await page.context().newPage(), url)
    await enqueue(page, id, length)
    const { response, gone } = await service.request(1)
    const cut = gone.then(() => 'cut off')
    await page.close()
    if (fate === 'cut off') return expect(await cut).toBe(fate)
    // Were it cut off with its page, that would have come by the time that another page has its answer.
    await other.evaluate(async () => void (await (await fetch('/index.html')).text()))
    const answered = new Promise<string>((resolve) => response.writeHead(200, { connection: 'close' }).end(() => resolve('answered')))
    expect(await Promise.race([cut, answered])).toBe(fate)
    expect(response.req.complete).toBe(true)
  })

  it.each([['long', LONG], ['short', 10]])('and comes back, again and again, sends a %s message though it has one attempt', async (id, length) => {
    const { service, page, url } = await openedShop()
    await enqueue(page, id, length)
    for (let reload = 1; reload <= 4; reload += 1) {
      await service.request(reload)
      await show(page, url)
      await openShop(page)
    }
    const { response } = await service.request(5)
    response.writeHead(200).end()
    await page.waitForFunction(() => (globalThis as unknown as Shop).told.some((text) => text.includes('sent')))
    expect(await page.evaluate(async () => (await (globalThis as unknown as Shop).orders.stats()).deadLetters)).toBe(0)
    expect(new Set(service.asked.map((asked) => asked.id))).toEqual(new Set([id]))
  })
})

describe('a page without a network [A3 networkMode]', () => {
  it('sends nothing, and goes on when there is one', async () => {
    const { service, page } = await openedShop()
    service.status = 200
    await page.context().setOffline(true)
    for (const id of ['a', 'b', 'c']) await enqueue(page, id, 10)
    expect(await page.evaluate(() => (globalThis as unknown as Shop).worker.stats().started)).toBe(0)
    await page.context().setOffline(false)
    for (const id of ['a', 'b', 'c']) await isTold(page, `${id} sent at attempt 1`)
    expect(service.asked.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  })

  it('that comes and goes does not hammer a service whose circuit is open', async () => {
    const { service, page } = await openedShop()
    service.status = 503
    await enqueue(page, 'first', 10)
    await page.waitForFunction(() => (globalThis as unknown as Shop).worker.circuit(location.origin).state === 'open')
    for (const id of ['a', 'b']) await enqueue(page, id, 10)
    for (let round = 0; round < 5; round += 1) {
      await page.context().setOffline(true)
      await page.context().setOffline(false)
    }
    // Whatever these began has come by the time that a later request has its answer.
    await page.evaluate(async () => void (await (await fetch('/index.html')).text()))
    expect(service.asked.map(({ id }) => id)).toEqual(['first'])
    expect(await circuit(page)).toBe('open')
  })
})

describe('a page that is seen again [A3 ready]', () => {
  it('sends at once what was held back, but nothing to a service whose circuit is open', async () => {
    const service = new Service()
    const page = await show(await newPage(), await shownSite({ listeners: { '/orders': service.listener } }))
    service.status = 503
    await page.evaluate(async () => {
      const { ackbox } = globalThis as unknown as Shown
      // No timer ever goes off: what goes on does so because somebody looks.
      const never = { ref: () => never, unref: () => never, hasRef: () => false }
      const clock = { now: () => Date.now(), setTimeout: () => never, clearTimeout: () => {} }
      const box = await ackbox.open('shop', { clock: clock as never })
      const orders = box.queue<string>('orders', { destination: (to) => to })
      const state = { isReady: true, asked: 0 }
      const send = async ({ id }: { readonly id: string }): Promise<void> => {
        const { ok, status } = await fetch('/orders', { method: 'POST', headers: { 'idempotency-key': `"${id}"` } })
        if (!ok) throw new Error(`answered with ${status}`)
      }
      const ready = (): boolean => (state.asked++, state.isReady)
      const worker = orders.process(send, { ready, breaker: { failures: 1, cooldownMs: 86_400_000 } })
      Object.assign(globalThis, { orders, worker, state })
      await orders.enqueue('one', { id: 'first' })
    })
    await page.waitForFunction(() => (globalThis as unknown as Shop).worker.circuit('one').state === 'open')
    service.status = 200
    type Held = Shop & { readonly state: { isReady: boolean; asked: number } }
    await page.evaluate(async () => {
      const { orders, state } = globalThis as unknown as Held
      Object.assign(state, { isReady: false, asked: 0 })
      for (const to of ['one', 'two']) await orders.enqueue(to, { id: `to ${to}` })
    })
    await page.waitForFunction(() => (globalThis as unknown as Held).state.asked > 0)
    await page.evaluate(() => {
      ;(globalThis as unknown as Held).state.isReady = true
      document.dispatchEvent(new Event('visibilitychange'))
    })
    await service.request(2)
    await page.evaluate(async () => void (await (await fetch('/index.html')).text()))
    expect(service.asked.map(({ id }) => id)).toEqual(['first', 'to two'])
  })
})
