// The service that effects go to. It knows an effect again by its key, and writes down every call.
// Usage: service.mjs <doorway> <file for what it says>
import { setTimeout as pause } from 'node:timers/promises'

import { recordTo } from '../programs/say.mjs'
import { answerAt } from './doorway.mjs'
import { numberOf } from './queues.mjs'

/** A call takes up to so long, behind its effect: who is killed meanwhile never hears of it. */
const LATENCY_MS = 6

const [doorway, file] = process.argv.slice(2)
const say = recordTo(file)
const receipts = new Map()

await answerAt(doorway, async ({ queue, id, step, key }) => {
  const known = receipts.get(key)
  say(`effect ${queue} ${id} ${step} ${key} ${known === undefined ? 'new' : 'again'}`)
  const receipt = known ?? receipts.size + 1
  receipts.set(key, receipt)
  await pause(numberOf(key) % LATENCY_MS)
  return { receipt }
})
process.send?.('ready')
// It does not outlive the world that it belongs to.
process.once('disconnect', () => process.exit())
