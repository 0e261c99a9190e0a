/** What the driver of a box is told by an engine whose messages are elsewhere: outputs as objects, and objects to be taken. */

import type { Failure } from '../../../engine/engine.js'
import type { Notice } from '../../../engine/objects.js'
import { failureOf } from '../../../share/member.js'
import { Outputs } from '../../../share/outputs.js'
import type { Delivered } from '../../../share/protocol.js'

/** Fields of an event record. */
export interface EventFields extends Record<string, unknown> {
  readonly event: number
  readonly queue: number
  readonly id: string
  readonly error: string
}

export class Answers {
  readonly outputs = new Outputs()
  readonly #objects = new Map<number, unknown>()
  #lastNotice = -1
  /** Told when there is something that no step has brought about. */
  #wake = (): void => {}

  attach(wake: () => void): void {
    this.#wake = wake
  }

  /** Answers a ticket: a number, or an object that is taken. */
  answer(ticket: number, value: unknown): void {
    if (ticket === 0) return
    if (typeof value !== 'number') this.#objects.set(ticket, value)
    this.outputs.push({ kind: 'reply', ticket, value })
    this.#wake()
  }

  /** Answers a ticket with what comes of a promise. */
  follow(ticket: number, work: Promise<unknown>): void {
    work.then(
      (value) => this.answer(ticket, value),
      (error: unknown) => this.refuse(ticket, failureOf(error)),
    )
  }

  refuse(ticket: number, failure: Failure): void {
    if (ticket === 0) return
    this.#objects.set(ticket, failure)
    this.outputs.push({ kind: 'refusal', ticket, failure })
    this.#wake()
  }

  receipt(ticket: number, index: number, receipt: { state: number; duplicate: boolean; id: string }): void {
    this.outputs.push({ kind: 'receipt', ticket, index, ...receipt })
    this.#wake()
  }

  /** Headers and body of an entry of the reply that follows. */
  body(ticket: number, index: number, headers: Uint8Array, body: Uint8Array): void {
    this.outputs.push({ kind: 'body', ticket, index, intact: true, headers, body })
  }

  deliver(delivered: Delivered): void {
    this.outputs.push({ kind: 'deliver', ...delivered })
  }

  abort(token: number, reason: number): void {
    this.outputs.push({ kind: 'abort', token, reason })
    this.#wake()
  }

  event(fields: EventFields): void {
    this.outputs.push({ kind: 'event', fields })
    this.#wake()
  }

  tell(notice: Notice): void {
    const number = this.#lastNotice--
    this.#objects.set(number, notice)
    this.outputs.push({ kind: 'notice', number })
    this.#wake()
  }

  take(key: number): unknown {
    const object = this.#objects.get(key)
    this.#objects.delete(key)
    return object
  }
}
