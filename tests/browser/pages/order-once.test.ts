/**
 * From the box that tabs share into the box of a service, over HTTP: each order once, though tabs are reloaded, closed and
 * crash, the service is killed, and the network loses answers and doubles requests. [A7 receiver] [A7 httpSender]
 *
 * What befalls whom is drawn from a seed that is logged; ACKBOX_SEED repeats it.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage, RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { expect, it, onTestFinished } from 'vitest'

import { badNetwork } from '../../crash/inbox/bad-network.mjs'
import { type Program, start, succeed } from '../../support/programs.ts'
import { seededRandom, seedOfRun } from '../../support/random.ts'
import { useProfile } from './support/chromium.ts'
import { SENDING_SHOP, SENDING_SHOP_FOLDERS } from './support/sending-shop.ts'
import { site } from './support/site.ts'
import { Tab } from './support/tabs.ts'

const IS_FULL = process.env['ACKBOX_LENGTH'] === 'full'
const TABS = 3
/** What happens in turns, each time to the service or to the tab that drives. */
const BLOWS = ['service', 'crash', 'service', 'reload', 'close'] as const
const ROUNDS = IS_FULL ? 20 : 2
/** Orders that are shipped between two of them. */
const SHIPPED_BETWEEN = 8
const SERVICE = new URL('../../crash/inbox/service.mjs', import.meta.url)

const seed = seedOfRun()
console.log(`orders from tabs to a service: ACKBOX_SEED=${seed}`)

const newPage = useProfile({ args: ['--renderer-process-limit=32'] })

/** What tabs told: orders that they began with, that are kept here, that have arrived there, that came to another end. */
class Told {
  readonly tried = new Set<string>()
  readonly kept = new Set<string>()
  readonly arrived = new Set<string>()
  readonly lost = new Set<string>()

  readonly listeners: Readonly<Record<string, RequestListener>> = Object.fromEntries(
    (['tried', 'kept', 'arrived', 'lost'] as const).map((what) => [`/${what}`, noteIn(this[what])]),
  )
}

function noteIn(orders: Set<string>): RequestListener {
  return async (request: IncomingMessage, answer) => {
    try {
      let text = ''
      for await (const chunk of request) text += String(chunk)
      orders.add(text)
      answer.writeHead(204).end()
    } catch {
      // The tab is gone in the middle of it.
    }
  }
}

/** The service, in a process of its own over a folder. */
class Service {
  readonly #folder: string
  readonly #file: string
  readonly #mode: string
  #program: Program | undefined

