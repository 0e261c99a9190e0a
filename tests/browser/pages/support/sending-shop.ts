/** Tabs of a shop that order and send to a service, each with the same box; what they were told they tell to their site. */
import { DIST } from './tabs.ts'

/** By path, where they are on the site. */
export const SENDING_SHOP_FOLDERS = { '/ackbox/': DIST }

/**
 * The page, as `Tab` wants it. Each lane of a tab orders, is told that the order is kept, and waits until it has arrived.
 */
export const SENDING_SHOP = {
  '/index.html': '<!doctype html><title>shop</title><script type="module" src="/page.js"></script>',
  '/page.js': `
    import { constant, open } from '/ackbox/web/ackbox.js'
    import { httpSender } from '/ackbox/web/http.js'

    const LANES = 4
    const box = await open('shop', { whenLocked: 'share' })
    const orders = box.queue('orders', { maxAttempts: Infinity, backoff: constant(10) })
    const headers = { authorization: 'the shop' }
    const send = httpSender({ url: new URL('/orders', location.href), headers, timeoutMs: 2_000 })
    const name = new URL(location).searchParams.get('tab') + '-' + performance.timeOrigin
    let isOrdering = true

    const tell = (what, order) => fetch('/' + what, { method: 'POST', body: order })
    const order = async (lane) => {
      for (let number = 1; isOrdering; number++) {
        const order = name + '-' + lane + '-' + number
        await tell('tried', order)
        await orders.enqueue({ order }, { id: order })
        await tell('kept', order)
        const { state } = await orders.finished(order)
        await tell(state === 'completed' ? 'arrived' : 'lost', order)
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
        orders.process(send, { concurrency: 4, breaker: { failures: 5, cooldownMs: 20 } })
        ordered = Promise.all(Array.from({ length: LANES }, (_, lane) => order(lane)))
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
    }`,
}
