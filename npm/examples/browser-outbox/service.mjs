// The service: takes orders into a box of its own, and serves the page.
//
// `receiver` is all that it takes to accept each order once: it answers when the order is durable here, and knows an
// order that comes again by its key.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { open } from 'ackbox'
import { nodeListener, receiver } from 'ackbox/http'
import { Mood } from './mood.mjs'
import { serveFile } from './files.mjs'

/** How many orders the page is shown. */
const SHOWN = 100

/** Starts it; `port` 0 takes a free one. Resolves with `{ url, inbox, close }`. */
export async function startService({ folder, port }) {
  const box = await open(folder)
  const inbox = box.queue('orders')
  const mood = new Mood(receiver(inbox, { public: true })) // a real service says who may send: `authorize`

  const server = createServer(nodeListener(async (request) => {
    const { pathname } = new URL(request.url)
    switch (`${request.method} ${pathname}`) {
      case 'POST /orders':
        return mood.receive(request)
      case 'GET /orders':
        return Response.json(await books())
      case 'PUT /mood':
        return new Response(null, { status: mood.set(await request.text()) ? 204 : 400 })
      default:
        return serveFile(request.method, pathname)
    }
  }))
  server.listen(port, '127.0.0.1') // not for other machines: nobody is asked who they are
  await once(server, 'listening')

  /** What the service has, and how often it was asked to take it. */
  async function books() {
    const [orders, { ready }] = await Promise.all([inbox.peek({ limit: SHOWN }), inbox.stats()])
    const taken = orders.map(({ id, body, enqueuedAt }) => ({ ...body, takenAt: enqueuedAt, requests: mood.requestsFor(id) }))
    return { mood: mood.name, requests: mood.requests, count: ready, taken: taken.reverse() }
  }

  return {
    url: `http://localhost:${server.address().port}/`,
    inbox,
    async close() {
      server.close()
      server.closeAllConnections()
      await box.close()
    },
  }
}
