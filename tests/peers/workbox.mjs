// workbox-background-sync in the service worker of a site, in a real Chromium: what is a process elsewhere is a whole browser here, and
// its profile is the folder that may be lost. The rounds are those of `faults.mjs`, by their ids.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { copyAtOnce, discardImage, makeImage, mountImage } from '../power/image.mjs'
import { between } from '../support/seeded.mjs'
import { judge } from './judge.mjs'
import { versionOf } from './versions.mjs'
import { Browser } from './workbox/browser.mjs'
import { Shop } from './workbox/shop.mjs'

const PROGRAM = process.env['ACKBOX_CHROMIUM'] ?? '/usr/bin/chromium'
const TAG = 'workbox-background-sync:orders'
const MESSAGES = 60
const OUTAGE_MS = 2_500
/** What the site may keep on a disk that is full. */
const QUOTA_BYTES = 256 << 10
const PROFILE_IMAGE_BYTES = 192 << 20
/** Browsers that are tried over a profile that makes the site fail. */
const OPENINGS = 4
/** A life that does nothing for so long is stuck, and what it holds is lost. */
const STUCK_MS = 60_000
/** After so long without anything, the browser is asked for another sync. */
const RESYNC_MS = 1_000

export const about = {
  name: 'workbox-background-sync',
  version: versionOf('workbox-background-sync'),
  setup:
    '`new Queue(name)` with its own `replayRequests`, in the service worker of a site in Chromium; the whole browser is killed, and the next one has its profile. ' +
    'A request counts as accepted when `pushRequest` resolves, and as handled when the service has taken all of it, even if the browser is gone by then; ' +
    'the service cannot be reached while requests are put in. `sync` events are dispatched at once instead of minutes later. ' +
    'Instead of a full disk the site has a quota of 256 KiB, which the next browser lifts.',
  links: [{ says: 'how requests are replayed', url: 'https://developer.chrome.com/docs/workbox/modules/workbox-background-sync' }],
  notes: {
    'kill-handle': 'a request leaves the store before it is sent',
    'power-cut': 'IndexedDB flushes only for transactions that ask for it, and these do not',
    outage: 'an answer is an answer: 500 counts as delivered',
    'outage-kill': 'an answer is an answer: 500 counts as delivered',
  },
}

/** Why it cannot run here; `undefined` if it can. */
export function whyNot() {
  return existsSync(PROGRAM) ? undefined : `not run: expected Chromium at ${PROGRAM}, found nothing`
}

export const ROUNDS = {
  'kill-enqueue': inShop(killedWhileEnqueueing),
  'kill-handle': inShop(killedWhileHandling),
  'power-cut': inShop(powerCut),
  'full-disk': inShop(fullDisk),
  outage: inShop(outage),
  'outage-kill': inShop(killedInOutage),
}

/** A round in a shop of its own; `open` opens the site over a profile. */
function inShop(round) {
  return async (folder, random) => {
    const shop = new Shop()
    const origin = await shop.listen()
    let browser
    const open = async (profile) => (browser = await Browser.open(profile, origin, PROGRAM))
    try {
      return await round({ shop, open, profile: join(folder, 'profile'), folder, random })
    } finally {
      // Also one that a failure left open, which may be stopped.
      await browser?.kill()
      shop.close()
    }
  }
}

async function killedWhileEnqueueing({ shop, open, profile, random }) {
  const browser = await open(profile)
  const count = between(random, 1, 200)
  produce(browser, Infinity)
  await until(shop, () => shop.lines.length >= count)
  await pause(random() * 4)
  await browser.kill()
  return consume(shop, () => open(profile))
}

async function killedWhileHandling({ shop, open, profile, random }) {
  await fill(() => open(profile))
  shop.service = 'up'
  for (let kill = 0; kill < 2; kill += 1) await killedSyncing(shop, await open(profile), between(random, 1, 20), random() * 4)
  return consume(shop, () => open(profile))
}

