// Outboxes in a browser: ackbox against workbox-background-sync and a database by hand, in Chromium, in turns.

import { existsSync } from 'node:fs'
import { inServiceWorker, serveBench } from './browser-site.mjs'
import { inFreshDirectory } from './directories.mjs'
import { median } from './numbers.mjs'

const CONTESTANTS = [
  { name: 'workbox' },
  { name: 'idb, relaxed' },
  { name: 'idb, strict' },
  // Of the rate at which workbox enqueues many at once.
  { name: 'ackbox, relaxed', target: 10 },
  { name: 'ackbox, strict', target: 10 },
]
/** Not everybody has the last one. */
const TASKS = ['alone', 'together', 'drain', 'drainMany']

/**
 * `{ browser, orders, lines: [{ name, asked, perSecond, ratios, target, met }] }`, or undefined where there is no browser.
 * `perSecond` and `ratios` are by task: medians over the rounds; a ratio compares with workbox in the same round. `asked` is
 * the durability that transactions asked for. What workbox cannot, draining many at a time, is compared with what it does instead.
 */
export async function measureBrowser({ rounds, outbox: orders, say }) {
  const program = process.env.ACKBOX_CHROMIUM ?? '/usr/bin/chromium'
  if (!existsSync(program)) {
    say(`no browser at ${program}: outboxes are not measured`)
    return undefined
  }
  const site = await serveBench()
  try {
    return await measureAll({ rounds, orders, say, program, origin: site.origin })
  } finally {
    site.close()
  }
}

async function measureAll({ rounds, orders, say, program, origin }) {
  let version
  const runs = new Map(CONTESTANTS.map(({ name }) => [name, []]))
  for (let round = 1; round <= rounds; round++) {
    // Each begins a round in turn: whoever comes first pays for what came before.
    const turn = round % CONTESTANTS.length
    for (const { name } of [...CONTESTANTS.slice(turn), ...CONTESTANTS.slice(0, turn)]) {
      const run = await inFreshDirectory((directory) =>
        inServiceWorker({ program, directory, origin }, (worker, found) => {
          version = found
          return worker.evaluate(([contestant, count]) => globalThis.measure(contestant, count), [name, orders])
        }))
      runs.get(name).push(run)
      const rates = TASKS.filter((task) => task in run).map((task) => `${task} ${Math.round(orders / run[task]).toLocaleString('en')}`)
      say(`round ${round} of ${rounds}: ${name}: orders/s ${rates.join(', ')}`)
    }
  }
  return { browser: `Chromium ${version}`, orders, lines: CONTESTANTS.map((contestant) => compare(contestant, runs, orders)) }
}

function compare({ name, target }, runs, orders) {
  const [own, workbox] = [runs.get(name), runs.get('workbox')]
  const tasks = TASKS.filter((task) => task in own[0])
  const byTask = (fn) => Object.fromEntries(tasks.map((task) => [task, median(own.map((run, round) => fn(task, run, workbox[round])))]))
  const perSecond = byTask((task, run) => orders / run[task])
  const ratios = byTask((task, run, theirs) => (theirs[task] ?? theirs.drain) / run[task])
  return { name, asked: own[0].asked, perSecond, ratios, target, met: target === undefined ? undefined : ratios.together >= target }
}