  constructor(mode: 'serve' | 'naive') {
    this.#folder = mkdtempSync(join(tmpdir(), 'ackbox-order-once-'))
    this.#file = join(this.#folder, 'shipped')
    this.#mode = mode
    onTestFinished(() => rmSync(this.#folder, { recursive: true, force: true }))
  }

  /** Its port. */
  async begin(): Promise<number> {
    this.#program = start(SERVICE, [join(this.#folder, 'box'), this.#file, this.#mode])
    return Number(await this.#program.line((line) => /^\d+$/.test(line)))
  }

  async kill(): Promise<void> {
    this.#program!.child.kill('SIGKILL')
    expect(await this.#program!.ending).toMatchObject({ signal: 'SIGKILL', stderr: '' })
  }

  /** Lines of `<order> <key>`: one key for each message that its box accepted. */
  get shipped(): string[] {
    return existsSync(this.#file) ? readFileSync(this.#file, 'utf8').split('\n').slice(0, -1) : []
  }

  /** Resolves when so many more are shipped. */
  async ships(more: number): Promise<void> {
    const wanted = this.shipped.length + more
    while (this.shipped.length < wanted) await pause(2)
  }

  /** All that its box has is shipped, after a last kill; keys by orders. */
  async shipments(): Promise<Map<string, Set<string>>> {
    await this.kill()
    await succeed(SERVICE, [join(this.#folder, 'box'), this.#file, 'drain'])
    const shipments = new Map<string, Set<string>>()
    for (const line of this.shipped) {
      const [order, key] = line.split(' ') as [string, string]
      shipments.set(order, (shipments.get(order) ?? new Set()).add(key))
    }
    return shipments
  }
}

interface World {
  readonly told: Told
  readonly shipments: Map<string, Set<string>>
  /** What befell requests, and what was answered. */
  readonly seen: Readonly<Record<string, number>>
  readonly rest: unknown
}

async function live(mode: 'serve' | 'naive', blows: readonly (typeof BLOWS)[number][]): Promise<World> {
  const service = new Service(mode)
  const network = await badNetwork(seededRandom(seed))
  onTestFinished(() => network.close())
  network.port = await service.begin()
  const told = new Told()
  const listeners = { ...told.listeners, '/orders': network.listener }
  const origin = await site({ folders: SENDING_SHOP_FOLDERS, files: SENDING_SHOP, listeners })
  const context = (await newPage()).context()
  let tabs: Tab[] = []
  let opened = 0
  const fill = async (): Promise<void> => {
    tabs = tabs.filter(({ isGone }) => !isGone)
    while (tabs.length < TABS) {
      const tab = await Tab.open(context, origin, String(++opened))
      await tab.begin()
      tabs.push(tab)
    }
  }
  await fill()
  for (const blow of blows) {
    await service.ships(SHIPPED_BETWEEN)
    if (blow === 'service') {
      await service.kill()
      network.port = await service.begin()
      continue
    }
    const driver = await driverOf(tabs)
    await driver[blow]()
    if (blow === 'reload') await driver.begin()
    await fill()
  }
  await service.ships(SHIPPED_BETWEEN)
  await Promise.all(tabs.map((tab) => tab.stop()))
  const rest = await tabs[0]!.rest()
  const shipments = await service.shipments()
  console.log(JSON.stringify({ mode, tried: told.tried.size, kept: told.kept.size, arrived: told.arrived.size, ...network.seen }))
  return { told, shipments, seen: network.seen, rest }
}

/** The tab that drives; between two drivers it takes a moment. */
async function driverOf(tabs: readonly Tab[]): Promise<Tab> {
  for (;;) {
    const driver = await tabs[0]!.driverAmong(tabs)
    if (driver !== undefined) return driver
  }
}

const doubled = ({ shipments }: World): string[] => [...shipments].filter(([, keys]) => keys.size > 1).map(([order]) => order)

it(`each order of ${TABS} tabs is in the box of the service once, behind ${ROUNDS * BLOWS.length} kills of tabs and service [A7 receiver] [A7 httpSender, A1 share]`, async () => {
  const world = await live('serve', Array.from({ length: ROUNDS }, () => BLOWS).flat())
  const { told, shipments, seen } = world
  expect({
    'kept and not there': [...told.kept].filter((order) => !shipments.has(order)),
    'there twice': doubled(world),
    'there and never ordered': [...shipments.keys()].filter((order) => !told.tried.has(order)),
    'told to have come to another end': [...told.lost],
  }).toEqual({ 'kept and not there': [], 'there twice': [], 'there and never ordered': [], 'told to have come to another end': [] })
  expect(world.rest).toEqual({ ready: 0, scheduled: 0, leased: 0, deadLetters: 0 })
  expect(told.arrived.size).toBeGreaterThan(ROUNDS * BLOWS.length)
  for (const fate of ['answer-lost', 'cut', 'twice', 'twice-at-once', '200', '202']) expect(seen[fate], fate).toBeGreaterThan(0)
  const unexpected = Object.keys(seen).filter((status) => /^\d/.test(status) && !['200', '202', '409', '503'].includes(status))
  expect(unexpected).toEqual([])
}, 60_000 * ROUNDS)

it('a service without a memory of keys is found out: orders are there twice', async () => {
  const world = await live('naive', [])
  expect(doubled(world).length).toBeGreaterThan(0)
})