async function outage({ shop, open, profile }) {
  await fill(() => open(profile))
  shop.service = 'failing'
  const browser = await open(profile)
  const isOver = pause(OUTAGE_MS).then(() => (shop.service = 'up'))
  const isDone = await syncUntilEmpty(shop, browser)
  await browser.close()
  await isOver
  return isDone ? consume(shop, () => open(profile)) : { ...judge(shop.lines), stuck: 1 }
}

async function killedInOutage({ shop, open, profile, random }) {
  await fill(() => open(profile))
  shop.service = 'failing'
  await killedSyncing(shop, await open(profile), between(random, 1, MESSAGES), random() * 4)
  return consume(shop, () => open(profile))
}

async function fullDisk({ shop, open, profile }) {
  const browser = await open(profile)
  await browser.limit(QUOTA_BYTES)
  await produce(browser, 100_000)
  await browser.close()
  return consume(shop, () => open(profile))
}

async function powerCut({ shop, open, folder, random }) {
  const [image, copy, place] = ['disk.image', 'cut.image', 'disk'].map((name) => join(folder, name))
  makeImage(image, PROFILE_IMAGE_BYTES)
  mountImage(image, place, 'ordered')
  const browser = await open(join(place, 'profile'))
  try {
    const count = between(random, 20, 200)
    produce(browser, Infinity)
    await until(shop, () => shop.lines.length >= count)
    for (;;) {
      browser.stop()
      await pause(1)
      if (copyAtOnce(image, place, copy)) break
      browser.goOn()
      await pause(random() * 4)
    }
    await browser.kill()
  } finally {
    discardImage(image, place)
  }
  mountImage(copy, place, 'ordered')
  try {
    return await consume(shop, () => open(join(place, 'profile')))
  } finally {
    discardImage(copy, place)
  }
}

/** A browser that keeps all messages, and ends in peace. */
async function fill(open) {
  const browser = await open()
  await produce(browser, MESSAGES)
  await browser.close()
}

/** Whose browser is killed meanwhile has nobody to hear of it. */
function produce(browser, count) {
  return browser.page.evaluate((count) => globalThis.produce('a', count), count).catch(() => {})
}

/** Kills a browser a moment after so many more of its requests have come. */
async function killedSyncing(shop, browser, count, delayMs) {
  const enough = shop.lines.length + count
  await browser.sync(TAG)
  await until(shop, () => shop.lines.length >= enough)
  await pause(delayMs)
  await browser.kill()
}

/** Replays until nothing is left, against a service that works. */
async function consume(shop, open) {
  shop.service = 'up'
  const browser = await opened(open)
  if (browser === undefined) return { ...judge(shop.lines), stuck: 1 }
  const isDone = await syncUntilEmpty(shop, browser)
  await browser.close()
  return { ...judge(shop.lines), stuck: isDone ? 0 : 1 }
}

/** A browser may repair its profile, and be sound the next time; none if it is not. */
async function opened(open) {
  for (let attempt = 1; attempt <= OPENINGS; attempt += 1) {
    try {
      return await open()
    } catch (error) {
      console.log(`the site does not start: ${error.message.split('\n')[0]}`)
    }
  }
  return undefined
}

async function syncUntilEmpty(shop, browser) {
  let synced = -Infinity
  return until(shop, async () => {
    const { size, syncing } = await browser.page.evaluate(() => globalThis.askQueue())
    if (size === 0 && syncing === 0) return true
    if (syncing === 0 && Date.now() - synced > RESYNC_MS) {
      synced = Date.now()
      await browser.sync(TAG)
    }
    return false
  })
}

/** Waits for something, as long as the shop hears anything; gives whether it came. */
async function until(shop, isDone) {
  let seen = -1
  let since = Date.now()
  while (!(await isDone())) {
    if (shop.lines.length !== seen) [seen, since] = [shop.lines.length, Date.now()]
    if (Date.now() - since > STUCK_MS) return false
    await pause(2)
  }
  return true
}
