/**
 * The real engine of a shared box, in the tab that drives it. It serves all tabs, this one too, each as a *member*: takes
 * their calls, with numbers of theirs for queues and workers, and tells each what comes of them.
 *
 * A member that goes away loses its deliveries, which go to others at no cost, and its workers.
 */
import type { CallResult, Failure } from '../engine/engine.js'
import type { CircuitInfo, Defined, Notice, Policies, Request, WorkerOpened } from '../engine/objects.js'
import { type DeliverView, type Enqueue, EventKind, type EventView, type Settle, Verdict, type Writer } from '../engine/wire.gen.js'
import type { Driver, Listener } from '../driver.js'
import { AckboxError } from '../errors.js'
import type { Warning } from '../events.js'
import { KeepAlive } from '../keep-alive.js'
import { describeChanges } from '../option-changes.js'
import { failureOf, Member, MemberWaiter } from './member.js'
import type { Call, InputRecord, Output } from './protocol.js'

/** What a hub tells of itself. */
export interface HubHost {
  /** It has ended; told once. */
  readonly failed: (error: AckboxError) => void
  readonly warned: (warning: Warning) => void
}

/** What a call lacks that names a queue or worker which the hub does not know. */
const UNKNOWN: Failure = { code: 'ERR_UNAVAILABLE', message: 'the tab that drives the box does not know this queue or worker any more' }

export class Hub implements Listener {
  readonly keepAlive = new KeepAlive()
  readonly deliveries = { delete(): void {} }
  readonly members = new Map<string, Member>()
  readonly #host: HubHost
  /** Who has the worker with this number, and under which. */
  readonly #workers = new Map<number, { readonly member: Member; readonly number: number }>()
  /** What the engine was told to emit, by its queues. */
  readonly #emitted = new Map<number, number>()
  /** Members who heard of a circuit, and are told of theirs. */
  readonly #circuitsDue = new Set<Member>()
  #driver!: Driver
  #lastSluice = 0
  #hasFailed = false
  #flushing = false

  constructor(host: HubHost) {
    this.#host = host
  }

  attach(driver: Driver): void {
    this.#driver = driver
  }

  /** A tab says hello for the `session`th time; whom it was before is gone. */
  join(id: string, session: number, send: (outputs: readonly Output[]) => void): Member {
    this.leave(id)
    const member = new Member(id, session, send)
    this.members.set(id, member)
    return member
  }

