/**
 * A tab as its hub sees it: which numbers stand for what, what it waits for, and which deliveries it has. It is told of
 * outputs in bundles, one for each round of the engine.
 */
import type { BodyView, DeliverView, EventView, ReceiptView } from '../engine/wire.gen.js'
import type { Failure } from '../engine/engine.js'
import { AckboxError } from '../errors.js'
import type { Waiter } from '../pending.js'
import type { Output } from './protocol.js'

/** An answer that belongs to the call of a tab. */
export class MemberWaiter implements Waiter {
  readonly member: Member
  readonly ticket: number
  #receipts: number
  readonly #ended: readonly number[]

  /** `receipts`: the call is answered by so many; 0: by a reply. `ended`: deliveries that are over when it is done. */
  constructor(member: Member, ticket: number, receipts = 0, ended: readonly number[] = []) {
    this.member = member
    this.ticket = ticket
    this.#receipts = receipts
    this.#ended = ended
  }

  receipt(view: ReceiptView): boolean {
    const { index, state, duplicate } = view
    this.member.tell({ kind: 'receipt', ticket: this.ticket, index, state, duplicate, id: view.id() })
    const isLast = --this.#receipts === 0
    if (isLast) this.member.answered(this.ticket)
    return isLast
  }

  body(view: BodyView): void {
    const { index, intact } = view
    const [headers, body] = [view.headers().slice(), view.body().slice()]
    this.member.tell({ kind: 'body', ticket: this.ticket, index, intact, headers, body })
  }

  answered(value: unknown): void {
    this.member.answered(this.ticket)
    this.member.over(this.#ended)
    this.member.tell({ kind: 'reply', ticket: this.ticket, value })
  }

  refused(error: Error): void {
    this.member.answered(this.ticket)
    this.member.tell({ kind: 'refusal', ticket: this.ticket, failure: failureOf(error) })
  }
}

export class Member {
  readonly id: string
  /** Which of its hellos this goes back to. */
  readonly session: number
  /** Queues of the engine by the numbers of the tab; a failure for one that the engine refused. */
  readonly queues = new Map<number, number | Failure>()
  /** And back. */
  readonly queueNumbers = new Map<number, number>()
  /** Workers of the engine by the numbers of the tab. */
  readonly workers = new Map<number, number>()
  /** Gates of the engine by the numbers of the tab. */
  readonly sluices = new Map<number, number>()
  /** What is listened to, by the queues of the engine. */
  readonly listening = new Map<number, number>()
  /** Tickets of the engine by those of the tab. */
  readonly tickets = new Map<number, number>()
  /** Deliveries that it has; true: of a worker. */
  readonly deliveries = new Map<number, boolean>()
  /** Something was heard of it since it was last looked at. */
  isHeard = true
  readonly #send: (outputs: readonly Output[]) => void
  #outputs: Output[] = []

  constructor(id: string, session: number, send: (outputs: readonly Output[]) => void) {
    this.id = id
    this.session = session
    this.#send = send
  }

  tell(output: Output): void {
    this.#outputs.push(output)
  }

  answered(ticket: number): void {
    this.tickets.delete(ticket)
  }

  /** These deliveries have ended. */
  over(tokens: readonly number[]): void {
    for (const token of tokens) this.deliveries.delete(token)
  }

  /** Hands over what was told. */
  flush(): void {
    if (this.#outputs.length === 0) return
    const outputs = this.#outputs
    this.#outputs = []
    this.#send(outputs)
  }

  deliver(view: DeliverView, worker: number, ticket: number): void {
    const { token, enqueuedAt, leaseUntil, number, attempt, priority, run, steps, handedOver } = view
    this.deliveries.set(token, ticket === 0)
    this.tell({
      kind: 'deliver',
      ...{ token, enqueuedAt, leaseUntil, number, attempt, priority, run, steps, handedOver, worker, ticket },
      queue: this.queueNumbers.get(view.queue)!,
      id: view.id(),
      group: view.group(),
      destination: view.destination(),
      headers: view.headersText(),
      body: view.body().slice(),
    })
  }

  event(view: EventView, queue: number): void {
    const { event, attempt, waitMs, handleMs, at, reason, circuitFrom, circuitTo } = view
    const fields = { event, queue, attempt, waitMs, handleMs, at, reason, circuitFrom, circuitTo }
    this.tell({ kind: 'event', fields: { ...fields, id: view.id(), error: view.errorText() } })
  }
}

/** An error as it travels. */
export function failureOf(error: unknown): Failure {
  if (!AckboxError.is(error)) return { code: 'ERR_ENGINE', message: error instanceof Error ? error.message : String(error) }
  return { ...(error.details as object | undefined), code: error.code, message: error.message } as Failure
}
