/**
 * The only stateful loop: hands commands to the engine, performs the effects that it asks for, and tells the rest of
 * the package what came of it.
 *
 * Commands are written into the engine's input area at once; one step for all of them runs in the next microtask, so
 * a thousand enqueues in one tick are one step and one append. While outputs are read no user code runs: what is to
 * be told is kept by the {@link Listener} and told when all outputs were read.
 *
 * What takes the engine long (a purge, a walk over all dead letters) comes in many short steps. After a few of them the
 * event loop has a turn; what is commanded meanwhile waits behind them, and whoever wants an answer at once makes the
 * driver finish them first. So it has after many rounds that each brought about the next, as deliveries do that are
 * retried at once over a storage that answers at once: promise jobs alone would keep it from ever turning.
 *
 * A driver is running until it is ended: by a close, or by a panic of the engine. From then on every command throws
 * the error that ended it, and the engine is never called again.
 */
import { type Clock, eventLoopTurn, MAX_TIMEOUT_MS, type TimerHandle } from './clock.js'
import { AT_ONCE, type CallResult, type Engine, type Failure } from './engine/engine.js'
import type { Notice, Request } from './engine/objects.js'
import { OutputKind, ReplyCode } from './engine/wire.gen.js'
import type { BodyView, DeliverView, Enqueue, EventView, Produce, Reader, ReceiptView, Settle, Writer } from './engine/wire.gen.js'
import { engineFailure, refusal } from './engine-errors.js'
import { AckboxError } from './errors.js'
import type { Warning } from './events.js'
import type { KeepAlive } from './keep-alive.js'
import { outside } from './open-transactions.js'
import { receiptOf } from './receipt.js'
import { Tickets, type Waiter } from './pending.js'
import { StoragePort } from './storage-port.js'
import type { Storage } from './storage/storage.js'
import type { Receipt } from './types.js'

const RESOLVED = Promise.resolve()

/** Commands that wait for the microtask; beyond this they are handed over at once, so that no step has too much to do. */
const INPUT_BYTES_MAX = 4 << 20

/** Steps of one input, each of a few milliseconds at most, after which the event loop has its turn. */
const STEPS_IN_A_ROW = 4

/** Rounds of steps and handlers, each behind the one before it in a microtask, after which the event loop has its turn. */
const ROUNDS_IN_A_ROW = 32

/** Who is told what the engine says, while outputs are read; what it makes of it comes when all were read. */
export interface Listener {
  readonly keepAlive: KeepAlive
  /** Deliveries that are not over. */
  readonly deliveries: { delete(token: number): void }
  attach(driver: Driver): void
  deliver(view: DeliverView): void
  abort(token: number, reason: number): void
  event(view: EventView): void
  notice(notice: Notice): void
  failed(error: AckboxError): void
  warn(warning: Warning): void
  /** All outputs were read. True: there is more to be done behind the next step. */
  outputsRead(): boolean
}

export class Driver {
  readonly tickets = new Tickets()
  readonly #engine: Engine
  readonly clock: Clock
  readonly #storage: StoragePort
  readonly #inbox: Listener
  #ended: (() => AckboxError) | undefined
  #scheduled = false
  /** The turn of the event loop after which the outputs of the last input go on. */
  #turn: Promise<void> | undefined
  /** Rounds since the event loop was given its turn. */
  #rounds = 0
  /** User code runs, which may command more. */
  #telling = false
  /** Objects to take from the engine: not while outputs are read, whose memory may move with a take. */
  readonly #takes: (() => void)[] = []
  #steppedAt = 0
  #timer: TimerHandle | undefined
  #timerAt = Infinity
  /** The process is kept alive, for the timer alone does not. */
  #holdsProcess = false

