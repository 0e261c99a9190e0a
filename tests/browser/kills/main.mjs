// Tabs of a real Chromium, killed in the middle of load: what each of them was told and did goes to a server, and the whole history is
// judged like that of killed processes. A tier of the proof: ACKBOX_LENGTH says how long, ACKBOX_EVIDENCE where the figures go.
//
// The moments come from a seed that is printed, ACKBOX_SEED repeats them; the same seed makes the same plan and not the same history.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { findViolations } from '../../crash/history/check.mjs'
import { between, seededRandom } from '../../support/seeded.mjs'
import { IS_FULL, Tier } from '../../support/tier.mjs'
import { Browser } from './browser.mjs'
import { Server } from './server.mjs'
import { QUEUES } from './world.mjs'

const PROGRAM = process.env['ACKBOX_CHROMIUM'] ?? '/usr/bin/chromium'
/** Profiles of the browser, and tabs that are killed in each. */
const [WORLDS, KILLS] = IS_FULL ? [4, 20] : [1, 8]
/** A tab is killed behind so many lines of its own, at most. */
const LINES = 150
/** Of a box that keeps nothing. */
const FORGETFUL_KILLS = 2

const HOW =
  'Tabs that enqueued and handled were killed in Chromium (the process of the tab crashed or killed, the tab closed, the whole browser killed), and ' +
  'the next one carried on; every message, delivery, step and end was told to a server, and the whole history checked for lost, unexpected, ' +
  'repeated and reordered deliveries.'

const seed = Number(process.env['ACKBOX_SEED'] ?? Date.now() % 2 ** 31)
const tier = new Tier()
if (!existsSync(PROGRAM)) tier.skip('killed tabs', `expected Chromium at ${PROGRAM}, found nothing`)
else await run()
tier.finish()

async function run() {
  console.log(`killed tabs: ACKBOX_SEED=${seed}`)
  const figures = {}
  let kills = 0
  let failures = 0
  for (let world = 0; world < WORLDS; world += 1) {
    const { events, deaths, violations } = await judge(seededRandom(seed + world), KILLS)
    const title = `world ${world + 1}: ${events.length} lines of ${KILLS + 1} tabs`
    if (!tier.check(title, violations)) showLives(events, violations[0])
    for (const death of deaths) figures[`tabs of which ${death} (times)`] = (figures[`tabs of which ${death} (times)`] ?? 0) + 1
    for (const [name, value] of Object.entries(figuresOf(events))) figures[name] = (figures[name] ?? 0) + value
    kills += deaths.length
    failures += violations.length
  }
  const forgetful = await judge(seededRandom(seed), FORGETFUL_KILLS, '&forgetful')
  const isFound = forgetful.violations.some((violation) => violation.startsWith('lost'))
  tier.check('a box that forgets is found out', isFound ? [] : ['it lost nothing', ...forgetful.violations])
  for (const [name, value] of Object.entries(figures)) tier.figure(name, value)
  tier.proves('tab-kill', HOW, kills, failures)
}

/** One profile from its beginning to its end. */
async function judge(random, kills, more = '') {
  const folder = mkdtempSync(join(tmpdir(), 'ackbox-tabs-'))
  const server = new Server()
  const browser = new Browser(folder, PROGRAM)
  const origin = await server.listen()
  const deaths = []
  const ways = Object.entries(browser.ways)
  try {
    for (let number = 0; number < kills; number += 1) {
      const tab = `tab${number}`
      const page = await opened(browser, server, `${origin}/?tab=${tab}${more}`)
      await Promise.race([server.said(between(random, 0, LINES)), goneByItself(page)])
      const [death, die] = ways[between(random, 0, ways.length - 1)]
      server.say(`killed ${tab}`)
      await die(page)
      await server.quiet()
      server.say(`died ${tab} -`)
      deaths.push(death)
    }
    const page = await opened(browser, server, `${origin}/?tab=last${more}`)
    await page.waitForFunction(() => 'finish' in globalThis)
    await page.evaluate(() => globalThis.finish())
    const ids = [...new Map(server.invoked.map(({ queue, id }) => [`${queue}/${id}`, [queue, id]])).values()]
    await page.evaluate((ids) => globalThis.tell(ids), ids)
    return { events: server.events, deaths, violations: findViolations(server.events, QUEUES) }
  } catch (error) {
    return { events: server.events, deaths, violations: [`stuck or broken: ${error.stack}`] }
  } finally {
    await browser.close()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A tab that owns the box. */
async function opened(browser, server, url) {
  const isOpen = server.said(0, 'opened')
  const page = await browser.open(url)
  await Promise.race([isOpen, goneByItself(page)])
  return page
}

/** Rejects when a tab fails or is gone, which until it is killed nobody expects. */
function goneByItself(page) {
  const gone = new Promise((_, reject) => {
    page.once('pageerror', reject)
    for (const event of ['crash', 'close']) page.once(event, () => reject(new Error(`the tab had a ${event} by itself`)))
  })
  // By then nobody may be listening any more.
  gone.catch(() => {})
  return gone
}

/** All that was said of the message of a violation. */
function showLives(events, violation) {
  for (const event of events) {
    if (event.id !== undefined && violation.endsWith(`: ${event.queue}/${event.id}`)) console.log(`  ${JSON.stringify(event)}`)
  }
}

function figuresOf(events) {
  const count = (kind, fits = () => true) => events.filter((event) => event.kind === kind && fits(event)).length
  const started = events.filter(({ kind }) => kind === 'started')
  return {
    messages: count('receipt'),
    duplicates: count('receipt', ({ status }) => status === 'duplicate'),
    deliveries: started.length,
    redeliveries: started.length - new Set(started.map(({ queue, id }) => `${queue}/${id}`)).size,
    effects: count('effect', ({ seen }) => seen === 'new'),
    'steps repeated under the same key': count('effect', ({ seen }) => seen === 'again'),
  }
}
