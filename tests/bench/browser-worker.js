// The service worker in which outboxes are measured: there, for it is where workbox works.
//
// `measure(name, orders)` measures one contestant over databases that are empty before.

import { open } from 'ackbox/eager'
import { indexedDbStorage } from 'ackbox/indexeddb'
import { openDB } from 'idb'
import { Queue } from 'workbox-background-sync'

import { makeOrder } from './orders.mjs'

/** Unmeasured orders before, for the just-in-time compiler: a share of the measured ones. */
const WARM_UP = 0.1

/** Handlers that run side by side, where there are such. */
const SIDE_BY_SIDE = 20

/**
 * Each gives `{ pack, enqueue, drain, drainMany }`: what is enqueued of an order, made before the clock starts; enqueues it, and
 * resolves when it is as durable as it gets; handles all there is, one at a time, and resolves with how many when they are off
 * the queue; the same side by side, if it can.
 */
const CONTESTANTS = {
  'ackbox, strict': () => ackbox('strict'),
  'ackbox, relaxed': () => ackbox('relaxed'),
  'idb, strict': () => bareDatabase('strict'),
  'idb, relaxed': () => bareDatabase('relaxed'),
  workbox,
}

async function ackbox(durability) {
  const box = await open(indexedDbStorage({ name: 'outbox', durability }))
  const queue = box.queue('orders')
  return {
    pack: (order) => order,
    enqueue: (order) => queue.enqueue(order),
    drain: async () => (await queue.drain(({ body }) => look(body))).completed,
    drainMany: async () => (await queue.drain(({ body }) => look(body), { concurrency: SIDE_BY_SIDE })).completed,
  }
}

/** What one writes by hand: a row an order, a transaction for each put and each delete. */
async function bareDatabase(durability) {
  const database = await openDB('outbox', 1, { upgrade: (made) => void made.createObjectStore('orders', { autoIncrement: true }) })
  const write = async (work) => {
    const transaction = database.transaction('orders', 'readwrite', { durability })
    await Promise.all([work(transaction.store), transaction.done])
  }
  return {
    pack: (order) => order,
    enqueue: (order) => write((orders) => orders.put(order)),
    async drain() {
      for (let handled = 0; ; handled++) {
        const row = await database.transaction('orders').store.openCursor()
        if (row === null) return handled
        look(row.value)
        await write((orders) => orders.delete(row.key))
      }
    },
  }
}

/** Requests are taken off before they are handled, and their bodies are not read, as where they are sent. */
async function workbox() {
  // Spares it the call that asks the browser for a sync with each request, and that sync.
  const queue = new Queue('orders', { forceSyncFallback: true, onSync() {} })
  return {
    pack: (order) => new Request('/orders', { method: 'POST', body: JSON.stringify(order) }),
    enqueue: (request) => queue.pushRequest({ request }),
    async drain() {
      for (let handled = 0; ; handled++) if ((await queue.shiftRequest()) === undefined) return handled
    },
  }
}

function look(order) {
  if (order.quantity !== 2) throw new Error(`a damaged order: ${JSON.stringify(order)}`)
}

/** `{ alone, together, drain, drainMany, asked }`: seconds of each task, and the durability that its transactions asked for. */
async function measure(name, count) {
  const outbox = await CONTESTANTS[name]()
  const some = (orders) => Array.from({ length: orders }, (_, number) => outbox.pack(makeOrder(number)))
  const together = (packed) => Promise.all(packed.map(outbox.enqueue))
  const alone = async (packed) => {
    for (const one of packed) await outbox.enqueue(one)
  }
  const drained = async (drain, expected) => {
    const handled = await drain()
    if (handled !== expected) throw new Error(`${name}: expected ${expected} orders, handled ${handled}`)
  }

  const few = Math.ceil(count * WARM_UP)
  const asked = {}
  asked.enqueue = await asking(async () => {
    // One before the many: workbox opens its database again for each that comes meanwhile.
    await alone(some(few))
    await together(some(few))
  })
  asked.drain = await asking(() => drained(outbox.drain, 2 * few))

  const packed = [some(count), some(count)]
  const seconds = {}
  seconds.together = await timed(() => together(packed[0]))
  seconds.drain = await timed(() => drained(outbox.drain, count))
  seconds.alone = await timed(() => alone(packed[1]))
  if (outbox.drainMany !== undefined) seconds.drainMany = await timed(() => drained(outbox.drainMany, count))
  return { ...seconds, asked }
}

async function timed(work) {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1_000
}

/** The kinds of durability that transactions ask for which write during `work`. */
async function asking(work) {
  const kinds = new Set()
  const { transaction } = IDBDatabase.prototype
  IDBDatabase.prototype.transaction = function (...given) {
    const made = transaction.apply(this, given)
    if (made.mode === 'readwrite') kinds.add(made.durability)
    return made
  }
  try {
    await work()
  } finally {
    IDBDatabase.prototype.transaction = transaction
  }
  return [...kinds].sort()
}

Object.assign(globalThis, { measure })
addEventListener('install', () => skipWaiting())
