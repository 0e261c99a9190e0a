/**
 * One box, everything that happens to it, and what was told meanwhile. Calls are begun and not awaited, so that what one
 * of them does meets all others; time is virtual and passes only where the scenario says so.
 */
import { AckboxError, type Box, type Delivery, open, type Queue, type QueueOptions, type Warning, type Worker } from 'ackbox'

import { Calls } from './calls.ts'
import { VirtualClock } from './clock.ts'
import { Faults, type How, type Thrown } from './faults.ts'
import { LateStorage } from './late-storage.ts'
import { type Facts, Model } from './model.ts'
import type { Deed, Op, Plan, Scenario, Trap } from './scenario.ts'

/** What bodies are here. */
export interface Body {
  readonly id: string
  readonly trap?: Trap
}

const NAMES = ['jobs', 'payments']
/** Moves of the clock after which a box that is closed has nothing more to do. */
const MOVES_MAX = 300
const HOUR_MS = 3_600_000
/** After it everything rests that has an end: more than any wait, lease, backoff or late answer of a scenario. */
const REST_MS = 10_000

/** Where a failure is the user's own to see, and where it must come out in a warning. */
const TOLD_BY_WARNING = ['listener', 'watch', 'worker listener']

export class World {
  readonly clock = new VirtualClock()
  readonly faults = new Faults(this.clock)
  readonly model = new Model()
  readonly calls = new Calls((error) => error === GIVEN_UP || this.#isThrown(error))
  readonly storage = new LateStorage(this.clock)
  /** Whether the box was still open, and sound, when everything came to rest. */
  hasRested = false
  /** Warnings that were heard, and those that went to the process. */
  readonly heard: Warning[] = []
  readonly shown: string[] = []
  readonly #scenario: Scenario
  readonly #workers: Worker[] = []
  readonly #held: Delivery<Body>[] = []
  /** Queues of which a handler or a step has begun that never ends. */
  readonly #stuck = new Set<number>()
  readonly #closedWorkers = new Set<Worker>()
  #isClosing = false
  #abort = new AbortController()
  #box!: Box
  #queues: Queue<Body, unknown, Body>[] = []
  #plan = 0
  #serial = 0

  constructor(scenario: Scenario) {
    this.#scenario = scenario
  }

  /** Everything of the scenario, and its end. */
  async run(): Promise<void> {
    await this.#open(this.storage)
    if (!this.#scenario.isDeaf) this.#box.on('warning', (warning) => void this.heard.push(warning))
    this.calls.begin('box.closed', () => this.#box.closed, undefined, () => true)
    for (const op of this.#scenario.ops) await this.#do(op)
    await this.#end()
    await this.#reopen()
  }

  async #open(storage: LateStorage): Promise<void> {
    this.#box = await open(storage, { clock: this.clock, segmentBytes: 4096, maxMemoryBytes: 2000, seed: 'model' })
    this.#queues = NAMES.map((name, index) => {
      const queue = this.#box.queue<Body, unknown, Body>(name, this.#options(index))
      queue.on('completed', ({ id }) => this.model.completed(name, id))
      queue.on('dead', ({ id }) => this.model.died(name, id))
      return queue
    })
  }

  #options(index: number): QueueOptions<Body, Body> {
    const encoder = new TextEncoder()
    return {
      guarantee: index === 0 ? 'at-least-once' : 'exactly-once',
      maxAttempts: 2,
      leaseMs: 300,
      backoff: () => 20,
      id: ({ id }) => id,
      group: (body) => this.#spring(body, 'group', index === 0 ? undefined : 'all') as string,
      destination: (body) => this.#spring(body, 'destination', undefined) as never as string,
      codec: {
        encode: (body) => this.#spring(body, 'encode', encoder.encode(JSON.stringify(body))) as Uint8Array,
        decode: (bytes) => {
          const body = JSON.parse(new TextDecoder().decode(bytes)) as Body
          return this.#spring(body, 'decode', body) as Body
        },
      },
      schema: {
        '~standard': {
          version: 1,
          vendor: 'model',
          validate: (value) => {
            const { trap } = value as Body
            return this.faults.end(trap?.at === 'schema' ? trap.how : 'fine', 'schema', { value: value as Body })
          },
        },
      },
    }
  }

