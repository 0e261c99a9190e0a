// An order service is killed again and again, and no order is lost and nobody is charged twice.
//
//   node main.mjs [--seed N] [--orders 2000] [--kills 5]
//
// This process is everything but the service: the shop that sends orders, the outside world with
// its own books, the hand that kills, the reckoning at the end. The service is service.mjs.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readArgs } from './args.mjs'
import { Keeper } from './keeper.mjs'
import { Killer } from './killer.mjs'
import { reckon } from './ledger.mjs'
import { startOutsideWorld } from './outside-world.mjs'
import { startProgress } from './progress.mjs'
import { dice } from './random.mjs'
import { Shop } from './shop.mjs'

const { seed, orders, kills } = readArgs(process.argv.slice(2))
const draw = dice(seed)
const journal = await mkdtemp(join(tmpdir(), 'ackbox-demo-'))
console.log(`${orders} orders, ${kills} kills, seed ${seed}, journal in ${journal}`)

const started = performance.now()
const shop = new Shop({ count: orders, draw })
const world = await startOutsideWorld(draw)
const keeper = new Keeper({ args: [journal, world.url], shop, world, whenDone: () => killer.finish() })
const killer = new Killer({ kills, orders, draw, calls: world.calls, strike })
const progress = startProgress(describe)

const problems = []
await keeper.run().catch((error) => problems.push(error.message))
progress.stop()
const seconds = secondsSinceStart()
shop.close()
world.close()

if (keeper.kills !== kills) problems.push(`killed ${keeper.kills} times instead of ${kills}`)
try {
  const { ok, lines } = await reckon({ journal, shop, books: world.books, kills })
  console.log(lines.join('\n'))
  if (!ok) problems.push('the journal and the books do not agree')
} catch (error) {
  problems.push(`the journal cannot be read: ${error.message}`)
}

if (problems.length === 0) {
  console.log(`\nKilled ${keeper.kills} times in ${seconds} s: no order lost, nobody charged twice.`)
  await rm(journal, { recursive: true })
} else {
  console.log(`\nFAILED: ${problems.join('; ')}. The journal is kept in ${journal}`)
  process.exitCode = 1
}

function strike() {
  const { leased } = keeper.stats
  if (!keeper.kill()) return false
  progress.say(`SIGKILL ${keeper.kills + 1} after ${secondsSinceStart()} s, which had last reported ${leased} orders in hand`)
  return true
}

function describe() {
  return [
    `accepted ${shop.confirmed.size}/${orders}`,
    `shipped ${world.books.shipments.length}`,
    `dead ${keeper.stats.deadLetters}`,
    `retries ${keeper.retries}`,
    `kills ${keeper.kills}/${kills}`,
  ].join('   ')
}

function secondsSinceStart() {
  return ((performance.now() - started) / 1_000).toFixed(1)
}