  constructor(engine: Engine, clock: Clock, storage: Storage, inbox: Listener) {
    this.#engine = engine
    this.clock = clock
    this.#inbox = inbox
    inbox.attach(this)
    this.#storage = new StoragePort(storage, engine.input, this.#schedule)
    engine.attach?.(this.#schedule)
  }

  /** Whether a step is scheduled or the storage works: a promise that settles when that changed. */
  busy(): PromiseLike<unknown> | undefined {
    return this.#turn ?? (this.#scheduled ? RESOLVED : this.#storage.busy())
  }

  now(): number {
    return this.clock.now()
  }

  /** The time of the last step, where reading the clock once more would say nothing new. */
  get steppedAt(): number {
    return this.#steppedAt
  }

  /** Whether no command is taken any more. */
  get isEnded(): boolean {
    return this.#ended !== undefined
  }

  /** Whether the engine answers at once what it is asked. */
  get isAtHand(): boolean {
    return this.#engine.isAtHand !== false
  }

  /** Throws if no command is taken any more. */
  check(): void {
    if (this.#ended !== undefined) throw this.#ended()
  }

  /** Writes a command whose answer the waiter gets. The write must not fail. */
  send(waiter: Waiter, write: (ticket: number, input: Writer) => void): number {
    this.check()
    const ticket = this.tickets.open(waiter)
    write(ticket, this.#engine.input)
    this.#schedule()
    return ticket
  }

  /** Writes a command; its answer is a number or an object of the engine. */
  ask<T>(write: (ticket: number, input: Writer) => void): Promise<T> {
    return new Promise<T>((answered, refused) => {
      this.send({ answered: answered as (answer: unknown) => void, refused }, write)
    })
  }

  /** Writes one enqueue. */
  enqueue(record: Enqueue, waiter: Waiter): void {
    this.check()
    if (this.#engine.input.length > INPUT_BYTES_MAX) {
      this.#step()
      this.check()
    }
    record.ticket = this.tickets.open(waiter)
    this.#engine.input.enqueue(record)
    this.#schedule()
  }

  /** Writes enqueues that are accepted together or not at all. */
  enqueueTogether(records: readonly Enqueue[], waiter: Waiter): void {
    this.#sendTogether(waiter, (ticket, input) => {
      input.batch({ ticket, count: records.length })
      for (const record of records) input.enqueue(record)
    })
  }

  /** Writes settlements and enqueues that become durable together or not at all; gives the receipts. */
  transact(settles: readonly Settle[], records: readonly Enqueue[]): Promise<Receipt[]> {
    return new Promise((resolve, refused) => {
      const receipts: Receipt[] = []
      const receipt = (view: ReceiptView): boolean => {
        receipts[view.index] = receiptOf(view)
        return false
      }
      this.#sendTogether({ receipt, answered: () => resolve(receipts), refused }, (ticket, input) => {
        input.transaction({ ticket, settles: settles.length, enqueues: records.length })
        for (const settle of settles) input.settle(settle)
        for (const record of records) input.enqueue(record)
      })
    })
  }

  /** Writes the enqueue of a producer's sequence; gives the receipt, and the lowest sequence that is missing then. */
  produce(
    { producer, epoch, sequence }: Omit<Produce, 'ticket'>,
    record: Enqueue,
  ): Promise<{ receipt: Receipt; next: number }> {
    return new Promise((resolve, refused) => {
      let told: Receipt
      const receipt = (view: ReceiptView): boolean => {
        told = receiptOf(view)
        return false
      }
      const answered = (next: unknown): void => resolve({ receipt: told, next: next as number })
      this.#sendTogether({ receipt, answered, refused }, (ticket, input) => {
        input.produce({ ticket, producer, epoch, sequence })
        input.enqueue(record)
      })
    })
  }

  /** Writes several records of which the engine counts on all. */
  #sendTogether(waiter: Waiter, write: (ticket: number, input: Writer) => void): void {
    const { input } = this.#engine
    const before = input.length
    this.send(waiter, (ticket) => {
      try {
        write(ticket, input)
      } catch (error) {
        // No memory for all of it: then none of it.
        input.length = before
        this.tickets.close(ticket)
        throw error
      }
    })
  }

  /** Settles a delivery; nobody waits for the answer. */
  settle(record: Settle): void {
    if (this.#ended !== undefined) return
    this.#engine.input.settle(record)
    this.#schedule()
  }

  /** A command that is not answered. */
  post(write: (input: Writer) => void): void {
    if (this.#ended !== undefined) return
    write(this.#engine.input)
    this.#schedule()
  }

  /** Gives up waiting. A ticket that was answered may be somebody else's by now, who waits on. */
  stopWaiting(ticket: number, waiter: Waiter | undefined): void {
    if (waiter !== undefined && this.tickets.at(ticket) === waiter) this.post((input) => input.stopWaiting({ ticket }))
  }

  /** A cold request that is answered at once. */
  call<T>(request: Request): T {
    const { ok, failure } = this.#call(AT_ONCE, request)
    if (failure !== undefined) throw this.toError(failure)
    return ok as T
  }

  /** A cold request that matters only to a box that works: one that is ending says so itself, and refuses it unheard. */
  inform(request: Request): void {
    if (this.#ended !== undefined) return
    try {
      this.#call(AT_ONCE, request)
    } catch {
      // Whoever waits for anything is told why.
    }
  }

  /**
   * A cold request that is answered by a reply; `body` gets the contents that come before it, `opened` the ticket under
   * which it can be stopped.
   */
  request<T>(request: Request, body?: (view: BodyView) => void, opened?: (ticket: number) => void): Promise<T> {
    return new Promise<T>((answered, refused) => {
      this.check()
      const waiter: Waiter = { answered: answered as (answer: unknown) => void, refused }
      if (body !== undefined) waiter.body = body
      const ticket = this.tickets.open(waiter)
      const { ok, failure } = this.#call(ticket, request)
      opened?.(ticket)
      if (failure !== undefined) this.tickets.close(ticket)?.refused(this.toError(failure))
      else if (ok !== undefined) this.tickets.close(ticket)?.answered(ok)
    })
  }

  /** Hands over what was commanded before, then calls. */
  #call(ticket: number, request: Request): CallResult {
    this.check()
    this.#step()
    const now = this.clock.now()
    this.check()
    try {
      return this.#engine.call(now, ticket, request)
    } catch (cause) {
      throw this.die(cause)
    } finally {
      this.#schedule()
    }
  }

  /** A delivery is over: its token is not asked for any more. */
  forget(token: number): void {
    this.#inbox.deliveries.delete(token)
  }

  warn(warning: Warning): void {
    this.#inbox.warn(warning)
  }

  /** No command is taken from now on; what still waits is refused. */
  end(error: () => AckboxError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#clearTimer()
    this.#storage.stop()
    this.tickets.refuseAll(error)
    this.#holdWhileShort()
    this.#engine.free()
  }

  readonly #schedule = (): void => {
    if (this.#scheduled || this.#ended !== undefined) return
    this.#scheduled = true
    this.#flushSoon()
  }

  #flushSoon(): void {
    if (this.#telling || this.#turn !== undefined) return
    if (++this.#rounds > ROUNDS_IN_A_ROW) this.#giveWay()
    else void RESOLVED.then(this.#flush)
  }

  readonly #flush = (): void => {
    this.#scheduled = false
    if (this.#ended !== undefined) return
    if (!this.#step(STEPS_IN_A_ROW)) this.#giveWay()
    this.#tell()
  }

  #giveWay(): void {
    this.#turn = eventLoopTurn().then(() => {
      this.#turn = undefined
      this.#rounds = 0
      this.#flush()
    })
  }

  /** User code runs here, on behalf of nobody who may be inside of a transaction. */
  readonly #outputsRead = (): boolean => this.#inbox.outputsRead()

  /**
   * Tells what came with the outputs. What handlers command as they start is handed over behind the ends of those that
   * are done at once, so that both go out with one append.
   */
  #tell(): void {
    this.#telling = true
    try {
      if (outside(this.#outputsRead)) this.#schedule()
    } finally {
      this.#telling = false
      if (this.#scheduled) this.#flushSoon()
    }
  }

  /**
   * Hands over all input and reads all outputs, in at most `steps` steps: whether that was enough. What is to be told
   * waits in the inbox.
   */
  #step(steps = Infinity): boolean {
    const { input, output } = this.#engine
    const now = (this.#steppedAt = this.clock.now())
    if (this.#ended !== undefined) return true
    let isDone = false
    try {
      for (let step = 0; step < steps && !isDone; step++) {
        const more = this.#engine.step(now)
        while (output.next()) this.#perform(output)
        if (this.#takes.length > 0) for (const take of this.#takes.splice(0)) take()
        isDone = !more && input.length === 0
      }
      this.#arm()
      this.#holdWhileShort()
    } catch (cause) {
      this.die(cause)
      return true
    }
    this.#storage.start()
    return isDone
  }

  #perform(output: Reader): void {
    switch (output.kind) {
      case OutputKind.deliver:
        return this.#inbox.deliver(output.deliver)
      case OutputKind.receipt:
        return this.#receipt(output)
      case OutputKind.append:
        return this.#storage.append(output.append)
      case OutputKind.reply:
        return this.#reply(output)
      case OutputKind.event:
        return this.#inbox.event(output.event)
      case OutputKind.body:
        return this.tickets.at(output.body.ticket)?.body?.(output.body)
      case OutputKind.read:
        return this.#storage.read(output.read)
      case OutputKind.abort:
        return this.#inbox.abort(output.abort.token, output.abort.reason)
      case OutputKind.truncate:
        return this.#storage.truncate(output.truncate)
      case OutputKind.remove:
        return this.#storage.remove(output.remove)
      case OutputKind.notice:
        return this.#notice(output.notice.number)
      default:
        throw new Error(`the engine asked for an effect of the unknown kind ${output.kind}`)
    }
  }

  #receipt(output: Reader): void {
    const { receipt } = output
    const { ticket } = receipt
    if (this.tickets.at(ticket)?.receipt?.(receipt) === true) this.tickets.close(ticket)
  }

  #reply(output: Reader): void {
    const { ticket, code, value } = output.reply
    if (code === ReplyCode.value) return this.tickets.close(ticket)?.answered(value)
    this.#takes.push(() => {
      const object = this.#engine.take(ticket)
      const waiter = this.tickets.close(ticket)
      if (code === ReplyCode.failure) waiter?.refused(this.toError(object as Failure))
      else waiter?.answered(object)
    })
  }

  #notice(number: number): void {
    this.#takes.push(() => this.#inbox.notice(this.#engine.take(number) as Notice))
  }

  /** The engine cannot go on: whatever it throws means that, and so does a clock that fails. */
  die(cause: unknown): AckboxError {
    const error = engineFailure(cause)
    this.end(() => new AckboxError('ERR_ENGINE', error.message, { cause: error }))
    this.#inbox.failed(error)
    void RESOLVED.then(() => this.#inbox.outputsRead())
    return error
  }

  /** One timer for the box, set to the engine's next wakeup, in pieces that a timer can hold. */
  #arm(): void {
    const wakeup = this.#engine.wakeup()
    if (wakeup === this.#timerAt) return
    this.#clearTimer()
    if (wakeup === Infinity) return
    this.#timerAt = wakeup
    const delay = Math.min(Math.max(wakeup - this.clock.now(), 0), MAX_TIMEOUT_MS)
    this.#timer = this.clock.setTimeout(this.#wake, delay)
    this.#timer.unref()
    if (this.#ended !== undefined) this.#clearTimer()
  }

  /** A storage without room is asked again by the timer: who waits for that keeps the process alive. */
  #holdWhileShort(): void {
    const holds = this.#storage.isShort && this.tickets.count > 0
    if (holds === this.#holdsProcess) return
    this.#holdsProcess = holds
    if (holds) this.#inbox.keepAlive.hold()
    else this.#inbox.keepAlive.release()
  }

  readonly #wake = (): void => {
    this.#timer = undefined
    this.#timerAt = Infinity
    this.#schedule()
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.clock.clearTimeout(this.#timer)
    this.#timer = undefined
    this.#timerAt = Infinity
  }

  /** A refusal of the engine as an error, with what the storage said as its cause. */
  toError(failure: Failure): AckboxError {
    return refusal(failure, this.#storage.lastError)
  }
}
