/**
 * The engine as a tab sees it that shares a box: it decides nothing, but hands every command to the *hub*, the real engine
 * in the tab that drives, and gives out what comes back. So everything above it is the same in every tab.
 *
 * What the hub must know of this tab (queues, workers, who listens, what is waited for) is kept here, and told to each new
 * hub. Numbers of queues and workers are this tab's own. Enqueues go through the inbox of the database, unless the hub is in
 * this very tab.
 */
import { AT_ONCE, type CallResult, type Engine, type EngineKind, type Failure } from '../engine/engine.js'
import type { Defined, OpenReport, Request } from '../engine/objects.js'
import { AbortReason, EventKind, type Reader, type Writer } from '../engine/wire.gen.js'
import type { Warning } from '../events.js'
import { emptyAnswerOf, fateOf } from './calls.js'
import { OpRecorder } from './op-recorder.js'
import type { Leaving, Outgoing } from './outgoing.js'
import { Outputs } from './outputs.js'
import type { Call, InputRecord, Output, Part } from './protocol.js'
import type { RowItem } from './row.js'
import { askingForCircuits, TabCircuits } from './tab-circuits.js'
import { TabQueues } from './tab-queues.js'

/** The way to one hub. */
export interface Link {
  /** Says what this tab has and waits for. */
  hello(calls: readonly Call[]): void
  send(calls: readonly Call[]): void
  /** Of a hub in this tab: answers at once. */
  readonly now?: (call: Extract<Call, { request: unknown }>) => CallResult
  /** Of a hub in this tab: nothing in the inbox is older than what is said now, if this tab left nothing behind this key. */
  readonly hasMoved?: (key: number) => boolean
}

/** What the engine of a tab asks of what is around it. */
export interface TabHost {
  /** There is work that a hub has to answer. */
  readonly worked: () => void
  /** The box is closed: resolves when all of it is durable. */
  readonly close: () => Promise<void>
  /** The engine is not used any more. */
  readonly freed: () => void
}

interface TabWorker {
  readonly request: Extract<Request, { op: 'openWorker' }>
  isPaused: boolean
}

/** Messages on their way to the inbox. */
interface Left {
  readonly items: RowItem[]
  readonly leaving: Leaving
}

/** Commands that are not answered. */
const UNANSWERED: readonly Request['op'][] = ['pauseWorker', 'resumeWorker', 'coolDown', 'forceCircuit', 'setSluice', 'listen']

export class TabEngine implements Engine {
  readonly kind: EngineKind
  readonly #host: TabHost
  readonly #outgoing: Outgoing
  readonly #recorder = new OpRecorder()
  readonly #outputs = new Outputs()
  #wake = (): void => {}
  #link: Link | undefined
  #report: OpenReport | undefined
  #opening: number | undefined
  /** Calls that a hub has to answer, by their tickets. */
  readonly #calls = new Map<number, Call>()
  /** Receipts that are to come before an enqueue is answered. */
  readonly #receipts = new Map<number, number>()
  readonly #objects = new Map<number, unknown>()
  readonly #queues = new TabQueues()
  readonly #circuits = new TabCircuits()
  readonly #workers = new Map<number, TabWorker>()
  readonly #sluices = new Map<number, Request>()
  /** Deliveries of the hub that is linked. */
  readonly #tokens = new Set<number>()
  #lastWorker = 0
  #lastNotice = -1
  /** What ended the box in this tab. */
  #failure: Failure | undefined
  /** Told when a worker cannot be what it should be. */
  onUnemployed: (worker: number, failure: Failure) => void = () => {}

  constructor(kind: EngineKind, outgoing: Outgoing, host: TabHost) {
    this.kind = kind
    this.#outgoing = outgoing
    this.#host = host
  }

  get isAtHand(): boolean {
    return this.#link?.now !== undefined
  }

  get input(): Writer {
    return this.#recorder.writer
  }

  get output(): Reader {
    return this.#outputs.reader
  }

  /** Whether a hub has to do something for this tab. */
  get hasWork(): boolean {
    return this.#calls.size > 0 || this.#opening !== undefined || this.#workers.size > 0 || this.#outgoing.isWaiting
  }

  attach(wake: () => void): void {
    this.#wake = wake
  }

  step(): boolean {
    this.#hand(this.#recorder.take())
    this.#outputs.rewind()
    return false
  }

