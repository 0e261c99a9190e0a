/**
 * The engine of a box on Redis, as the driver sees it. Two parts do its work: the *core*, an engine of this process, decides
 * when messages are wanted, who handles them and what that means for them (concurrency, rates, circuits, budgets, delays,
 * verdicts); the *ledger* on the server decides which messages there are, whose they are and what a settlement changes.
 * Here each command goes to the one that it concerns, and each hears of the other what it has to know.
 */

import type { Clock } from '../../../clock.js'
import { AT_ONCE, type CallResult, type Engine, type EngineKind, type Failure } from '../../../engine/engine.js'
import type { Request } from '../../../engine/objects.js'
import { type DeliverView, type Dequeue, type Enqueue, EventKind, type EventView, OutputKind, type Reader, ReplyCode, type Settle, type Writer } from '../../../engine/wire.gen.js'
import { AckboxError } from '../../../errors.js'
import { failureOf } from '../../../share/member.js'
import { OpRecorder } from '../../../share/op-recorder.js'
import type { Call, InputRecord } from '../../../share/protocol.js'
import type { RedisLedger } from '../redis-ledger.js'
import type { Claim } from '../transitions.js'
import type { Wake } from '../wake.js'
import { Accepting, plainEvent } from './accepting.js'
import { Answers } from './answers.js'
import { Caring } from './caring.js'
import { Claims } from './claims.js'
import { Dequeues } from './dequeues.js'
import { Leases } from './leases.js'
import { Looking } from './looking.js'
import { RemoteQueues, type RemoteQueue } from './queues.js'
import { leaseLost, Settling } from './settling.js'
import { StepRecords } from './steps.js'
import { Waits } from './waiting.js'

/** Events that the core knows of: what becomes of deliveries of this process. */
const OF_THE_CORE = mask('started', 'completed', 'failed', 'retry', 'dead', 'stalled', 'circuit')

export class RedisEngine implements Engine {
  readonly kind: EngineKind
  readonly #core: Engine
  readonly #ledger: RedisLedger
  readonly #recorder = new OpRecorder()
  readonly #answers = new Answers()
  readonly #queues: RemoteQueues
  readonly #leases: Leases
  readonly #accepting: Accepting
  readonly #settling: Settling
  readonly #claims: Claims
  readonly #dequeues: Dequeues
  readonly #looking: Looking
  readonly #caring: Caring
  readonly #waits: Waits
  readonly #steps: StepRecords
  readonly #underWay = new Set<Promise<unknown>>()
  #wake = (): void => {}
  #freed = false

