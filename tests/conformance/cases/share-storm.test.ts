/**
 * Tabs of one box that order and send while they are closed, killed, frozen and thawed at random, mostly the one that drives:
 * every order that a tab was told of is completed once, and at no attempt.
 *
 * ACKBOX_SEED names one seed; the same seed makes the same storm.
 */
import { type Box, type Queue } from 'ackbox'
import { type ManualClock } from 'ackbox/testing'
import { expect, it } from 'vitest'

import { between, seededRandom } from '../../support/seeded.mjs'
import { IN_BROWSER } from '../support/platform.ts'
import { Origin, type Tab } from '../support/tabs.ts'
import { tabsClock } from '../support/tabs-clock.ts'

const SEED = IN_BROWSER ? undefined : process.env['ACKBOX_SEED']
/** A database on a disk takes its time. */
const STORMS = IN_BROWSER ? 3 : 8
const SEEDS = SEED === undefined ? Array.from({ length: STORMS }, (_, seed) => seed) : [Number(SEED)]
const TABS = 5
const ROUNDS = 40
/** In steps of a quarter of a second: longer than anything has to wait that is not stuck. */
const STEPS_MAX = 120

interface Order {
  readonly id: string
}

/** What a service would see, and the tabs were told. */
class Storm {
  readonly told = new Map<string, string>()
  /** The tokens of the deliveries that settled an order. */
  readonly settled = new Map<string, number[]>()
  /** What must not be. */
  readonly wrong: string[] = []
  readonly origin = new Origin()
  readonly clock: ManualClock = tabsClock()
  readonly tabs: (Tab & { readonly box: Box })[] = []
  readonly #random: ReturnType<typeof seededRandom>
  /** Enqueues under way, and whose they are. */
  readonly #under = new Map<Promise<unknown>, Tab>()
  #orders = 0

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  draw(most: number): number {
    return between(this.#random, 0, most)
  }

  /** Time goes on until this is so. */
  async until<T>(what: string, promise: Promise<T>): Promise<T> {
    let isDone = false
    void promise.then(() => (isDone = true), () => (isDone = true))
    for (let step = 0; step < STEPS_MAX; step++) {
      await this.clock.advance(isDone ? 0 : 250)
      if (isDone) return promise
    }
    throw new Error(`${what} is stuck`)
  }

  async open(): Promise<void> {
    const tab = await this.until('open', this.origin.tab({ clock: this.clock }))
    this.tabs.push(tab)
    const orders = this.#queue(tab)
    orders.process(async (message) => {
      const { id } = message.body
      // A tab that was frozen may only now see what it was handed before.
      if (message.token > (this.settled.get(id)?.[0] ?? Infinity)) this.wrong.push(`${id} was delivered behind its settlement`)
      if (message.attempt !== 1) this.wrong.push(`${id} was charged ${message.attempt} attempts`)
      await turns(this.draw(20))
      await message.ack()
      this.settled.set(id, [...(this.settled.get(id) ?? []), message.token])
    }, { concurrency: 2 })
  }

  order(): void {
    const awake = this.tabs.filter((tab) => !tab.isFrozen)
    const tab = awake[this.draw(awake.length - 1)]
    if (tab === undefined) return
    const id = `order-${++this.#orders}`
    const under = this.#queue(tab).enqueue({ id }, { id }).then(
      ({ status }) => void this.told.set(id, status),
      (error: Error) => void (this.tabs.includes(tab) && this.wrong.push(`${id} was refused: ${error.message}`)),
    )
    this.#under.set(under, tab)
    void under.then(() => this.#under.delete(under))
  }

  /** Something bad, mostly to the one that drives. */
  async strike(): Promise<void> {
    const driver = this.tabs.find((tab) => tab === this.origin.driver)
    const tab = this.draw(3) > 0 && driver !== undefined ? driver : this.tabs[this.draw(this.tabs.length - 1)]!
    switch (this.draw(3)) {
      case 0:
        this.#remove(tab)
        return tab.kill()
      case 1:
        if (tab.isFrozen) return tab.thaw()
        this.#remove(tab)
        return void this.until('close', tab.box.close({ timeoutMs: 0 })).catch((error: Error) => this.wrong.push(error.message))
      default:
        return tab.isFrozen ? tab.thaw() : tab.freeze()
    }
  }

  async end(): Promise<Queue<Order>> {
    for (const tab of this.tabs) tab.thaw()
    if (this.tabs.length === 0) await this.open()
    const living = [...this.#under].filter(([, tab]) => !tab.isDead)
    await this.until('an enqueue', Promise.all(living.map(([under]) => under)))
    const orders = this.#queue(this.tabs[0]!)
    await this.until('idle', orders.idle())
    return orders
  }

  #queue(tab: Tab & { readonly box: Box }): Queue<Order> {
    return tab.box.queue<Order>('orders', { maxAttempts: 1 })
  }

  #remove(tab: Tab): void {
    this.tabs.splice(this.tabs.findIndex((other) => other === tab), 1)
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

it.each(SEEDS)('nothing is lost, settled twice or charged, whatever becomes of the tabs: seed %i [A1 share, A2 stored, S2]', async (seed) => {
  // The first tab of all loads the engine, which takes no virtual time, but more turns than anything may that is not stuck.
  await (await new Origin().tab()).box.close()
  const storm = new Storm(seed)
  for (let round = 0; round < ROUNDS; round++) {
    while (storm.tabs.length < TABS) await storm.open()
    for (let orders = storm.draw(4); orders > 0; orders--) storm.order()
    await turns(storm.draw(60))
    if (storm.draw(1) === 0) await storm.strike()
    if (storm.draw(2) > 0) await storm.clock.advance(storm.draw(700))
  }
  const orders = await storm.end()
  const states = await Promise.all([...storm.told.keys()].map(async (id) => [id, (await orders.get(id))?.state]))
  const lost = states.filter(([, state]) => state !== 'completed')
  const twice = [...storm.settled].filter(([, tokens]) => tokens.length > 1)
  expect({ lost, twice, wrong: storm.wrong }).toEqual({ lost: [], twice: [], wrong: [] })
  expect(await orders.stats()).toMatchObject({ ready: 0, leased: 0, deadLetters: 0 })
  expect(storm.told.size).toBeGreaterThan(ROUNDS / 2)
})
