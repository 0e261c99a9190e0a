/** What a page left behind arrives at the service with the page closed, sent by its service worker. [A7 service-worker] */
import { fileURLToPath } from 'node:url'

import { memoryStorage, open } from 'ackbox'
import { nodeListener, receiver } from 'ackbox/http'
import { expect, it, onTestFinished } from 'vitest'

import { useProfile } from './support/chromium.ts'
import { site } from './support/site.ts'

const DIST = fileURLToPath(new URL('../../../npm/ackbox/dist/', import.meta.url))

const newPage = useProfile()

const FILES = {
  '/index.html': '<!doctype html><title>shop</title><script type="module" src="/page.js"></script>',
  '/page.js': `
    import { open } from '/ackbox/web/ackbox.js'
    import { requestSync } from '/ackbox/web/service-worker.js'
    globalThis.order = async (ids) => {
      await navigator.serviceWorker.register('/service-worker.js', { type: 'module' })
      await navigator.serviceWorker.ready
      const box = await open('shop')
      const orders = box.queue('orders')
      requestSync(orders)
      for (const id of ids) await orders.enqueue({ id }, { id })
      return (await orders.stats()).ready
    }`,
  '/service-worker.js': `
    import { drainOnSync, httpSender, open } from '/ackbox/web/single.js'
    drainOnSync(async ({ signal }) => {
      const box = await open('shop', { whenLocked: 'wait', signal })
      try {
        return await box.queue('orders').drain(httpSender({ url: new URL('/orders', location.origin) }), { signal })
      } finally {
        await box.close()
      }
    })`,
}

it('a page enqueues and is closed: its service worker sends, each order once [A7 service-worker] [A7 receiver]', async () => {
  const service = await open(memoryStorage())
  onTestFinished(() => service.close().then(() => {}))
  const inbox = service.queue<{ id: string }>('orders')
  const arrived = new Promise<void>((resolve) => {
    let count = 0
    inbox.on('enqueued', () => void (++count === 3 && resolve()))
  })
  const origin = await site({
    folders: { '/ackbox/': DIST },
    files: FILES,
    listeners: { '/orders': nodeListener(receiver(inbox, { public: true })) },
  })
  const page = await newPage()
  // The browser stays, with a page that is not of the shop.
  await page.context().newPage()
  await page.goto(`${origin}/index.html`)
  await page.waitForFunction(() => 'order' in globalThis)
  expect(await page.evaluate(() => (globalThis as unknown as { order(ids: string[]): Promise<number> }).order(['a', 'b', 'c']))).toBe(3)
  expect(await inbox.stats(), 'the page itself sends nothing').toMatchObject({ enqueued: 0 })
  await page.close()
  await arrived
  expect((await inbox.peek()).map(({ id, body }) => [id, body?.id])).toEqual([['a', 'a'], ['b', 'b'], ['c', 'c']])
})