  constructor(core: Engine, ledger: RedisLedger, clock: Clock) {
    this.kind = core.kind
    this.#core = core
    this.#ledger = ledger
    this.#queues = new RemoteQueues(core, ledger)
    this.#leases = new Leases(ledger, clock, (token) => this.#loseClaim(token))
    this.#accepting = new Accepting(ledger, this.#queues, this.#answers, clock)
    this.#settling = new Settling(core, ledger, this.#leases, this.#accepting, () => clock.now())
    this.#claims = new Claims(ledger, clock, {
      take: (...claim) => this.#take(...claim),
      failed: (queue, error) => this.#answers.tell({ notice: 'warning', message: `queue '${queue.name}': a claim failed: ${failureOf(error).message}`, queue: queue.name }),
    })
    this.#looking = new Looking(ledger, this.#queues, this.#answers)
    this.#caring = new Caring(ledger, this.#queues, this.#looking, (queue) => this.#changed(queue))
    this.#waits = new Waits(ledger, clock, this.#looking, this.#answers)
    this.#steps = new StepRecords(ledger, this.#leases, this.#answers)
    this.#dequeues = new Dequeues(ledger, clock, this.#answers, (record, queue, claim, leaseMs, askedAt) => this.#takeFor(record, queue, claim, leaseMs, askedAt))
  }

  get input(): Writer {
    return this.#recorder.writer
  }

  get output(): Reader {
    return this.#answers.outputs.reader
  }

  /** How long ago the server last answered a claim. */
  get lastClaimAt(): number | undefined {
    return this.#claims.lastAt
  }

  attach(wake: () => void): void {
    this.#wake = wake
    this.#answers.attach(wake)
  }

  /** Listens to the server, which wakes those who wait. */
  async listen(): Promise<void> {
    await this.#ledger.onWake((wake) => this.#woken(wake))
  }

  /** A promise that settles when something of what the server was asked for is answered; none if nothing is under way. */
  busy(): Promise<unknown> | undefined {
    return this.#underWay.values().next().value
  }

  step(now: number): boolean {
    for (const call of this.#recorder.take()) if ('input' in call) this.#input(call)
    this.#run(now)
    this.#answers.outputs.rewind()
    return false
  }

  call(now: number, ticket: number, request: Request): CallResult {
    switch (request.op) {
      case 'defineQueue':
        return this.#queues.define(now, ticket, request)
      case 'listen':
        this.#queues.at(request.queue).events = request.events
        return this.#core.call(now, ticket, { ...request, events: request.events & OF_THE_CORE })
      case 'openWorker': {
        const opened = this.#core.call(now, ticket, request)
        this.#poke(this.#queues.at(request.queue))
        return opened
      }
      case 'close':
        this.#claims.end()
        this.#dequeues.end()
        return this.#core.call(now, ticket, request)
      default:
    }
    const work = this.#ask(now, ticket, request)
    if (work === undefined) return this.#core.call(now, ticket, request)
    if (ticket === AT_ONCE) return { failure: { code: 'ERR_UNSUPPORTED', message: `${request.op}: a box on Redis does not answer it at once` } }
    this.#answers.follow(ticket, this.#during(work))
    return {}
  }

  take(key: number): unknown {
    return this.#answers.take(key)
  }

  wakeup(): number {
    return this.#core.wakeup()
  }

  free(): void {
    if (this.#freed) return
    this.#freed = true
    this.#claims.end()
    this.#dequeues.end()
    this.#waits.end()
    this.#leases.end()
    this.#settling.end()
    this.#core.free()
  }

  /** What the server is asked for; nothing for what concerns the core. */
  #ask(now: number, ticket: number, request: Request): Promise<unknown> | undefined {
    switch (request.op) {
      case 'get':
        return this.#looking.get(ticket, request)
      case 'peek':
        return this.#looking.peek(ticket, request)
      case 'select':
        return this.#looking.select(ticket, request)
      case 'deadPage':
        return this.#looking.deadPage(ticket, request)
      case 'deadCount':
        return this.#looking.deadCount(request)
      case 'queueStats':
        return this.#looking.queueStats(this.#core.call(now, AT_ONCE, request), this.#queues.at(request.queue))
      case 'boxStats':
        return this.#looking.boxStats(this.#core.call(now, AT_ONCE, request))
      case 'queues':
        return this.#looking.queues()
      case 'pauseQueue':
      case 'resumeQueue': {
        const kind = request.op === 'pauseQueue' ? EventKind.paused : EventKind.resumed
        return this.#caring.pause(request as never).then((changed) => void (changed && this.#tell(request.queue, kind)))
      }
      case 'cancel':
      case 'retryNow':
      case 'forget':
        return this.#caring.withdraw(request as never)
      case 'purge':
        return this.#caring.purge(request)
      case 'removeDead':
        return this.#caring.removeDead(request)
      case 'redrive':
        return this.#caring.redrive(request)
      case 'openProducer':
        return Promise.reject(unsupported('producer'))
      default:
        return undefined
    }
  }

  #input({ input, record, parts = [] }: Extract<Call, { input: unknown }>): void {
    const { ticket = 0 } = record
    try {
      const work = this.#route(input, record, parts.map((part) => part.record))
      if (work !== undefined) void this.#during(work).catch((error: unknown) => this.#answers.refuse(ticket, failureOf(error)))
    } catch (error) {
      this.#answers.refuse(ticket, failureOf(error))
    }
  }

  /** Hands a command to whom it concerns; a promise is what the server does for it. */
  #route(input: string, record: InputRecord, parts: readonly InputRecord[]): Promise<unknown> | undefined {
    const { ticket = 0, queue: number = 0 } = record
    switch (input) {
      case 'enqueue':
        return this.#enqueue(ticket, [record as unknown as Enqueue])
      case 'batch':
        return this.#enqueue(ticket, parts as unknown as Enqueue[])
      case 'transaction': {
        const settles = parts.slice(0, record['settles'] as number) as unknown as Settle[]
        const enqueues = parts.slice(settles.length) as unknown as Enqueue[]
        return this.#settling.transact(ticket, settles, enqueues).then((count) => {
          this.#answers.answer(ticket, count)
          for (const queue of new Set(enqueues.map((enqueue) => this.#queues.at(enqueue.queue)))) this.#changed(queue)
        })
      }
      case 'finished':
        return void this.#waits.finished(ticket, this.#queues.at(number), record['id'] as string)
      case 'idle':
        return void this.#waits.idle(ticket, this.#queues.at(number))
      case 'stopWaiting':
        if (!this.#waits.stop(ticket) && !this.#dequeues.stop(ticket)) this.#core.input.stopWaiting({ ticket })
        return undefined
      case 'dequeue':
        return void this.#dequeues.add(record as unknown as Dequeue, this.#queues.at(number))
      case 'extend':
        return this.#extend(record as never)
      case 'recordStep':
        return this.#steps.record(record as never)
      case 'recallStep':
        return this.#steps.recall(record as never)
      case 'produce':
      case 'editDead':
        throw unsupported(input === 'produce' ? 'producer' : 'dead.edit')
      default:
        ;(this.#core.input[input as keyof Writer] as unknown as (record: object) => void)(record)
        return undefined
    }
  }

  async #enqueue(ticket: number, records: readonly Enqueue[]): Promise<void> {
    await this.#accepting.accept(ticket, records)
    if (records[0] !== undefined) this.#changed(this.#queues.at(records[0].queue))
  }

  async #extend(record: { ticket: number; token: number; ms: number }): Promise<void> {
    const held = this.#leases.get(record.token)
    if (held === undefined || !(await this.#leases.extend(held, record.ms))) {
      if (held !== undefined) this.#loseClaim(record.token)
      throw leaseLost()
    }
    this.#core.input.extend(record)
    this.#wake()
  }

  /** Lets the core work until it has nothing more to say. */
  #run(now: number): void {
    const { input, output } = this.#core
    const replies: { ticket: number; isFailure: boolean }[] = []
    const notices: number[] = []
    let more: boolean
    do {
      more = this.#core.step(now)
      while (output.next()) {
        if (output.kind === OutputKind.reply) {
          const { ticket, code, value } = output.reply
          if (code === ReplyCode.value) this.#answers.answer(ticket, value)
          else replies.push({ ticket, isFailure: code === ReplyCode.failure })
        } else if (output.kind === OutputKind.notice) notices.push(output.notice.number)
        else this.#perform(output)
      }
    } while (more || input.length > 0)
    for (const { ticket, isFailure } of replies) {
      const object = this.#core.take(ticket)
      if (isFailure) this.#answers.refuse(ticket, object as Failure)
      else this.#answers.answer(ticket, object)
    }
    for (const number of notices) this.#answers.tell(this.#core.take(number) as never)
  }

  #perform(output: Reader): void {
    switch (output.kind) {
      case OutputKind.deliver:
        return this.#deliver(output.deliver)
      case OutputKind.abort:
        return this.#answers.abort(output.abort.token, output.abort.reason)
      case OutputKind.event:
        return this.#event(output.event)
      case OutputKind.want:
        return this.#claims.want(this.#queues.at(output.want.queue), output.want.max)
      case OutputKind.settlement:
        return this.#settling.gather(output.settlement)
      case OutputKind.transit:
        return void this.#during(this.#settling.transit().then(() => this.#settled()))
      default:
        throw new Error(`the core of a box on Redis asked for an effect of the kind ${output.kind}`)
    }
  }

  #deliver(view: DeliverView): void {
    const { token, ticket, worker, queue, attempt, priority, enqueuedAt, leaseUntil, handedOver } = view
    const held = this.#leases.get(token)!
    held.isManual = ticket !== 0
    const { key, order, hasSteps } = held.message
    if (handedOver && held.message.group === undefined) this.#leases.delete(token)
    this.#answers.deliver({
      ...{ token, ticket, worker, queue, attempt, priority, enqueuedAt, leaseUntil, handedOver },
      // What step keys are made of: the same in every process, and another one when an id is used again.
      number: order,
      run: (key.readUInt32BE(0) ^ key.readUInt32BE(4) ^ key.readUInt32BE(8) ^ key.readUInt32BE(12)) >>> 0,
      steps: hasSteps ? 1 : 0,
      id: view.id(),
      group: view.group(),
      destination: view.destination(),
      headers: view.headersText(),
      body: view.body().slice(),
    })
  }

  #event(view: EventView): void {
    const { event, queue, attempt, waitMs, handleMs, at, reason, circuitFrom, circuitTo } = view
    this.#answers.event({ event, queue, attempt, waitMs, handleMs, at, reason, circuitFrom, circuitTo, id: view.id(), error: view.errorText() })
  }

  /** Gives the core what was claimed. */
  #take(queue: RemoteQueue, claim: Claim, leaseMs: number, askedAt: number, dry: boolean): void {
    this.#takeIn(queue, claim, leaseMs, askedAt)
    this.#core.input.claimDone({ queue: queue.number, dry })
    this.#wake()
  }

  /** Gives the core what was claimed for a dequeue: it comes first, so that it gets them. */
  #takeFor({ ticket, max, leaseMs }: Dequeue, queue: RemoteQueue, claim: Claim, heldMs: number, askedAt: number): void {
    this.#core.input.dequeue({ ticket, queue: queue.number, max: Math.min(max, claim.messages.length), leaseMs, waitMs: 0 })
    this.#takeIn(queue, claim, heldMs, askedAt)
    this.#wake()
  }

  #takeIn(queue: RemoteQueue, { messages }: Claim, leaseMs: number, askedAt: number): void {
    for (const message of messages) {
      const { token, attempt, deaths, priority, enqueuedAt, firstClaimAt, expiresAt, group, destination, headers, body } = message
      this.#leases.add(queue, message, leaseMs, askedAt)
      this.#core.input.takeIn({
        ...{ token, queue: queue.number, attempt, deaths, priority, group, destination, headers, body },
        id: message.id ?? this.#ledger.keys.idOf(message.key, queue.name),
        enqueuedAt: this.#ledger.local(enqueuedAt),
        firstDelivery: this.#ledger.local(firstClaimAt),
        deadline: expiresAt === undefined ? undefined : this.#ledger.local(expiresAt),
        maxAttempts: message.maxAttempts ?? Infinity,
      })
    }
  }

  #loseClaim(token: number): void {
    this.#leases.delete(token)
    this.#core.input.loseClaim({ token })
    this.#wake()
  }

  /** Settlements are done: their messages, or those behind them, may wait again. */
  #settled(): void {
    this.#waits.settled()
    this.#wake()
  }

  #woken(wake: Wake): void {
    this.#waits.wake(wake)
    const queue = wake.kind === 'work' ? this.#queues.named(wake.queue) : undefined
    if (queue !== undefined) this.#poke(queue)
  }

  /** This process changed something in a queue. */
  #changed(queue: RemoteQueue): void {
    this.#poke(queue)
    this.#tell(queue.number, EventKind.changed)
  }

  #poke(queue: RemoteQueue): void {
    this.#claims.poke(queue)
    this.#dequeues.poke(queue)
  }

  #tell(number: number, kind: number): void {
    const queue = this.#queues.at(number)
    if ((queue.events & (1 << kind)) !== 0) this.#answers.event(plainEvent(kind, number, ''))
  }

  /** Notes that the server is asked for something. */
  #during<T>(work: Promise<T>): Promise<T> {
    const underWay = work.then(
      () => {},
      () => {},
    )
    this.#underWay.add(underWay)
    void underWay.then(() => this.#underWay.delete(underWay))
    return work
  }
}

function mask(...kinds: (keyof typeof EventKind)[]): number {
  return kinds.reduce((sum, kind) => sum | (1 << EventKind[kind]), 0)
}

function unsupported(what: string): Error {
  return new AckboxError('ERR_UNSUPPORTED', `${what}: not supported by a box on Redis`)
}
