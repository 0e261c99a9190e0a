/**
 * Five tabs of one box order and send, and the one that drives is ended again and again in the middle of it: closed, reloaded,
 * crashed, halted. What the service saw is compared with what the tabs were told.
 *
 * A program of the proof: ACKBOX_LENGTH says how often, ACKBOX_EVIDENCE where the figures go.
 */
import { writeFileSync } from 'node:fs'

import { expect, it } from 'vitest'

import { useProfile } from './support/chromium.ts'
import { Ledger } from './support/ledger.ts'
import { site } from './support/site.ts'
import { DIST, SHOP, Tab } from './support/tabs.ts'

const TABS = 5
const KILLS = process.env['ACKBOX_LENGTH'] === 'full' ? 200 : 20
/** Handlers that start between two of them. */
const STARTS_BETWEEN = 12
const WAYS = ['close', 'reload', 'crash', 'halt'] as const
/** A hang ends here. */
const TIMEOUT_MS = 30_000 * KILLS

const newPage = useProfile({ args: ['--renderer-process-limit=32'] })

it(`no message is lost, settled twice or charged while the driving tab is killed ${KILLS} times [A1 share, A2 stored, S2]`, async () => {
  const ledger = new Ledger()
  const origin = await site({ folders: { '/ackbox/': DIST }, files: SHOP, listeners: ledger.listeners })
  const context = (await newPage()).context()
  const tabs: Tab[] = []
  let opened = 0
  const fill = async (): Promise<void> => {
    const open = tabs.filter(({ isGone }) => !isGone)
    tabs.splice(0, tabs.length, ...open)
    while (tabs.length < TABS) {
      const tab = await Tab.open(context, origin, String(++opened))
      await tab.begin()
      tabs.push(tab)
    }
  }
  await fill()

  const handOvers: number[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    await ledger.more(STARTS_BETWEEN)
    const driver = await driverOf(tabs)
    const way = WAYS[kill % WAYS.length]!
    const next = ledger.nextRun()
    const endedAt = performance.now()
    const ended = driver[way]()
    await next
    handOvers.push(performance.now() - endedAt)
    await ended
    if (way === 'halt') await driver.wake()
    if (way === 'reload') await driver.begin()
    await fill()
  }

  await Promise.all(tabs.map((tab) => tab.stop()))
  const [one] = tabs
  expect(await one!.rest()).toEqual({ ready: 0, scheduled: 0, leased: 0, deadLetters: 0 })

  const told = [...ledger.told.keys()]
  const lost = [...(await one!.unfinished(told)), ...told.filter((id) => !ledger.started.has(id))]
  const twice = [...ledger.settled].filter(([, tokens]) => tokens.length > 1)
  const starts = [...ledger.started]
  const again = starts.filter(([id, all]) => all.some(({ token }) => token > (ledger.settled.get(id)?.[0] ?? Infinity)))
  const charged = starts.filter(([, all]) => all.some(({ attempt }) => attempt > 1))
  const { wrong } = ledger
  const bad = { lost, twice, again, charged, wrong }
  tellEvidence(ledger, handOvers, Object.values(bad).flat().length)
  expect(bad).toEqual({ lost: [], twice: [], again: [], charged: [], wrong: [] })
  expect(told.length).toBeGreaterThan(KILLS)
}, TIMEOUT_MS)

/** The tab that drives; between two drivers it takes a moment. */
async function driverOf(tabs: readonly Tab[]): Promise<Tab> {
  for (;;) {
    const driver = await tabs[0]!.driverAmong(tabs)
    if (driver !== undefined) return driver
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
    'Five tabs of one box enqueued and sent in Chromium while the one that drove it was closed, reloaded, crashed and halted; what the ' +
    'service saw was compared with every receipt: no message was lost, settled twice, delivered behind its settlement, or charged an attempt.'
  writeFileSync(file, JSON.stringify({ figures, proves: [{ promise: 'tab-kill', how, runs: handOvers.length, failures }], skipped: [] }))
}