  call(_now: number, ticket: number, request: Request): CallResult {
    switch (request.op) {
      case 'open':
        this.#opening = ticket
        if (this.#report !== undefined) this.#opened(this.#report)
        return {}
      case 'close':
        void this.#close(ticket)
        return {}
      default:
    }
    if (this.#failure !== undefined) return { failure: this.#failure }
    switch (request.op) {
      case 'defineQueue':
        return this.#define(request)
      case 'openWorker':
        return this.#openWorker(request)
      case 'circuits':
        if (!this.isAtHand) return this.#lookAtCircuits(request)
        break
      default:
    }
    const call = { request, ticket }
    if (ticket === AT_ONCE && !UNANSWERED.includes(request.op)) {
      return this.#link?.now?.(call) ?? { failure: notAtHand(request.op) }
    }
    if (UNANSWERED.includes(request.op)) this.#note(request)
    else this.#calls.set(ticket, call)
    this.#link?.send([call])
    this.#host.worked()
    return UNANSWERED.includes(request.op) ? { ok: null } : {}
  }

  take(key: number): unknown {
    const object = this.#objects.get(key)
    this.#objects.delete(key)
    return object
  }

  wakeup(): number {
    return Infinity
  }

  free(): void {
    this.#host.freed()
  }

  /** A hub drives: it gets everything that it must know, and what is not answered. */
  connect(link: Link): void {
    this.disconnect()
    this.#link = link
    const calls = this.#queues.definingAll()
    for (const request of this.#sluices.values()) calls.push({ request, ticket: 0 })
    for (const [number, { request, isPaused }] of this.#workers) {
      calls.push({ request, ticket: 0, number }, askingForCircuits(number))
      if (isPaused) calls.push({ request: { op: 'pauseWorker', worker: number }, ticket: 0 })
    }
    const { heard } = this.#queues
    for (const listened of heard) calls.push({ request: { op: 'listen', ...listened }, ticket: 0 })
    link.hello([...calls, ...this.#calls.values()])
    // What changed meanwhile is seen by those who look.
    for (const { queue } of heard) this.#outputs.push({ kind: 'event', fields: changed(queue) })
    this.#wake()
  }

  /** The hub drives no more: its deliveries are lost, and what is not answered waits for the next one or is refused. */
  disconnect(): void {
    if (this.#link === undefined) return
    this.#link = undefined
    for (const token of this.#tokens) this.#outputs.push({ kind: 'abort', token, reason: LEASE_LOST })
    this.#tokens.clear()
    const left: Left[] = []
    for (const [ticket, call] of [...this.#calls]) {
      const fate = fateOf(call)
      const records = fate === 'again' && 'input' in call ? enqueuesOf(call) : undefined
      if (records !== undefined && this.#failure === undefined) {
        // By the inbox, like what is enqueued behind it.
        this.#over(ticket)
        left.push(this.#leaving(call as Extract<Call, { input: unknown }>, records))
      }
      if (fate === 'again') continue
      if ('failure' in fate) this.#refuse(ticket, fate.failure)
      else this.#answer(ticket, fate.value)
    }
    if (left.length > 0) this.#outgoing.leave(left)
    this.#wake()
  }

  /** The hub knows this tab now. */
  welcome(report: OpenReport): void {
    this.#report ??= report
    if (this.#opening !== undefined) this.#opened(this.#report)
    this.#wake()
  }

  /** This is the end of the box in this tab. */
  fail(failure: Failure): void {
    this.#failure = failure
    this.disconnect()
    for (const waiting of [...this.#calls.keys()]) this.#refuse(waiting, failure)
    const ticket = this.#opening
    if (ticket !== undefined) {
      this.#opening = undefined
      this.#refuse(ticket, failure)
    } else {
      const number = this.#lastNotice--
      this.#objects.set(number, { notice: 'failed', failure })
      this.#outputs.push({ kind: 'notice', number })
    }
    this.#wake()
  }

  /** What concerns the box as a whole. */
  warn({ message, queue }: Warning): void {
    this.#tell({ notice: 'warning', message, ...(queue === undefined ? {} : { queue }) })
    this.#wake()
  }

  /** What the hub gives. */
  receive(outputs: readonly Output[]): void {
    for (const output of outputs) this.#receive(output)
    this.#wake()
  }

  #receive(output: Output): void {
    switch (output.kind) {
      case 'deliver':
        this.#tokens.add(output.token)
        return this.#outputs.push(output)
      case 'receipt':
        this.#outputs.push(output)
        return this.#countReceipt(output.ticket)
      case 'reply':
        return this.#answer(output.ticket, output.value)
      case 'refusal':
        return this.#refuse(output.ticket, output.failure)
      case 'abort':
        if (this.#tokens.has(output.token)) this.#outputs.push(output)
        return
      case 'cooldown':
        return this.#tell({ notice: 'cooldown', worker: output.worker, destination: output.destination, openings: output.openings })
      case 'defined':
        return this.#defined(output)
      case 'undefined':
        return this.#undefined(output)
      case 'circuits':
        return this.#circuits.told(output.worker, output.circuits)
      case 'unemployed':
        this.#workers.delete(output.worker)
        return this.onUnemployed(output.worker, output.failure)
      default:
        this.#outputs.push(output)
    }
  }

  /** Hands commands over: enqueues to the inbox, all else to the hub. */
  #hand(calls: readonly Call[]): void {
    if (calls.length === 0) return
    const isBehind = this.#isBehindInbox()
    const sent: Call[] = []
    const left: Left[] = []
    for (const call of calls) {
      if (!('input' in call)) continue
      if (this.#failure !== undefined) {
        if ((call.record.ticket ?? 0) !== 0) this.#refuse(call.record.ticket!, this.#failure)
        continue
      }
      const records = isBehind ? enqueuesOf(call) : undefined
      if (records !== undefined) left.push(this.#leaving(call, records))
      else if (this.#admit(call)) sent.push(call)
    }
    if (left.length > 0) this.#outgoing.leave(left)
    if (sent.length > 0) this.#link?.send(sent)
    this.#host.worked()
  }

  /** Whether enqueues must not overtake what is in the inbox: of this tab, or from before its hub was there. */
  #isBehindInbox(): boolean {
    const { lastKey } = this.#outgoing
    return lastKey === undefined || this.#link?.hasMoved?.(lastKey) !== true
  }

  /** Whether a command is to be sent. */
  #admit(call: Extract<Call, { input: unknown }>): boolean {
    const { input, record } = call
    const { ticket = 0, token } = record
    if (input === 'stopWaiting') return this.#stop(ticket)
    if (token !== undefined && !this.#tokens.has(token)) {
      // Of a hub that is gone.
      if (ticket !== 0) this.#refuse(ticket, leaseLost())
      return false
    }
    if (token !== undefined && ticket === 0 && isEnd(input, record)) this.#tokens.delete(token)
    if (ticket === 0) return true
    if (input === 'transaction' && this.#hasLost(call.parts ?? [])) {
      this.#refuse(ticket, leaseLost())
      return false
    }
    this.#calls.set(ticket, call)
    if (input === 'enqueue') this.#receipts.set(ticket, 1)
    if (input === 'batch') this.#receipts.set(ticket, record['count'] as number)
    return true
  }

  /** Whether one of these settles a delivery of a hub that is gone. */
  #hasLost(parts: readonly Part[]): boolean {
    return parts.some(({ record: { token } }) => token !== undefined && !this.#tokens.has(token))
  }

  /** Gives up waiting: a hub answers, or nobody has heard of it. */
  #stop(ticket: number): boolean {
    const call = this.#calls.get(ticket)
    if (call !== undefined && this.#link === undefined) this.#answer(ticket, emptyAnswerOf(call))
    return this.#link !== undefined
  }

  #leaving(call: Extract<Call, { input: unknown }>, records: readonly InputRecord[]): Left {
    const ticket = call.record.ticket!
    const items = records.map(({ ticket: _none, queue, ...record }): RowItem => ({ ...this.#queues.left(queue!), record }))
    const answered = (receipts: readonly { id: string; state: number; duplicate: boolean; stored?: true }[]): void => {
      receipts.forEach((receipt, index) => this.#outputs.push({ kind: 'receipt', ticket, index, ...receipt }))
      if (call.input === 'transaction') this.#outputs.push({ kind: 'reply', ticket, value: 0 })
      this.#wake()
    }
    const leaving: Leaving = {
      moved: answered,
      stored: (ids) => answered(ids.map((id, at) => ({ id, state: stateOf(records[at]!), duplicate: false, stored: true }))),
      refused: (failure) => {
        this.#refuse(ticket, failure)
        this.#wake()
      },
    }
    return { items, leaving }
  }

  #define({ name, options = {} }: Extract<Request, { op: 'defineQueue' }>): CallResult {
    const number = this.#queues.define(name, options)
    const call = this.#queues.defining(number)
    if (this.#link?.now === undefined) {
      this.#link?.send([call])
      return { ok: this.#queues.defined(number) }
    }
    const { ok, failure } = this.#link.now(call)
    if (failure !== undefined) return { failure }
    const { created, changed, options: inForce, named } = ok as Defined
    this.#queues.inForce(number, inForce, named)
    return { ok: { ...this.#queues.defined(number), created, changed } }
  }

  #defined({ number, options, named, warning }: Extract<Output, { kind: 'defined' }>): void {
    this.#queues.inForce(number, options, named)
    if (warning !== undefined) this.#tell({ notice: 'warning', message: warning, queue: this.#queues.nameOf(number) })
  }

  #undefined({ number, failure }: Extract<Output, { kind: 'undefined' }>): void {
    const queue = this.#queues.nameOf(number)
    if (queue === undefined) return
    this.#tell({ notice: 'warning', message: `queue '${queue}': refused by the box: ${failure.message}`, queue })
  }

  #lookAtCircuits({ worker, destination }: Extract<Request, { op: 'circuits' }>): CallResult {
    this.#link?.send([askingForCircuits(worker)])
    return { ok: this.#circuits.look(worker, destination) }
  }

  #openWorker(request: Extract<Request, { op: 'openWorker' }>): CallResult {
    const number = ++this.#lastWorker
    const call = { request, ticket: 0, number }
    const result = this.#link?.now?.(call)
    if (result?.failure !== undefined) return result
    if (result === undefined) this.#link?.send([call, askingForCircuits(number)])
    this.#workers.set(number, { request, isPaused: false })
    this.#host.worked()
    return { ok: { worker: number } }
  }

  /** What the next hub has to be told as well. */
  #note(request: Request): void {
    if (request.op === 'listen') this.#queues.listen(request.queue, request.events)
    else if (request.op === 'setSluice') this.#sluices.set(request.sluice, request)
    else if (request.op === 'pauseWorker' || request.op === 'resumeWorker') {
      const worker = this.#workers.get(request.worker)
      if (worker !== undefined) worker.isPaused = request.op === 'pauseWorker'
    }
  }

  #opened(report: OpenReport): void {
    const ticket = this.#opening!
    this.#opening = undefined
    this.#answer(ticket, report)
  }

  async #close(ticket: number): Promise<void> {
    await this.#outgoing.settled()
    await this.#host.close()
    this.#answer(ticket, 0)
    this.#wake()
  }

  #countReceipt(ticket: number): void {
    const left = (this.#receipts.get(ticket) ?? 0) - 1
    if (left > 0) return void this.#receipts.set(ticket, left)
    if (this.#receipts.delete(ticket)) this.#calls.delete(ticket)
  }

  #answer(ticket: number, value: unknown): void {
    const call = this.#calls.get(ticket)
    if (call !== undefined && 'input' in call && isEnd(call.input, call.record)) this.#tokens.delete(call.record.token!)
    this.#over(ticket)
    if (typeof value !== 'number') this.#objects.set(ticket, value)
    this.#outputs.push({ kind: 'reply', ticket, value })
  }

  #refuse(ticket: number, failure: Failure): void {
    this.#over(ticket)
    this.#objects.set(ticket, failure)
    this.#outputs.push({ kind: 'refusal', ticket, failure })
  }

  /** A call is answered. */
  #over(ticket: number): void {
    const call = this.#calls.get(ticket)
    this.#calls.delete(ticket)
    this.#receipts.delete(ticket)
    if (call === undefined || !('request' in call)) return
    const { request } = call
    if (request.op !== 'closeWorker' && request.op !== 'drainWorker') return
    this.#workers.delete(request.worker)
    this.#circuits.forget(request.worker)
  }

  #tell(notice: object): void {
    const number = this.#lastNotice--
    this.#objects.set(number, notice)
    this.#outputs.push({ kind: 'notice', number })
  }
}

const { leaseLost: LEASE_LOST } = AbortReason

function leaseLost(): Failure {
  return { code: 'ERR_LEASE_LOST', message: 'the tab that drove the box went away, and its deliveries with it' }
}

function notAtHand(op: string): Failure {
  const what = op === 'stepKey' ? 'message.key()' : op
  return { code: 'ERR_UNSUPPORTED', message: `${what}: only the tab that drives the box can tell at once` }
}

/** The messages of a command that does nothing but enqueue. */
function enqueuesOf({ input, record, parts = [] }: Extract<Call, { input: unknown }>): readonly InputRecord[] | undefined {
  if (input === 'enqueue') return [record]
  if (input === 'batch' || (input === 'transaction' && record['settles'] === 0)) return parts.map((part) => part.record)
  return undefined
}

/** Whether nothing more comes for a delivery behind this, unless it is refused. */
function isEnd(input: string, record: InputRecord): boolean {
  return input === 'returned' || input === 'declined' || (input === 'settle' && record['returned'] === true)
}

/** Whether what is left is to be delivered now: 0, scheduled; 1, ready. */
function stateOf(record: InputRecord): number {
  return record['delayMs'] !== undefined || record['at'] !== undefined ? 0 : 1
}

function changed(queue: number): Extract<Output, { kind: 'event' }>['fields'] {
  return { event: EventKind.changed, queue, id: '', error: '' }
}
