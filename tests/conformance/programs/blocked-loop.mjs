// Handlers that block the event loop for several times their lease. Usage: blocked-loop.mjs <folder>
import { open } from 'ackbox'

const LEASE_MS = 60

function block(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

const box = await open(process.argv[2])
const queue = box.queue('jobs', { leaseMs: LEASE_MS })
const started = []
let aborted = 0
queue.on('started', ({ id, attempt }) => started.push([id, attempt]))
const finished = new Promise((resolve) => {
  let completed = 0
  queue.on('completed', () => {
    completed += 1
    if (completed === 2) resolve()
  })
})
await queue.enqueueMany([
  { body: 1, id: 'a' },
  { body: 2, id: 'b' },
])
queue.process(
  async ({ signal }) => {
    signal.addEventListener('abort', () => (aborted += 1))
    for (let round = 0; round < 3; round += 1) {
      block(3 * LEASE_MS)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  },
  { concurrency: 4 },
)
await finished
const { leasesLost } = await queue.stats()
console.log(JSON.stringify({ started, aborted, leasesLost }))
await box.close()
