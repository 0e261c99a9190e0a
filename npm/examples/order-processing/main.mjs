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
import { reckon } from './ledger.mjs'
import { startOutsideWorld } from './outside-world.mjs'
import { startProgress } from './progress.mjs'
import { dice } from './random.mjs'
import { Shop } from './shop.mjs'

/** A kill follows the call that it waits for by up to so much: before, in and after a payment. */
const KILL_DELAY_MS = 80

const { seed, orders, kills } = readArgs(process.argv.slice(2))
const draw = dice(seed)
const journal = await mkdtemp(join(tmpdir(), 'ackbox-demo-'))
console.log(`${orders} orders, ${kills} kills, seed ${seed}, journal in ${journal}`)

const started = performance.now()
const shop = new Shop({ count: orders, draw })
const world = await startOutsideWorld(draw)
const keeper = new Keeper({ args: [journal, world.url], shop })
const progress = startProgress(describe)
scheduleKills()

const problems = []
await keeper.run().catch((error) => problems.push(error.message))
progress.stop()
const seconds = secondsSinceStart()
shop.close()
world.close()

try {
  const { ok, lines } = await reckon({ journal, shop, books: world.books })
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

/** Kills strike at seeded calls to the outside world, spread over the run, and a moment later. */
function scheduleKills() {
  // An order makes three calls if all goes well and more if not, so every kill has its turn.
  const span = (orders * 3) / kills
  for (let kill = 0; kill < kills; kill++) {
    const call = 1 + Math.floor(span * (kill + draw(`kill/${kill}`)))
    const delay = draw(`kill/${kill}/delay`) * KILL_DELAY_MS
    world.calls.on('call', (number) => {
      if (number === call) setTimeout(strike, delay)
    })
  }
}

function strike() {
  const leased = keeper.stats.leased
  if (!keeper.kill()) return
  progress.say(`SIGKILL ${keeper.kills} after ${secondsSinceStart()} s, with ${leased} orders started and not settled`)
}

function describe() {
  return [
    `accepted ${shop.confirmed.size}/${orders}`,
    `completed ${world.books.shipments.length}`,
    `dead ${keeper.stats.deadLetters}`,
    `retries ${keeper.retries}`,
    `kills ${keeper.kills}/${kills}`,
  ].join('   ')
}

function secondsSinceStart() {
  return ((performance.now() - started) / 1_000).toFixed(1)
}
