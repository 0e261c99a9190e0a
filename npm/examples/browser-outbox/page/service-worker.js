// Keeps the page for when the service is away, and sends what a closed tab left.

import { drainOnSync, httpSender, open } from '/ackbox/single.js'

const send = httpSender({ url: new URL('/orders', location.origin) })

drainOnSync(async ({ signal }) => {
  const box = await open('tea-orders', { signal }) // the same box as that of the tabs
  try {
    return await box.queue('orders').drain(send, { signal })
  } finally {
    await box.close()
  }
})

// The page: from the service where it answers, else as it was last.
const CACHE = 'page'
const FILES = ['/', '/icon.svg', '/list.js', '/outbox.js', '/page.js', '/service.js', '/style.css', '/ackbox/single.js']

self.addEventListener('install', (event) => {
  self.skipWaiting()
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)))
})
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', (event) => {
  const { method, url } = event.request
  const isOfPage = method === 'GET' && FILES.some((file) => url === new URL(file, location.origin).href)
  if (isOfPage) event.respondWith(fromNetworkOrCache(event.request))
})

async function fromNetworkOrCache(request) {
  const cache = await caches.open(CACHE)
  try {
    const response = await fetch(request)
    if (response.ok) await cache.put(request, response.clone())
    return response
  } catch (error) {
    return (await cache.match(request)) ?? Promise.reject(error)
  }
}
