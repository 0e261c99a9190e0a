// The service worker of a shop whose orders go through workbox-background-sync: keeps what it is told to, and says what it has.
import { Queue } from 'workbox-background-sync'

/** What a message carries, as in `life.mjs`. */
const TEXT = 'x'.repeat(400)

let syncing = 0
const queue = new Queue('orders', {
  // What it does by default, and how many of these are under way.
  async onSync({ queue }) {
    syncing += 1
    try {
      await queue.replayRequests()
    } finally {
      syncing -= 1
    }
  },
})

addEventListener('install', () => void skipWaiting())
addEventListener('activate', (event) => event.waitUntil(clients.claim()))
addEventListener('message', (event) => {
  const { data, ports } = event
  const reply = { keep, status }[data.ask](data).catch((error) => ({ error: String(error) }))
  event.waitUntil(reply.then((value) => ports[0].postMessage(value)))
})

async function keep({ id }) {
  await queue.pushRequest({ request: new Request(`/orders/${id}`, { method: 'POST', body: TEXT }) })
  await fetch('/said', { method: 'POST', body: `accepted ${id}` })
  return {}
}

async function status() {
  return { size: await queue.size(), syncing }
}
