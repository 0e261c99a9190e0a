/** Rows of the inbox as the engine takes them: each a move of its own, with what its queues are. */
import type { Driver } from '../driver.js'
import type { Failure } from '../engine/engine.js'
import type { Defined, QueueOptions, QueueSummary } from '../engine/objects.js'
import type { Enqueue, ReceiptView } from '../engine/wire.gen.js'
import { encodeError } from '../error-info.js'
import { AckboxError } from '../errors.js'
import { failureOf } from './member.js'
import type { ReceiptOf } from './protocol.js'
import type { Row, RowItem } from './row.js'

/** What the engine says to a row. */
export type Verdict = { readonly receipts: readonly ReceiptOf[] } | { readonly failure: Failure }

export class RowMoves {
  readonly #driver: Driver
  readonly #queues = new Map<string, number>()

  constructor(driver: Driver) {
    this.#driver = driver
  }

  /** Moves the row with this key behind the one that was moved `after` it was read. */
  move(after: number, key: number, row: Row): Promise<Verdict> {
    return this.#submit({ after, inboxKey: key, refused: false, error: '' }, row, (item) => this.#queueOf(item))
  }

  /** The same for one that was refused: its messages become dead letters. */
  bury(after: number, key: number, row: Row, { code, message }: Failure): Promise<Verdict> {
    const error = encodeError(new AckboxError(code as 'ERR_QUEUE_FULL', message))
    return this.#submit({ after, inboxKey: key, refused: true, error }, row, (item) => this.#queueOfRefused(item))
  }

  #submit(
    move: { after: number; inboxKey: number; refused: boolean; error: string },
    row: Row,
    queueOf: (item: RowItem) => number,
  ): Promise<Verdict> {
    return new Promise((resolve) => {
      const refused = (error: unknown): void => resolve({ failure: failureOf(error) })
      try {
        const records = row.items.map((item) => this.#recordOf(row, item, queueOf(item)))
        const receipts: ReceiptOf[] = []
        const receipt = (view: ReceiptView): boolean => {
          receipts[view.index] = { id: view.id(), state: view.state, duplicate: view.duplicate }
          return false
        }
        this.#driver.send({ receipt, answered: () => resolve({ receipts }), refused }, (ticket, input) => {
          const hostIds = Uint8Array.from(row.items, ({ hasOwnId }) => (hasOwnId === true ? 1 : 0))
          input.move({ ticket, ...move, leftAt: row.leftAt, count: records.length, hostIds })
          for (const record of records) input.enqueue(record)
        })
      } catch (error) {
        refused(error)
      }
    })
  }

  #recordOf({ leftAt }: Row, { record }: RowItem, queue: number): Enqueue {
    const elapsed = Math.max(0, this.#driver.clock.now() - leftAt)
    const { delayMs, ttlMs } = record as { delayMs?: number; ttlMs?: number }
    return {
      ...(record as unknown as Enqueue),
      ticket: 0,
      queue,
      // They count from when it was left.
      delayMs: delayMs === undefined ? undefined : Math.max(0, delayMs - elapsed),
      ttlMs: ttlMs === undefined ? undefined : Math.max(1, ttlMs - elapsed),
    }
  }

  /** The number of a queue, which is made as the row says if there is none. */
  #queueOf({ queue, options }: RowItem): number {
    const { bodies } = options
    const exists = (): boolean => this.#driver.call<QueueSummary[]>({ op: 'queues' }).some(({ name }) => name === queue)
    return this.#queues.get(queue) ?? this.#define(queue, exists() ? (bodies === undefined ? {} : { bodies }) : options)
  }

  /** The same where these options may be what is refused: the dead letter needs a queue all the same. */
  #queueOfRefused(item: RowItem): number {
    try {
      return this.#queueOf(item)
    } catch {
      const { bodies } = item.options
      return this.#define(item.queue, bodies === 'json' || bodies === 'encoded' ? { bodies } : {})
    }
  }

  #define(name: string, options: QueueOptions): number {
    const { queue } = this.#driver.call<Defined>({ op: 'defineQueue', name, options })
    this.#queues.set(name, queue)
    return queue
  }
}
