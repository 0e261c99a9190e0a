/** Calls that wait for an answer of the engine, by their tickets. */
import type { BodyView, ReceiptView } from './engine/wire.gen.js'
import type { Delivery } from './api.js'

/** Who waits for one ticket. */
export interface Waiter {
  /** A receipt; true if it was the last one. */
  receipt?(view: ReceiptView): boolean
  /** Content of one entry of the answer that follows. */
  body?(view: BodyView): void
  /** A delivery of the answer that follows. */
  delivered?(delivery: Delivery<unknown>): void
  /** The answer: a number, or an object of the engine. */
  answered(answer: unknown): void
  /** The refusal. */
  refused(error: Error): void
}

/** Tickets are slots: the number of a call that was answered is used again. */
export class Tickets {
  readonly #waiters: (Waiter | undefined)[] = [undefined]
  readonly #free: number[] = []
  #count = 0

  /** How many wait. */
  get count(): number {
    return this.#count
  }

  /** A ticket, never 0, under which this one waits. */
  open(waiter: Waiter): number {
    const ticket = this.#free.pop() ?? this.#waiters.length
    this.#waiters[ticket] = waiter
    this.#count++
    return ticket
  }

  /** Who waits under this ticket. */
  at(ticket: number): Waiter | undefined {
    return this.#waiters[ticket]
  }

  /** Ends the waiting under this ticket. */
  close(ticket: number): Waiter | undefined {
    const waiter = this.#waiters[ticket]
    if (waiter === undefined) return undefined
    this.#waiters[ticket] = undefined
    this.#free.push(ticket)
    this.#count--
    return waiter
  }

  /** Ends all waiting with an error. */
  refuseAll(error: () => Error): void {
    for (let ticket = 1; ticket < this.#waiters.length; ticket++) this.close(ticket)?.refused(error())
  }
}

/** Gives up waiting for a promise when the signal aborts; what it waits for goes on. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise<T>((resolve, reject) => {
    const off = (): void => signal.removeEventListener('abort', abort)
    const abort = (): void => {
      off()
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    const settled = (settle: () => void): void => {
      off()
      settle()
    }
    promise.then((value) => settled(() => resolve(value)), (error) => settled(() => reject(error)))
  })
}