  /** A function of a body: it fails if the body is trapped there. None of these may be asynchronous. */
  #spring<T>({ trap }: Body, at: Trap['at'], value: T): T {
    if (trap?.at !== at) return value
    return this.faults.end(synchronous(trap.how), at, value)
  }

  #body(id: number, trap: Trap | undefined): Body {
    const body = { id: `m${id}`, ...(trap === undefined ? {} : { trap }) }
    if (trap?.at !== 'toJSON') return body
    return { ...body, toJSON: () => this.faults.end(trap.how === 'has a then that throws' ? 'throws' : synchronous(trap.how), 'toJSON', undefined) } as Body
  }

  async #do(op: Op): Promise<void> {
    switch (op.do) {
      case 'enqueue':
        return this.#enqueue(op.queue, op.id, op.trap, { delayMs: op.delayMs, ...(op.signal ? { signal: this.#abort.signal } : {}) })
      case 'enqueueMany':
        return this.#enqueueMany(op.queue, op.ids, op.trap)
      case 'process':
        return this.#process(op)
      case 'worker':
        return this.#tellWorker(op)
      case 'dequeue':
        return this.#dequeue(op.queue, op.waitMs, op.signal)
      case 'settle':
        return this.#settle(op.pick, op.how)
      case 'consume':
        return this.#consume(op.queue, op.takes)
      case 'drain':
        return this.calls.begin(
          'drain',
          () => this.#queue(op.queue).drain(this.#handler(op.queue), this.#given(op.signal)),
          undefined,
          () => this.#hasMore(op.queue, ['ready', 'scheduled', 'leased']),
        )
      case 'finished':
        return this.#finished(op)
      case 'wait':
        return this.#wait(op.queue, op.what)
      case 'watch':
        return this.calls.begin('watch', () => void this.#queue(op.queue).watch().subscribe(() => this.faults.end(op.how, 'watch', undefined)))
      case 'listen':
        return this.#listen(op.queue, op.how, op.deed)
      case 'use':
        return this.#use(op.where, op.how)
      case 'transaction':
        return this.#transact(op)
      case 'produce':
        return this.#produce(op)
      case 'care':
        return this.#care(op)
      case 'abort':
        return this.#giveUp()
      case 'fault':
        return void this.storage.faults.push(op.fault)
      case 'advance':
        return this.clock.advance(op.ms)
      case 'turn':
        return new Promise((resolve) => setImmediate(resolve))
      case 'check':
        return this.#check()
      case 'close':
        return this.#close(op.timeoutMs)
    }
  }

  #queue(index: number): Queue<Body, unknown, Body> {
    return this.#queues[index]!
  }

  #given(signal: boolean): { signal?: AbortSignal } {
    return signal ? { signal: this.#abort.signal } : {}
  }

  #enqueue(index: number, id: number, trap: Trap | undefined, options: { delayMs?: number; signal?: AbortSignal } = {}): void {
    const queue = this.#queue(index)
    const body = this.#body(id, trap)
    this.calls.begin(
      'enqueue',
      () => queue.enqueue(body, options),
      (receipt) => this.#accepted(queue.name, receipt.id, trap),
    )
    // It may be durable although nobody is told.
    this.model.of(queue.name, body.id)
  }

  #accepted(queue: string, id: string, trap: Trap | undefined): void {
    if (trap !== undefined && trap.at !== 'decode') this.model.broken.push(`${queue}/${id} was accepted though its ${trap.at} ${trap.how}`)
    this.model.of(queue, id).isAccepted = true
  }

  #enqueueMany(index: number, ids: readonly number[], trap: Trap | undefined): void {
    const queue = this.#queue(index)
    const items = ids.map((id, place) => ({ body: this.#body(id, place === 1 ? trap : undefined) }))
    for (const { body } of items) this.model.of(queue.name, body.id)
    this.calls.begin('enqueueMany', () => queue.enqueueMany(items), (receipts) => {
      for (const [place, { id }] of receipts.entries()) this.#accepted(queue.name, id, place === 1 ? trap : undefined)
    })
  }

  #process({ queue, concurrency, timeoutMs, breaker }: Extract<Op, { do: 'process' }>): void {
    const name = `w${this.#serial++}`
    const options = { concurrency, name, ...(timeoutMs === undefined ? {} : { timeoutMs }), ...(breaker ? { breaker: { failures: 1, cooldownMs: 60 } } : {}) }
    this.calls.begin('process', () => {
      const worker = this.#queue(queue).process(this.#handler(queue), options)
      this.#workers.push(worker)
      this.calls.begin('worker.closed', () => worker.closed, undefined, () => !this.#closedWorkers.has(worker))
    })
  }

  #handler(index: number): (message: Delivery<Body>) => unknown {
    return (message) => {
      const plan = this.#nextPlan()
      const name = NAMES[index]!
      this.model.delivered(name, message.id)
      this.#perform(plan.deed, index)
      if (plan.step !== 'none') {
        const { step } = plan
        if (step === 'never') this.#stuck.add(index)
        this.calls.begin('step', () => message.step('s', () => this.faults.end(step, 'step', 1)), undefined, () => step === 'never')
      }
      this.#settleInHandler(name, message, plan)
      if (plan.how === 'never') this.#stuck.add(index)
      if (plan.how === 'fine' || plan.how === 'late') this.model.of(name, message.id).isHandled = true
      return this.faults.end(plan.how, 'handler', undefined)
    }
  }

  #settleInHandler(queue: string, message: Delivery<Body>, { settle }: Plan): void {
    if (settle === 'not') return
    if (settle === 'reject') return this.calls.begin('reject', () => message.reject(new Error('no')))
    this.model.of(queue, message.id).isHandled = true
    let successes = 0
    for (let times = settle === 'ack' ? 1 : 2; times > 0; times--) {
      this.calls.begin('ack', () => message.ack(), () => {
        if (++successes > 1) this.model.broken.push(`${queue}/${message.id} was acknowledged twice`)
      })
    }
  }

  #nextPlan(): Plan {
    const { plans } = this.#scenario
    return plans[this.#plan++ % plans.length]!
  }

  /** What user code does wherever it runs. */
  #perform(deed: Deed, index: number): void {
    switch (deed) {
      case 'enqueue':
        return this.#serial < 200 ? this.#enqueue(index, this.#serial++ % 8, undefined) : undefined
      case 'dequeue':
        return this.#dequeue(1 - index, 50, false)
      case 'close box':
        return this.#close(100)
      case 'close worker':
        return this.#tellWorker({ do: 'worker', pick: 0, how: 'close', fails: 'fine' })
      case 'abort':
        return this.#giveUp()
      case 'pause':
        return this.calls.begin('pause', () => this.#queue(index).pause())
      case 'nothing':
    }
  }

  #giveUp(): void {
    const given = this.#abort
    this.#abort = new AbortController()
    given.abort(GIVEN_UP)
  }

  #tellWorker({ pick, how, fails }: Extract<Op, { do: 'worker' }>): void {
    const worker = this.#workers[pick % Math.max(1, this.#workers.length)]
    if (worker === undefined) return
    if (how === 'close' || how === 'close now') this.#closedWorkers.add(worker)
    this.calls.begin(`worker: ${how}`, () => {
      if (how === 'close') return worker.close({ timeoutMs: 60 })
      if (how === 'close now') return worker.close({ timeoutMs: 0 })
      if (how === 'listen') return void worker.on('finished', () => this.faults.end(fails, 'worker listener', undefined))
      return how === 'pause' ? worker.pause() : worker.resume()
    })
  }

  #dequeue(index: number, waitMs: number, signal: boolean): void {
    const queue = this.#queue(index)
    const until = this.clock.now() + waitMs
    this.calls.begin('dequeue', () => queue.dequeue({ waitMs, ...this.#given(signal) }), (message) => {
      if (message !== undefined) return this.#hold(queue.name, message)
      if (this.clock.now() < until) this.model.broken.push(`a dequeue of ${queue.name} gave up ${until - this.clock.now()} ms too early`)
    })
  }

  #hold(queue: string, message: Delivery<Body>): void {
    this.model.delivered(queue, message.id)
    this.#held.push(message)
  }

  #settle(pick: number, how: 'ack' | 'reject' | 'extend' | 'dispose'): void {
    const message = this.#held[pick % Math.max(1, this.#held.length)]
    if (message === undefined) return
    this.calls.begin(how, () => {
      if (how === 'ack') this.#of(message).isHandled = true
      if (how === 'ack') return message.ack({ done: true })
      if (how === 'reject') return message.reject('no')
      return how === 'extend' ? message.extend(200) : message[Symbol.asyncDispose]()
    })
  }

  /** What is known of a delivery's message. The queues differ in their groups. */
  #of({ group, id }: Pick<Delivery, 'group' | 'id'>): Facts {
    return this.model.of(group === undefined ? NAMES[0]! : NAMES[1]!, id)
  }

  #consume(index: number, takes: number): void {
    const queue = this.#queue(index)
    this.calls.begin('consume', async () => {
      let taken = 0
      for await (const message of queue.consume({ prefetch: 2 })) {
        this.model.delivered(queue.name, message.id)
        if (taken++ >= takes) break
        this.model.of(queue.name, message.id).isHandled = true
        await message.ack()
      }
    }, undefined, async () => !(await this.#hasMore(index, ['ready'])) || this.#isTaken(index))
  }

  #finished({ queue, id, timeoutMs, signal }: Extract<Op, { do: 'finished' }>): void {
    const options = { ...(timeoutMs === undefined ? {} : { timeoutMs }), ...this.#given(signal) }
    const isUnfinished = async (): Promise<boolean> => {
      const info = await this.#queue(queue).get(`m${id}`)
      return info === undefined || !['completed', 'cancelled', 'dead'].includes(info.state)
    }
    this.calls.begin('finished', () => this.#queue(queue).finished(`m${id}`, options), undefined, isUnfinished)
  }

  #wait(index: number, what: 'idle' | 'events'): void {
    const queue = this.#queue(index)
    if (what === 'idle') return this.calls.begin('idle', () => queue.idle(), undefined, () => this.#hasMore(index, ['ready', 'leased']))
    let seen = 0
    this.calls.begin('events', async () => {
      for await (const _ of queue.events()) if (++seen > 2) break
    }, undefined, () => seen < 3)
  }

  #listen(index: number, how: How, deed: Deed): void {
    const queue = this.#queue(index)
    // Once, so that what a listener does cannot make it hear more and more.
    let isNew = true
    const hear = (): unknown => {
      if (isNew) this.#perform(deed, index)
      isNew = false
      return this.faults.end(how, 'listener', undefined)
    }
    for (const event of ['enqueued', 'started', 'completed', 'dead'] as const) {
      this.calls.begin('on', () => void queue.on(event, hear as () => void))
    }
  }

  #use(where: 'enqueue' | 'deliver', how: How): void {
    const layer = (given: unknown, next: () => Promise<unknown>): unknown => {
      if (how === 'fine') return next()
      // It stands in for the handler.
      if (where === 'deliver' && how === 'late') this.#of(given as Delivery).isHandled = true
      return this.faults.end(how, 'middleware', undefined)
    }
    this.calls.begin('use', () => {
      const off = this.#box.use({ [where]: layer })
      // A layer that fails for ever would leave nothing to see.
      this.clock.setTimeout(off, 100)
    })
  }

  #transact({ queue, id, pick, how }: Extract<Op, { do: 'transaction' }>): void {
    const target = this.#queue(queue)
    const message = this.#held[pick % Math.max(1, this.#held.length)]
    this.model.of(target.name, `m${id}`)
    this.calls.begin(
      'transaction',
      () =>
        this.#box.transaction((tx) => {
          if (message !== undefined) {
            this.#of(message).isHandled = true
            tx.ack(message)
          }
          tx.enqueue(target, this.#body(id, undefined))
          return this.faults.end(how, 'transaction', undefined)
        }),
      () => void (this.model.of(target.name, `m${id}`).isAccepted = true),
      () => how === 'never',
    )
  }

  #produce({ queue, id, sequence }: Extract<Op, { do: 'produce' }>): void {
    const target = this.#queue(queue)
    this.model.of(target.name, `m${id}`)
    this.calls.begin('produce', async () => (await this.#box.producer('p')).enqueue(target, this.#body(id, undefined), { sequence }))
  }

  #care({ queue: index, id: number, how }: Extract<Op, { do: 'care' }>): void {
    const queue = this.#queue(index)
    const id = `m${number}`
    if (how === 'cancel') this.model.of(queue.name, id).isLoose = true
    if (how === 'redrive') this.model.redriven(queue.name)
    this.calls.begin(how, (): PromiseLike<unknown> => {
      if (how === 'cancel' || how === 'retryNow') return queue[how](id)
      if (how === 'redrive') return queue.dead.redrive()
      if (how === 'letters') return queue.dead.list().page()
      return queue[how]()
    })
  }

  #close(timeoutMs: number | undefined): void {
    this.#isClosing = true
    this.calls.begin('box.close', () => this.#box.close(timeoutMs === undefined ? {} : { timeoutMs }))
  }

  /** Everything rests: what the box shows is what was told. */
  async #check(): Promise<void> {
    await this.clock.turns()
    if (!this.#box.health().ok) return
    // A look may fail only if the box does, meanwhile.
    const look = Promise.all(this.#queues.map((queue) => this.model.compare(queue as never, 'while it is open')))
    const refused = look.then(() => false, (error: unknown) => (AckboxError.is(error) ? true : Promise.reject(error as Error)))
    await this.clock.advance(1_000)
    await refused
  }

  /** Whether a queue has messages in one of these states, or a handler that never ends. */
  async #hasMore(index: number, states: readonly ('ready' | 'scheduled' | 'leased')[]): Promise<boolean> {
    const stats = await this.#queue(index).stats()
    return this.#stuck.has(index) || states.some((state) => stats[state] > 0)
  }

  /** Whether what is ready may be another's to take: it is held back, or in the hands of who has not said so yet. */
  async #isTaken(index: number): Promise<boolean> {
    const { paused, leased } = await this.#queue(index).stats()
    return paused || leased > 0 || this.#stuck.has(index)
  }

  /** The faults stop and time passes: while the box is open, only that waits whose condition has not come. */
  async #rest(): Promise<void> {
    this.storage.faults.length = 0
    await this.clock.advance(REST_MS)
    if (this.#isClosing || !this.#box.health().ok) return
    this.hasRested = true
    for (const name of await this.calls.overdue()) this.model.broken.push(`${name} still waits while the box is open, and everything rests`)
  }

  /** The box is closed, and all time passes. */
  async #end(): Promise<void> {
    await this.#rest()
    this.#close(1_000)
    for (let moves = 0; moves < MOVES_MAX && (await this.clock.next()); moves++);
    await this.clock.advance(HOUR_MS)
    for (const name of this.calls.unsettled) this.model.broken.push(`${name} never ended`)
    for (const strange of this.calls.strange) this.model.broken.push(`a strange refusal of ${strange}`)
    for (const thrown of this.faults.thrown) if (!this.#isTold(thrown)) this.model.broken.push(`nobody was told of what a ${thrown.site} threw: ${thrown.text}`)
  }

  /** A new owner finds what was told, and brings all of it to an end. */
  async #reopen(): Promise<void> {
    await this.#open(this.storage.copy())
    for (const queue of this.#queues) await this.model.compare(queue as never, 'after reopening')
    const box = this.#box
    for (const queue of this.#queues) {
      const name = queue.name
      const rest = new Calls(() => false)
      const good = (message: Delivery<Body>): void => {
        this.model.delivered(name, message.id)
        this.model.of(name, message.id).isHandled = true
      }
      await queue.resume()
      queue.process(good)
      rest.begin('idle', () => queue.idle())
      await this.clock.advance(HOUR_MS)
      const { ready, scheduled, leased } = await queue.stats()
      if (ready + scheduled + leased > 0 || rest.unsettled.length > 0) {
        this.model.broken.push(`${name} was not finished by a good handler: ${JSON.stringify({ ready, scheduled, leased })}`)
      }
      await this.model.compare(queue as never, 'at last')
    }
    await box.close()
  }

  #isThrown(error: unknown): boolean {
    return this.faults.thrown.some(({ value }) => value === error)
  }

  /** What a listener throws comes out as a warning, with what it threw. */
  #isTold({ site, value, text }: Thrown): boolean {
    if (!TOLD_BY_WARNING.includes(site)) return true
    if (this.heard.some(({ cause }) => cause === value)) return true
    return this.shown.some((shown) => (text === '' ? /listener/.test(shown) : shown.includes(text)))
  }
}

const GIVEN_UP = new Error('the scenario gave up waiting')

/** Where nothing may be asynchronous, what would be is thrown. */
function synchronous(how: How): How {
  return ['rejects', 'then rejects', 'late failure', 'late', 'never'].includes(how) ? 'throws' : how
}
