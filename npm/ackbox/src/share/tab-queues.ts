/**
 * The queues of a tab: what it has named of them, which each hub is told, and what is in force as far as a hub has said.
 * Numbers are the tab's own, in the order in which it declared them.
 */
import type { Defined, QueueOptions } from '../engine/objects.js'
import type { Call } from './protocol.js'

interface TabQueue {
  readonly name: string
  /** What this tab named and no hub has confirmed. */
  pending: QueueOptions
  bodies: QueueOptions['bodies']
  /** All that this tab has named. */
  given: QueueOptions
  /** In force, as far as is known; the same objects for ever, for others hold them. */
  readonly options: QueueOptions
  readonly named: QueueOptions
  events: number
}

/** Until a hub tells what is in force. */
const DEFAULTS: QueueOptions = { guarantee: 'at-least-once', leaseMs: 30_000, maxBodyBytes: 1 << 20, maxResultBytes: 64 << 10 }

export class TabQueues {
  readonly #queues: TabQueue[] = []

  /** Notes what the tab names; gives the number. */
  define(name: string, options: QueueOptions): number {
    const { bodies, ...named } = options
    const number = this.#queues.findIndex((queue) => queue.name === name)
    if (number < 0) {
      const fresh = { name, bodies, pending: named, given: named, options: { ...DEFAULTS, ...named }, named: { ...named }, events: 0 }
      return this.#queues.push(fresh) - 1
    }
    const queue = this.#queues[number]!
    queue.pending = { ...queue.pending, ...named }
    queue.given = { ...queue.given, ...named }
    queue.bodies = bodies ?? queue.bodies
    Object.assign(queue.options, named)
    Object.assign(queue.named, named)
    return number
  }

  /** As it is defined, as far as is known. */
  defined(number: number): Defined {
    const { options, named } = this.#queues[number]!
    return { queue: number, created: true, changed: [], options, named }
  }

  /** A hub says what is in force. */
  inForce(number: number, options: QueueOptions, named: QueueOptions): void {
    const queue = this.#queues[number]
    if (queue === undefined) return
    queue.pending = {}
    Object.assign(queue.options, options)
    Object.assign(queue.named, named)
  }

  nameOf(number: number): string | undefined {
    return this.#queues[number]?.name
  }

  /** What goes with a message that is left in the inbox, for an owner that does not know its queue. */
  left(number: number): { readonly queue: string; readonly options: QueueOptions } {
    const { name, given, bodies } = this.#queues[number]!
    return { queue: name, options: { ...given, bodies } }
  }

  /** Notes to which events of a queue somebody listens. */
  listen(number: number, events: number): void {
    this.#queues[number]!.events = events
  }

  /** Those to which somebody listens. */
  get heard(): { readonly queue: number; readonly events: number }[] {
    return this.#queues.flatMap(({ events }, queue) => (events === 0 ? [] : [{ queue, events }]))
  }

  /** What tells a hub of one. */
  defining(number: number): Extract<Call, { request: unknown }> {
    const { name, pending, bodies } = this.#queues[number]!
    const options = { ...pending, ...(bodies === undefined ? {} : { bodies }) }
    return { request: { op: 'defineQueue', name, options }, ticket: 0, number }
  }

  /** What tells a hub of all. */
  definingAll(): Call[] {
    return this.#queues.map((_, number) => this.defining(number))
  }
}
