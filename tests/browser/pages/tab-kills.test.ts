/**
 * Five tabs of one box order and send, and the one that drives is ended again and again in the middle of it: closed,
 * reloaded, crashed, frozen (its code is halted until another tab drives). What the service saw is compared with what the tabs were told.
 *
 * A tier of the proof: ACKBOX_LENGTH says how often, ACKBOX_EVIDENCE where the figures go.
 */
import { writeFileSync } from 'node:fs'

import { expect, it } from 'vitest'

import { useChromium } from './support/chromium.ts'
import { Ledger } from './support/ledger.ts'
import { site } from './support/site.ts'
import { DIST, SHOP, Tab } from './support/tabs.ts'

const TABS = 5
const KILLS = process.env['ACKBOX_LENGTH'] === 'full' ? 200 : 20
/** A hang ends here. */
const TIMEOUT_MS = 30_000 * KILLS
/** Handlers that start between two of them. */
const STARTS_BETWEEN = 12
const WAYS = ['close', 'reload', 'crash', 'freeze'] as const

const newPage = useChromium()

it(`no message is lost or settled twice while the driving tab is killed ${KILLS} times [A1 share, S2, A2 stored]`, async () => {
  const ledger = new Ledger()
  const origin = await site({ folders: { '/ackbox/': DIST }, files: SHOP, listeners: ledger.listeners })
  const context = (await newPage()).context()
  const tabs: Tab[] = []
  let opened = 0
  const fill = async (): Promise<void> => {
    while (tabs.length < TABS) tabs.push(await Tab.open(context, origin, String(++opened)))
  }
  await fill()

  const handOvers: number[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    await ledger.more(STARTS_BETWEEN)
    const driver = await driverOf(tabs)
    const way = WAYS[kill % WAYS.length]!
    const endedAt = performance.now()
    const ended = driver[way]()
    // A page that is reloaded waits for its place behind the others.
    if (way !== 'reload') await ended
    await driverOf(tabs.filter((tab) => tab !== driver))
    handOvers.push(performance.now() - endedAt)
    await ended
    await ledger.more(1)
    if (way === 'freeze') await driver.thaw()
    tabs.splice(0, tabs.length, ...tabs.filter(({ isGone }) => !isGone))
    await fill()
  }

  await Promise.all(tabs.map((tab) => tab.stop()))
  const [one] = tabs
  expect(await one!.rest()).toEqual({ ready: 0, scheduled: 0, leased: 0, deadLetters: 0 })

  const lost = [...ledger.told.keys()].filter((id) => !ledger.started.has(id))
  const twice = [...ledger.settled].filter(([, times]) => times > 1).map(([id]) => id)
  const starts = [...ledger.started]
  const again = starts.filter(([, all]) => all.some(({ isAfterEnd }) => isAfterEnd)).map(([id]) => id)
  const charged = starts.filter(([, all]) => all.some(({ attempt }) => attempt > 1)).map(([id]) => id)
  tellEvidence(ledger, handOvers, lost.length + twice.length + again.length + charged.length)
  expect({ lost, twice, again, charged }).toEqual({ lost: [], twice: [], again: [], charged: [] })
  expect(ledger.told.size).toBeGreaterThan(KILLS)
}, TIMEOUT_MS)

/** The tab that drives; one is opening the box if none does. */
async function driverOf(tabs: readonly Tab[]): Promise<Tab> {
  for (;;) {
    for (const tab of tabs) if (await tab.drives()) return tab
  }
}

function tellEvidence({ told, started, starts }: Ledger, handOvers: readonly number[], failures: number): void {
  const redelivered = [...started.values()].filter(({ length }) => length > 1).length
  const figures = {
    'kills of the driving tab': handOvers.length,
    'messages': told.size,
    'deliveries': starts,
    'messages that were delivered again': redelivered,
    'slowest hand-over (ms)': Math.round(Math.max(...handOvers)),
    'median hand-over (ms)': Math.round([...handOvers].sort((a, b) => a - b)[handOvers.length >> 1]!),
  }
  console.log(JSON.stringify(figures))
  const file = process.env['ACKBOX_EVIDENCE']
  if (file === undefined) return
  const how =
    'Five tabs of one box enqueued and sent in Chromium while the one that drove it was closed, reloaded, crashed and frozen; what the service saw was compared with every receipt: no message was lost, settled twice, delivered behind its settlement, or charged an attempt.'
  writeFileSync(file, JSON.stringify({ figures, proves: [{ promise: 'tab-kill', how, runs: handOvers.length, failures }], skipped: [] }))
}
