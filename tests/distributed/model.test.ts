/** Random programmes of two processes: Redis and a naive model give the same answers, step by step. */

import type { RedisLedger, Settlement, Sheet } from '../../npm/ackbox/dist/ledger/redis/index.js'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { openBox, START, type TestBox } from './support/box.ts'
import { type ModelItem, ModelQueue } from './support/model.ts'
import { type RedisServer, startRedis } from './support/redis-server.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.remove())

const WINDOW_MS = 400
const MAX_DEPTH = 25
const PROGRAMMES = process.env.ACKBOX_LENGTH === 'full' ? 600 : 30
const STEPS = 120

/** A number below a bound, drawn from a seed: mulberry32. */
type Draw = (below: number) => number

function drawFrom(seed: number): Draw {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

interface Delivery {
  readonly name: string
  readonly owner: number
  readonly token: number
  readonly key: Buffer
}

type Drawn = Omit<ModelItem, 'key'>

class Programme {
  readonly #draw: Draw
  readonly #box: TestBox
  readonly #ledgers: readonly RedisLedger[]
  readonly #model = new ModelQueue(START, WINDOW_MS, MAX_DEPTH)
  readonly #keys = new Map<string, Buffer>()
  readonly #deliveries: Delivery[] = []
  #made = 0

  constructor(draw: Draw, box: TestBox, ledgers: readonly RedisLedger[]) {
    this.#draw = draw
    this.#box = box
    this.#ledgers = ledgers
  }

  async step(): Promise<void> {
    const kind = this.#draw(20)
    if (kind < 6) await this.#enqueue()
    else if (kind < 10) await this.#claim()
    else if (kind < 15) await this.#settle()
    else if (kind === 15) await this.#extend()
    else if (kind === 16) await this.#withdraw('cancel')
    else if (kind === 17) await this.#redrive()
    else this.#box.time.now = this.#model.now += this.#draw(3) === 0 ? this.#draw(150) : this.#draw(8)
    expect(await this.#ledgers[0]!.stats('q')).toMatchObject(this.#model.counts())
  }

  async #enqueue(): Promise<void> {
    const drawn = Array.from({ length: 1 + this.#draw(3) }, () => this.#item())
    const sheets = drawn.map((item) => this.#sheetOf(item))
    const items = drawn.map((item, at) => ({ ...item, key: sheets[at]!.key.toString('hex') }))
    const results = await this.#anyone().enqueue('q', sheets)
    const told = results.map((result) => (result.status === 'refused' ? result.why : `${result.status} ${result.state}`))
    expect(told).toEqual(this.#model.enqueue(items))
  }

  #item(): Drawn {
    const inGroup = this.#draw(2) === 0
    const id = this.#draw(2) === 0 ? `id${this.#draw(12)}` : undefined
    const name = id ?? `m${++this.#made}`
    return {
      name,
      ...(id === undefined ? {} : { id }),
      body: id === undefined ? name : `${id} ${this.#draw(8) === 0 ? 'other' : ''}`,
      priority: this.#draw(3) === 0 ? this.#draw(3) : 0,
      ...(inGroup ? { group: `g${this.#draw(3)}` } : {}),
      delayMs: this.#draw(4) === 0 ? 1 + this.#draw(60) : 0,
      // One claim looks at many at once: who follows an expired head is seen to behind these, even with a higher priority.
      ...(!inGroup && this.#draw(6) === 0 ? { ttlMs: 1 + this.#draw(100) } : {}),
      limit: this.#draw(4),
    }
  }

  #sheetOf(item: Drawn): Sheet {
    const options = {
      priority: item.priority,
      ...(item.group === undefined ? {} : { group: item.group }),
      ...(item.delayMs === 0 ? {} : { delayMs: item.delayMs }),
      ...(item.ttlMs === undefined ? {} : { ttlMs: item.ttlMs }),
      ...(item.limit === 0 ? {} : { maxAttempts: item.limit }),
    }
    const sheet = item.id === undefined ? this.#box.sheet(item.body, options) : this.#box.named(item.id, item.body, options)
    this.#keys.set(item.name, sheet.key)
    return sheet
  }

  async #claim(): Promise<void> {
    const [max, leaseMs, owner] = [1 + this.#draw(4), 20 + this.#draw(200), this.#draw(2)]
    const { messages } = await this.#ledgers[owner]!.claim('q', { max, leaseMs })
    const expected = this.#model.claim(max, leaseMs, owner)
    expect(messages.map((message) => [message.body.toString(), message.attempt, message.deaths])).toEqual(
      expected.map((message) => [message.body, message.attempts, message.deaths]),
    )
    expected.forEach((message, at) => {
      const { token, key } = messages[at]!
      expect(token).toBeGreaterThan(message.token)
      message.token = token
      this.#deliveries.push({ name: message.name, owner, token, key })
    })
  }

  /** Of a delivery of any time, so that many are not held any more; sometimes by the wrong process. */
  async #settle(): Promise<void> {
    const delivery = this.#delivery()
    if (delivery === undefined) return
    const { name, token, key } = delivery
    const owner = this.#draw(8) === 0 ? 1 - delivery.owner : delivery.owner
    const holds = this.#model.holds(name, token, owner)
    const delayMs = this.#draw(2) * this.#draw(50)
    const ways: [Settlement, () => void][] = [
      [{ kind: 'completed', key, token }, () => this.#model.complete(name)],
      [{ kind: 'again', key, token, delayMs }, () => this.#model.again(name, delayMs, true)],
      [{ kind: 'again', key, token, delayMs, costsAttempt: false }, () => this.#model.again(name, delayMs, false)],
      [{ kind: 'dead', reason: 'permanent', key, token }, () => this.#model.bury(name)],
      [{ kind: 'returned', key, token }, () => this.#model.giveBack(name)],
    ]
    const [settlement, apply] = ways[this.#draw(ways.length)]!
    if (this.#draw(3) === 0) return this.#transact(owner, settlement, holds, apply)
    expect(await this.#ledgers[owner]!.settle('q', settlement)).toBe(holds ? 'settled' : 'lost')
    if (holds) apply()
  }

  async #transact(owner: number, settlement: Settlement, holds: boolean, apply: () => void): Promise<void> {
    // With an id that nobody has taken and, as the depth goes, room for it: whether it is done depends on the lease alone.
    const item: Drawn = { name: `m${++this.#made}`, body: `m${this.#made}`, priority: 0, delayMs: 0, limit: 0 }
    if (this.#model.counts().depth! >= MAX_DEPTH) return
    const sheet = this.#sheetOf(item)
    const result = await this.#ledgers[owner]!.transact([
      { kind: 'settle', queue: 'q', settlement },
      { kind: 'enqueue', queue: 'q', sheet },
    ])
    expect(result).toEqual({ done: holds, items: [holds ? 'settled' : 'lost', { status: 'accepted', state: 'ready' }] })
    if (!holds) return
    apply()
    this.#model.enqueue([{ ...item, key: sheet.key.toString('hex') }])
  }

  async #extend(): Promise<void> {
    const delivery = this.#delivery()
    if (delivery === undefined) return
    const { name, owner, token, key } = delivery
    const holds = this.#model.holds(name, token, owner)
    const ms = 1 + this.#draw(200)
    expect(await this.#ledgers[owner]!.extend('q', { key, token, ms })).toBe(holds ? 'extended' : 'lost')
    if (holds) this.#model.extend(name, ms)
  }

  async #withdraw(what: 'cancel'): Promise<void> {
    const name = this.#name()
    if (name !== undefined) expect(await this.#anyone().withdraw('q', what, [this.#keys.get(name)!])).toEqual([this.#model.cancel(name)])
  }

  async #redrive(): Promise<void> {
    const name = this.#name()
    if (name !== undefined) expect(await this.#anyone().redrive('q', [this.#keys.get(name)!])).toEqual([this.#model.redrive(name)])
  }

  #anyone(): RedisLedger {
    return this.#ledgers[this.#draw(2)]!
  }

  #delivery(): Delivery | undefined {
    const recent = this.#deliveries.slice(-8)
    return recent[this.#draw(recent.length || 1)]
  }

  #name(): string | undefined {
    const names = [...this.#model.live.keys(), ...[...this.#keys.keys()].slice(-3)]
    return names[this.#draw(names.length || 1)]
  }
}

test(`${PROGRAMMES} random programmes of ${STEPS} steps`, async () => {
  const first = Number(process.env.ACKBOX_SEED ?? 1)
  for (let seed = first; seed < first + PROGRAMMES; seed++) {
    const box = await openBox(server, { windowMs: WINDOW_MS, maxDepth: MAX_DEPTH })
    const programme = new Programme(drawFrom(seed), box, [box.ledger, await box.another()])
    for (let step = 0; step < STEPS; step++) {
      await programme.step().catch((error: unknown) => {
        throw new Error(`seed ${seed}, step ${step} (ACKBOX_SEED=${seed} runs it first): ${String(error)}`, { cause: error })
      })
    }
    await box.close()
  }
})