  /** A tab is gone, with all that it had. */
  leave(id: string): void {
    const member = this.members.get(id)
    if (member === undefined) return
    this.members.delete(id)
    if (this.#driver.isEnded) return
    for (const [token, isWorkers] of member.deliveries) this.#takeBack(token, isWorkers)
    for (const ticket of member.tickets.values()) this.#driver.stopWaiting(ticket, this.#driver.tickets.at(ticket))
    for (const worker of member.workers.values()) {
      this.#workers.delete(worker)
      void this.#driver.request({ op: 'closeWorker', worker }).catch(() => {})
    }
    for (const queue of member.listening.keys()) this.#listen(queue)
  }

  /** Takes calls of a member, in their order. */
  take(member: Member, calls: readonly Call[]): void {
    member.isHeard = true
    for (const call of calls) {
      const ticket = 'input' in call ? (call.record.ticket ?? 0) : call.ticket
      try {
        if ('input' in call) this.#input(member, call)
        else this.#request(member, call)
      } catch (error) {
        if (ticket !== 0) member.tell({ kind: 'refusal', ticket, failure: failureOf(error) })
      }
    }
    this.#flushSoon()
  }

  /** Answers a request of the member in this tab at once. */
  now(member: Member, call: Extract<Call, { request: unknown }>): CallResult {
    try {
      const { request } = call
      if (request.op === 'defineQueue') return { ok: this.#define(member, request, call.number!) }
      if (request.op === 'openWorker') return { ok: this.#openWorker(member, request, call.number!) }
      return { ok: this.#driver.call(this.#translated(member, request)) }
    } catch (error) {
      return { failure: failureOf(error) }
    }
  }

  deliver(view: DeliverView): void {
    if (view.ticket !== 0) {
      const waiter = this.#driver.tickets.at(view.ticket)
      if (waiter instanceof MemberWaiter && this.#isHere(waiter.member)) return waiter.member.deliver(view, 0, waiter.ticket)
      return this.#takeBack(view.token, false)
    }
    const worker = this.#workers.get(view.worker)
    if (worker !== undefined) return worker.member.deliver(view, worker.number, 0)
    const { token } = view
    this.#driver.post((input) => input.declined({ token }))
  }

  abort(token: number, reason: number): void {
    for (const member of this.members.values()) {
      const isWorkers = member.deliveries.get(token)
      if (isWorkers === undefined) continue
      if (!isWorkers) member.deliveries.delete(token)
      return member.tell({ kind: 'abort', token, reason })
    }
  }

  event(view: EventView): void {
    const { queue, event } = view
    for (const member of this.members.values()) {
      const number = member.queueNumbers.get(queue)
      const events = member.listening.get(queue) ?? 0
      if (number === undefined || (events & (1 << event)) === 0) continue
      member.event(view, number)
      if (event === EventKind.circuit) this.#circuitsDue.add(member)
    }
  }

  notice(notice: Notice): void {
    if (notice.notice === 'failed') return this.failed(this.#driver.toError(notice.failure))
    if (notice.notice === 'warning') return this.warn(notice)
    const worker = this.#workers.get(notice.worker)
    const { destination, openings } = notice
    worker?.member.tell({ kind: 'cooldown', worker: worker.number, destination, openings })
  }

  failed(error: AckboxError): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    queueMicrotask(() => this.#host.failed(error))
  }

  warn(warning: Warning): void {
    queueMicrotask(() => this.#host.warned(warning))
  }

  outputsRead(): boolean {
    // What a failure refuses may be done by the next hub.
    if (this.#hasFailed) return false
    for (const member of this.#circuitsDue) for (const worker of member.workers.keys()) this.#tellCircuits(member, worker)
    this.#circuitsDue.clear()
    for (const member of this.members.values()) member.flush()
    return false
  }

  #isHere(member: Member): boolean {
    return this.members.get(member.id) === member
  }

  /** Gives a message back whose tab is gone. */
  #takeBack(token: number, isWorkers: boolean): void {
    if (!isWorkers) {
      return this.#driver.settle({ ticket: 0, token, ...GIVEN_BACK })
    }
    this.#driver.post((input) => input.abandoned({ token }))
    this.#driver.post((input) => input.returned({ token }))
  }

  #input(member: Member, { input, record: given, parts = [] }: Extract<Call, { input: unknown }>): void {
    const record = withQueue(member, given)
    const { ticket = 0 } = record
    if (input === 'stopWaiting') return this.#stop(member, ticket)
    const ended = [{ input, record }, ...parts].flatMap((one) => (endsDelivery(one.input, one.record) ? [one.record.token!] : []))
    if (ticket === 0) member.over(ended)
    const enqueues = parts.filter((part) => part.input === 'enqueue').map((part) => withQueue(member, part.record) as unknown as Enqueue)
    switch (input) {
      case 'enqueue':
        return this.#driver.enqueue(record as unknown as Enqueue, new MemberWaiter(member, ticket, 1))
      case 'batch':
        return this.#driver.enqueueTogether(enqueues, new MemberWaiter(member, ticket, enqueues.length))
      case 'transaction': {
        const settles = parts.filter((part) => part.input === 'settle').map((part) => part.record as unknown as Settle)
        return this.#send(new MemberWaiter(member, ticket, 0, ended), (at, writer) => {
          writer.transaction({ ticket: at, settles: settles.length, enqueues: enqueues.length })
          for (const settle of settles) writer.settle(settle)
          for (const enqueue of enqueues) writer.enqueue(enqueue)
        })
      }
      case 'produce':
        return this.#send(new MemberWaiter(member, ticket), (at, writer) => {
          writer.produce({ ...(record as never as Parameters<Writer['produce']>[0]), ticket: at })
          writer.enqueue(enqueues[0]!)
        })
      default: {
        const write = (at: number, writer: Writer): void => (writer[input] as (record: object) => void)({ ...record, ticket: at })
        if (ticket === 0) return this.#driver.post((writer) => write(0, writer))
        return this.#send(new MemberWaiter(member, ticket, 0, ended), write)
      }
    }
  }

  #send(waiter: MemberWaiter, write: (ticket: number, writer: Writer) => void): void {
    waiter.member.tickets.set(waiter.ticket, this.#driver.send(waiter, write))
  }

  #stop(member: Member, ticket: number): void {
    const at = member.tickets.get(ticket)
    if (at !== undefined) this.#driver.stopWaiting(at, this.#driver.tickets.at(at))
  }

  #request(member: Member, { request, ticket, number }: Extract<Call, { request: unknown }>): void {
    if (request.op === 'defineQueue') return this.#defineFor(member, request, number!)
    if (request.op === 'openWorker') return this.#employ(member, request, number!)
    const translated = this.#translated(member, request)
    if (request.op === 'listen') {
      const { queue, events } = translated as typeof request
      member.listening.set(queue, events)
      return this.#listen(queue)
    }
    if (request.op === 'circuits') return this.#tellCircuits(member, request.worker)
    if (ticket === 0 || ticket >= AT_ONCE_MIN) return void this.#driver.inform(translated)
    const waiter = new MemberWaiter(member, ticket)
    const opened = (at: number): void => void member.tickets.set(ticket, at)
    void this.#driver.request(translated, (view) => waiter.body(view), opened).then(
      (answer) => {
        if (request.op === 'closeWorker' || request.op === 'drainWorker') this.#dismiss(member, request.worker)
        waiter.answered(answer)
        this.#flushSoon()
      },
      (error: Error) => {
        waiter.refused(error)
        this.#flushSoon()
      },
    )
  }

  /** Those of one worker, which its tab cannot ask for at once. */
  #tellCircuits(member: Member, number: number): void {
    const worker = member.workers.get(number)
    if (worker === undefined || this.#driver.isEnded || !this.#isHere(member)) return
    member.tell({ kind: 'circuits', worker: number, circuits: this.#driver.call<CircuitInfo[]>({ op: 'circuits', worker }) })
  }

  #dismiss(member: Member, number: number): void {
    const worker = member.workers.get(number)
    if (worker === undefined) return
    member.workers.delete(number)
    this.#workers.delete(worker)
  }

  #defineFor(member: Member, request: Extract<Request, { op: 'defineQueue' }>, number: number): void {
    try {
      const { options, named, changed, created } = this.#define(member, request, number)
      const lines = created ? [] : describeChanges(changed)
      const warning = lines.length > 0 ? { warning: `queue '${request.name}': options changed: ${lines.join(', ')}` } : {}
      member.tell({ kind: 'defined', number, options, named, ...warning })
    } catch (error) {
      const failure = failureOf(error)
      member.queues.set(number, failure)
      member.tell({ kind: 'undefined', number, failure })
    }
  }

  #define(member: Member, request: Request, number: number): Defined {
    const defined = this.#driver.call<Defined>(request)
    member.queues.set(number, defined.queue)
    member.queueNumbers.set(defined.queue, number)
    return defined
  }

  #employ(member: Member, request: Extract<Request, { op: 'openWorker' }>, number: number): void {
    try {
      this.#openWorker(member, request, number)
    } catch (error) {
      member.tell({ kind: 'unemployed', worker: number, failure: failureOf(error) })
    }
  }

  #openWorker(member: Member, request: Extract<Request, { op: 'openWorker' }>, number: number): WorkerOpened {
    const opened = this.#driver.call<WorkerOpened>(this.#translated(member, request))
    member.workers.set(number, opened.worker)
    this.#workers.set(opened.worker, { member, number })
    return opened
  }

  /** The same request with the numbers of the engine. */
  #translated(member: Member, request: Request): Request {
    const copy = { ...request } as Request & { queue?: number; worker?: number; sluice?: number; policies?: Policies }
    if (copy.queue !== undefined) copy.queue = queueOf(member, copy.queue)
    if (copy.worker !== undefined) {
      const worker = member.workers.get(copy.worker)
      if (worker === undefined) throw unavailable(UNKNOWN)
      copy.worker = worker
    }
    if (copy.sluice !== undefined) copy.sluice = this.#sluiceOf(member, copy.sluice)
    const { policies } = copy
    if (policies?.sluice !== undefined) copy.policies = { ...policies, sluice: this.#sluiceOf(member, policies.sluice) }
    return copy
  }

  #sluiceOf(member: Member, number: number): number {
    let sluice = member.sluices.get(number)
    if (sluice === undefined) member.sluices.set(number, (sluice = ++this.#lastSluice))
    return sluice
  }

  /** The engine emits what any member listens to. */
  #listen(queue: number): void {
    let events = 0
    for (const { listening } of this.members.values()) events |= listening.get(queue) ?? 0
    if (events === (this.#emitted.get(queue) ?? 0)) return
    this.#emitted.set(queue, events)
    this.#driver.inform({ op: 'listen', queue, events })
  }

  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    queueMicrotask(() => {
      this.#flushing = false
      this.outputsRead()
    })
  }
}

/** Tickets from here on are of calls that nobody waits for. */
const AT_ONCE_MIN = 2 ** 32

/** A delivery that nobody saw the end of. */
const GIVEN_BACK = {
  verdict: Verdict.return,
  reason: 0,
  returned: true,
  costsAttempt: false,
  countsAsFailure: false,
}

function queueOf(member: Member, number: number): number {
  const queue = member.queues.get(number) ?? UNKNOWN
  if (typeof queue === 'number') return queue
  throw unavailable(queue)
}

function unavailable({ code, message }: Failure): AckboxError {
  return new AckboxError(code as 'ERR_UNAVAILABLE', message)
}

function withQueue(member: Member, record: InputRecord): InputRecord {
  return record.queue === undefined ? record : { ...record, queue: queueOf(member, record.queue) }
}

/** Whether nothing more comes for a delivery behind this. */
function endsDelivery(input: string, record: InputRecord): boolean {
  if (input === 'returned' || input === 'declined') return true
  return input === 'settle' && record['returned'] === true
}
