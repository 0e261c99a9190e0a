/** A tab that drives the box of several, and what becomes of what it had when it is halted, reloaded or left. */
import { expect, it } from 'vitest'

import { useProfile } from './support/chromium.ts'
import { site } from './support/site.ts'
import { DIST, type Shop, SHOP, Tab } from './support/tabs.ts'

const newPage = useProfile({ args: ['--renderer-process-limit=32'], cachesPages: true })

type WithShop = { readonly shop: Shop; held?: Awaited<ReturnType<Shop['orders']['dequeue']>> }

it('what a halted tab had goes to another, and it can settle nothing when it wakes up [A1 share]', async () => {
  const { tabs: [driving, other] } = await shop(2)
  await driving!.page.evaluate(async () => {
    const the = globalThis as never as WithShop
    await the.shop.orders.enqueue({ id: 'a' }, { id: 'a' })
    the.held = await the.shop.orders.dequeue()
  })
  expect(await other!.driverAmong([driving!, other!])).toBe(driving)
  await driving!.halt()
  const again = await other!.page.evaluate(async () => {
    const { orders } = (globalThis as never as WithShop).shop
    const delivery = await orders.dequeue({ waitMs: 60_000 })
    await delivery!.ack()
    return { id: delivery!.id, attempt: delivery!.attempt }
  })
  expect(again).toEqual({ id: 'a', attempt: 1 })
  expect(await other!.driverAmong([driving!, other!])).toBe(other)
  await driving!.wake()
  const refused = await driving!.page.evaluate(() =>
    (globalThis as never as WithShop).held!.ack().then(
      () => 'settled',
      (error: { code?: string }) => error.code,
    ),
  )
  expect(refused).toBe('ERR_LEASE_LOST')
  for (const tab of [driving!, other!]) {
    expect(await tab.page.evaluate(() => (globalThis as never as WithShop).shop.orders.stats())).toMatchObject({ acked: 1, ready: 0, leased: 0 })
  }
})

it('a reload in the middle of sending costs no attempt, of whichever tab [A1 share, S2]', async () => {
  let sent: () => void
  let sends = 0
  const { tabs, origin } = await shop(2, {
    '/send': (_request, answer) => {
      // What was sent first is never answered.
      if (++sends > 2) answer.writeHead(204).end()
      sent()
    },
  })
  for (const tab of tabs) {
    const isSending = new Promise<void>((resolve) => (sent = resolve))
    await tab.page.evaluate(async (url) => {
      const { orders } = (globalThis as never as WithShop).shop
      orders.process(({ signal }) => fetch(url, { method: 'POST', signal }).then(() => {}))
      await orders.enqueue({ id: 'any' })
    }, `${origin}/send`)
    await isSending
    await tab.reload()
  }
  const letters = await tabs[0]!.page.evaluate(async (url) => {
    const { orders } = (globalThis as never as WithShop).shop
    const attempts: number[] = []
    orders.process(async ({ attempt, signal }) => {
      attempts.push(attempt)
      await fetch(url, { method: 'POST', signal })
    })
    await orders.idle()
    const { acked, deadLetters } = await orders.stats()
    return { acked, deadLetters, attempts }
  }, `${origin}/send`)
  expect(letters).toEqual({ acked: 2, deadLetters: 0, attempts: [1, 1] })
})

it('a tab that is left, and come back to, has its box [A1 share]', async () => {
  const { tabs: [driving, other], origin } = await shop(2)
  await driving!.page.evaluate(() => {
    Object.assign(globalThis, { wasHere: true })
    return (globalThis as never as WithShop).shop.orders.enqueue({ id: 'a' }, { id: 'a' })
  })
  await driving!.page.goto(`${origin}/other.html`)
  expect(await other!.page.evaluate(async () => {
    const { orders } = (globalThis as never as WithShop).shop
    await orders.enqueue({ id: 'b' }, { id: 'b' })
    return (await orders.peek()).map(({ id }) => id)
  })).toEqual(['a', 'b'])
  await driving!.page.goBack({ waitUntil: 'commit' })
  await driving!.page.waitForFunction(() => 'shop' in globalThis)
  // Where the browser kept the page aside, it is the same one, with the same box.
  const seen = await driving!.page.evaluate(async () => {
    const { orders } = (globalThis as never as WithShop).shop
    const { status } = await orders.enqueue({ id: 'c' }, { id: 'c' })
    return { ids: (await orders.peek()).map(({ id }) => id), status, wasKept: 'wasHere' in globalThis }
  })
  console.log(`kept aside by the browser: ${seen.wasKept}`)
  expect(seen).toMatchObject({ ids: ['a', 'b', 'c'], status: 'accepted' })
})

/** Tabs with the box of the shop open, the first of which drives. */
async function shop(count: number, listeners: Parameters<typeof site>[0]['listeners'] = {}): Promise<{ origin: string; tabs: Tab[] }> {
  const files = { ...SHOP, '/other.html': '<!doctype html><title>elsewhere</title>' }
  const origin = await site({ folders: { '/ackbox/': DIST }, files, listeners })
  const context = (await newPage()).context()
  const tabs: Tab[] = []
  while (tabs.length < count) tabs.push(await Tab.open(context, origin, String(tabs.length)))
  return { origin, tabs }
}
