/**
 * Moves what tabs left in the inbox into the journal, in the order of its keys, many in one append. Each record of a move
 * is in one frame with its messages, so nothing is moved twice; rows are removed once that is durable.
 *
 * A refusal holds up what is behind it until whoever left the row was told and took it back. One who is gone, or was told
 * `stored`, cannot be refused any more: the row becomes a dead letter.
 */
import type { Clock, TimerHandle } from '../clock.js'
import { encodedBytes } from '../codec.js'
import type { Driver } from '../driver.js'
import type { Failure } from '../engine/engine.js'
import type { Defined, QueueOptions, QueueSummary } from '../engine/objects.js'
import type { Enqueue, ReceiptView } from '../engine/wire.gen.js'
import { encodeError } from '../error-info.js'
import { AckboxError } from '../errors.js'
import type { OwnedInbox } from '../storage/storage.js'
import { failureOf } from './member.js'
import { type Row, ROW_FORMAT, type RowItem } from './outgoing.js'
import type { ReceiptOf } from './protocol.js'

/** What the mover needs of the tab that drives. */
export interface MoverHost {
  moved(tab: string, key: number, receipts: readonly ReceiptOf[]): void
  refused(tab: string, key: number, failure: Failure): void
  warned(message: string): void
  failed(error: unknown): void
}

/** How long a tab has to say whether it took back what was refused. */
const ANSWER_MS = 1_000
/** What has no room is tried again then. */
const RETRY_MS = 1_000
/** Of bodies, in one go: less than the engine takes in front of one append. */
const BYTES_AT_ONCE = 8 << 20
/** These end the box, or this tab's driving of it. */
const FINAL: readonly string[] = ['ERR_STORAGE_FAILED', 'ERR_ENGINE', 'ERR_CLOSED']

type Verdict = { readonly receipts: readonly ReceiptOf[] } | { readonly failure: Failure }

export class Mover {
  readonly #driver: Driver
  readonly #clock: Clock
  readonly #inbox: OwnedInbox
  readonly #host: MoverHost
  readonly #queues = new Map<string, number>()
  /** Those who did not answer when they were asked, until they are heard again. */
  readonly #silent = new Set<string>()
  readonly #asked = new Map<number, (takenBack: boolean) => void>()
  #moved: number
  /** Something was left since the last look. */
  #isDue = true
  #running: Promise<void> | undefined
  #ended = false
  /** What waits for a time. */
  readonly #pauses = new Map<TimerHandle, () => void>()

  constructor(driver: Driver, inbox: OwnedInbox, moved: number, host: MoverHost) {
    this.#driver = driver
    this.#clock = driver.clock
    this.#inbox = inbox
    this.#moved = moved
    this.#host = host
  }

