// workbox-background-sync in Node: over fake-indexeddb, whose content outlives a service worker that is ended, with a `fetch` that
// is the service. What is a process elsewhere is a service worker here: each life loads the module anew over the same database.
import 'fake-indexeddb/auto'

import { between } from '../support/seeded.mjs'
import { judge } from './judge.mjs'
import { versionOf } from './versions.mjs'

const MODULE = new URL('node_modules/workbox-background-sync/Queue.js', import.meta.url)
const MESSAGES = 60
// Else it tells the console of every request.
process.env['NODE_ENV'] = 'production'

export const about = {
  name: 'workbox-background-sync',
  version: versionOf('workbox-background-sync'),
  setup: `\`new Queue(name)\` with its own \`replayRequests\`, in Node over fake-indexeddb ${versionOf('fake-indexeddb')} instead of a browser: a service worker that ends is a request that is never answered, and the next one loads the module anew. A request counts as accepted when \`pushRequest\` resolves.`,
  links: [{ says: 'how requests are replayed', url: 'https://developer.chrome.com/docs/workbox/modules/workbox-background-sync' }],
  notes: {
    'kill-enqueue': 'needs a browser',
    'power-cut': 'needs a browser',
    'full-disk': 'needs a browser',
    'kill-handle': 'a request leaves the store before it is sent',
    outage: 'an answer is an answer: 500 counts as delivered',
    'outage-kill': 'with the first answer the requests are gone',
  },
}

export const ROUNDS = { 'kill-handle': endedWhileReplaying, outage }

let lives = 0

/** A service worker begins: nothing of the one before is left but the database. `sync` is the browser's event of that name. */
async function beginLife(name, answer) {
  let listener
  const self = { registration: { sync: { async register() {} } }, addEventListener: (_, heard) => (listener = heard) }
  Object.assign(globalThis, { self, location: new URL('https://shop.example'), fetch: answer })
  const { Queue } = await import(`${MODULE}?life=${(lives += 1)}`)
  const queue = new Queue(name)
  const sync = async () => {
    let work
    listener({ tag: `workbox-background-sync:${name}`, lastChance: false, waitUntil: (promise) => (work = promise) })
    await work
  }
  return { queue, sync }
}

async function fill(name, lines) {
  const { queue } = await beginLife(name, () => Promise.reject(new TypeError('offline')))
  for (let number = 1; number <= MESSAGES; number += 1) {
    await queue.pushRequest({ request: new Request(`https://shop.example/orders/${number}`, { method: 'POST', body: 'x'.repeat(400) }) })
    lines.push(`accepted ${number}`)
  }
}

const idOf = (request) => new URL(request.url).pathname.split('/').at(-1)

/** Replays until nothing is left, against a service that works. */
async function replay(name, lines) {
  const { queue, sync } = await beginLife(name, async (request) => {
    lines.push(`handled ${idOf(request)}`)
    return new Response('', { status: 201 })
  })
  while ((await queue.size()) > 0) await sync()
}

/** The service worker is ended while a request is on its way, twice: the service has heard of it, or has not. */
async function endedWhileReplaying(name, random) {
  const lines = []
  await fill(name, lines)
  for (let end = 0; end < 2; end += 1) {
    let left = between(random, 1, 20)
    const heard = random() < 0.5
    await new Promise((ended) => {
      const answer = (request) => {
        left -= 1
        if (left > 0 || heard) lines.push(`handled ${idOf(request)}`)
        if (left > 0) return Promise.resolve(new Response('', { status: 201 }))
        ended()
        return new Promise(() => {})
      }
      void beginLife(name, answer).then(({ sync }) => sync())
    })
  }
  await replay(name, lines)
  return { ...judge(lines), stuck: 0 }
}

/** The service answers 500 for a while. */
async function outage(name) {
  const lines = []
  await fill(name, lines)
  const { sync } = await beginLife(name, async () => new Response('down', { status: 500 }))
  await sync()
  await replay(name, lines)
  return { ...judge(lines), stuck: 0 }
}
