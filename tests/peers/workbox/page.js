// The page of the shop: asks its service worker, on behalf of who drives the browser.
const OUTSTANDING = 10

await navigator.serviceWorker.register('/worker.js', { type: 'module' })
const { active } = await navigator.serviceWorker.ready

function ask(data) {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = (event) => resolve(event.data)
    active.postMessage(data, [port2])
  })
}

/** Has so many orders kept, ten at a time, until one is refused. */
async function produce(prefix, count) {
  let next = 0
  let refused = false
  await Promise.all(Array.from({ length: OUTSTANDING }, async () => {
    while (next < count && !refused) {
      const { error } = await ask({ ask: 'keep', id: `${prefix}-${(next += 1)}` })
      if (error !== undefined) refused = true
    }
  }))
}

Object.assign(globalThis, { produce, askQueue: () => ask({ ask: 'status' }) })