  /** What an owner before has moved and not removed goes first. */
  async begin(): Promise<void> {
    if (this.#moved > 0) await this.#inbox.remove(this.#moved)
    this.look()
  }

  /** Something was left. */
  look(): void {
    this.#isDue = true
    if (this.#running !== undefined || this.#ended) return
    this.#running = this.#run()
      .catch((error: unknown) => {
        if (!this.#ended) this.#host.failed(error)
      })
      .finally(() => {
        this.#running = undefined
        if (this.#isDue && !this.#ended) this.look()
      })
  }

  /** A tab says what became of what was refused. */
  answered(tab: string, key: number, takenBack: boolean): void {
    this.#silent.delete(tab)
    this.#asked.get(key)?.(takenBack)
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#running
  }

  end(): void {
    this.#ended = true
    for (const [timer, goOn] of this.#pauses) {
      this.#clock.clearTimeout(timer)
      goOn()
    }
    for (const answer of [...this.#asked.values()]) answer(false)
  }

  async #run(): Promise<void> {
    while (this.#isDue && !this.#ended) {
      this.#isDue = false
      for (;;) {
        const rows = await this.#inbox.rows(this.#moved)
        if (rows.length === 0 || this.#ended) break
        await this.#moveAll(rows.slice(0, countOf(rows)))
      }
    }
  }

  async #moveAll(rows: readonly { readonly key: number; readonly row: unknown }[]): Promise<void> {
    const before = this.#moved
    let after = this.#moved
    const verdicts = rows.map(({ key, row }) => {
      const verdict = this.#submit(after, key, row)
      after = key
      return verdict
    })
    let refused: { readonly key: number; readonly row: unknown; readonly failure: Failure } | undefined
    for (const [at, { key, row }] of rows.entries()) {
      const verdict = await verdicts[at]!
      if (refused !== undefined) continue
      if ('failure' in verdict) refused = { key, row, failure: verdict.failure }
      else this.#over(key, row, verdict.receipts)
    }
    if (this.#moved > before) await this.#inbox.remove(this.#moved)
    if (refused !== undefined) await this.#refuse(refused.key, refused.row, refused.failure)
  }

  #over(key: number, row: unknown, receipts: readonly ReceiptOf[]): void {
    this.#moved = key
    if (isRow(row)) this.#host.moved(row.tab, key, receipts)
  }

  /** What the engine says to a row. */
  #submit(after: number, key: number, row: unknown, refusal?: Failure): Promise<Verdict> {
    return new Promise((resolve) => {
      const refused = (error: unknown): void => resolve({ failure: failureOf(error) })
      try {
        const records = isRow(row) ? row.items.map((item) => this.#recordOf(row, item)) : this.#strange(key)
        const receipts: ReceiptOf[] = []
        const receipt = (view: ReceiptView): boolean => {
          receipts[view.index] = { id: view.id(), state: view.state, duplicate: view.duplicate }
          return false
        }
        const error = refusal === undefined ? '' : encodeError(new AckboxError(refusal.code as 'ERR_QUEUE_FULL', refusal.message))
        const move = { after, inboxKey: key, count: records.length, refused: refusal !== undefined, error }
        this.#driver.send({ receipt, answered: () => resolve({ receipts }), refused }, (ticket, input) => {
          input.move({ ticket, ...move })
          for (const record of records) input.enqueue(record)
        })
      } catch (error) {
        refused(error)
      }
    })
  }

  /** Whoever left it is told, or it becomes a dead letter. */
  async #refuse(key: number, row: unknown, failure: Failure): Promise<void> {
    if (this.#ended) return
    if (FINAL.includes(failure.code)) throw new AckboxError(failure.code as 'ERR_STORAGE_FAILED', failure.message)
    if (isRow(row) && (await this.#wasTakenBack(row.tab, key, failure))) return
    if (this.#ended) return
    if (failure.code === 'ERR_STORAGE_FULL') return this.#pause(RETRY_MS)
    if (!(await this.#inbox.claim(key))) return
    const verdict = await this.#submit(this.#moved, key, row, failure)
    if ('receipts' in verdict) {
      this.#over(key, row, verdict.receipts)
      await this.#inbox.remove(key)
    } else if (FINAL.includes(verdict.failure.code)) {
      throw new AckboxError(verdict.failure.code as 'ERR_STORAGE_FAILED', verdict.failure.message)
    } else await this.#pause(RETRY_MS)
  }

  async #wasTakenBack(tab: string, key: number, failure: Failure): Promise<boolean> {
    if (this.#silent.has(tab)) return false
    const answer = new Promise<boolean>((resolve) => this.#asked.set(key, resolve))
    this.#host.refused(tab, key, failure)
    const silence = this.#pause(ANSWER_MS).then(() => undefined)
    const takenBack = await Promise.race([answer, silence])
    this.#asked.delete(key)
    if (takenBack === undefined) this.#silent.add(tab)
    return takenBack === true
  }

  /** Resolves then, or when nothing is moved any more. */
  #pause(ms: number): Promise<void> {
    if (this.#ended) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => {
        this.#pauses.delete(timer)
        resolve()
      }, ms)
      timer.unref()
      this.#pauses.set(timer, resolve)
    })
  }

  #recordOf(row: Row, { queue, options, record }: RowItem): Enqueue {
    const elapsed = Math.max(0, this.#clock.now() - row.leftAt)
    const { delayMs, ttlMs } = record as { delayMs?: number; ttlMs?: number }
    return {
      ...(record as unknown as Enqueue),
      ticket: 0,
      queue: this.#queueOf(queue, options),
      // They count from when it was left.
      delayMs: delayMs === undefined ? undefined : Math.max(0, delayMs - elapsed),
      ttlMs: ttlMs === undefined ? undefined : Math.max(1, ttlMs - elapsed),
    }
  }

  /** The number of a queue, which is made as the row says if there is none. */
  #queueOf(name: string, options: QueueOptions): number {
    const known = this.#queues.get(name)
    if (known !== undefined) return known
    const exists = this.#driver.call<QueueSummary[]>({ op: 'queues' }).some((queue) => queue.name === name)
    const { bodies } = options
    const named = exists ? (bodies === undefined ? {} : { bodies }) : options
    const { queue } = this.#driver.call<Defined>({ op: 'defineQueue', name, options: named })
    this.#queues.set(name, queue)
    return queue
  }

  #strange(key: number): never[] {
    this.#host.warned(`the inbox holds something under key ${key} that no version of ackbox left; it is passed over`)
    return []
  }
}

/** How many rows go in at once. */
function countOf(rows: readonly { readonly row: unknown }[]): number {
  let bytes = 0
  const last = rows.findIndex(({ row }) => {
    for (const { record } of isRow(row) ? row.items : []) bytes += encodedBytes((record['body'] ?? '') as string | Uint8Array)
    return bytes > BYTES_AT_ONCE
  })
  return last <= 0 ? (last < 0 ? rows.length : 1) : last
}

/** Whether this is a row, as this version leaves it. */
function isRow(row: unknown): row is Row {
  const { format, tab, leftAt, items } = (row ?? {}) as Partial<Row>
  return format === ROW_FORMAT && typeof tab === 'string' && typeof leftAt === 'number' && Array.isArray(items)
}
