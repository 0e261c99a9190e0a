/**
 * What became of claimed messages, carried out by the server: what the engine decided, and transactions, which the server has to
 * take before the engine may believe in them.
 */

import type { Engine } from '../../../engine/engine.js'
import { type Enqueue, type FateName, fateNames, reasonNames, type Settle, type SettlementView, Verdict } from '../../../engine/wire.gen.js'
import { AckboxError } from '../../../errors.js'
import type { RedisLedger } from '../redis-ledger.js'
import type { Settlement } from '../settlement.js'
import type { Reason as ReasonName } from '../track.js'
import type { Accepted, TransactionItem } from '../transitions.js'
import { type Accepting, bytesOf } from './accepting.js'
import type { Held, Leases } from './leases.js'

/** One settlement of the engine, as it goes to the server. */
interface Sent {
  readonly token: number
  readonly fate: FateName
  readonly due: number
  readonly reason: ReasonName
  readonly costsAttempt: boolean
  readonly bytes: Buffer
}

export class Settling {
  readonly #core: Engine
  readonly #ledger: RedisLedger
  readonly #leases: Leases
  readonly #accepting: Accepting
  readonly #now: () => number
  #gathered: Sent[] = []
  /** Settled by a transaction: the engine is told afterwards, and says so again. */
  readonly #done = new Set<number>()
  #ended = false

  constructor(core: Engine, ledger: RedisLedger, leases: Leases, accepting: Accepting, now: () => number) {
    this.#core = core
    this.#ledger = ledger
    this.#leases = leases
    this.#accepting = accepting
    this.#now = now
  }

  /** Keeps a settlement for the transit that follows. */
  gather(view: SettlementView): void {
    this.#gathered.push({
      token: view.token,
      fate: fateNames[view.fate]!,
      due: view.due,
      reason: (reasonNames[view.reason] ?? 'exhausted') as ReasonName,
      costsAttempt: view.costsAttempt,
      bytes: Buffer.from(view.bytes()),
    })
  }

  /** Carries out what was gathered, then tells the engine; resolves to the queues in which something waits again. */
  async transit(): Promise<void> {
    const sent = this.#gathered
    this.#gathered = []
    const refused = await Promise.all(sent.map(async (one) => ((await this.#carryOut(one)) ? undefined : one.token)))
    if (this.#ended) return
    for (const token of refused) if (token !== undefined) this.#core.input.refused({ token })
    this.#core.input.appended()
  }

  /** The engine is not called again. */
  end(): void {
    this.#ended = true
  }

  async #carryOut(sent: Sent): Promise<boolean> {
    const { token } = sent
    if (this.#done.delete(token)) return true
    const held = this.#leases.get(token)
    if (held === undefined) return false
    try {
      return (await this.#ledger.settle(held.queue.name, this.#settlement(sent, held))) === 'settled'
    } catch (error) {
      // Nobody knows whether it was carried out: its lease runs out, or it was.
      if (AckboxError.is(error)) return false
      throw error
    } finally {
      this.#leases.delete(token)
    }
  }

  #settlement({ token, fate, due, reason, costsAttempt, bytes }: Sent, { message: { key } }: Held): Settlement {
    const lease = { key, token }
    switch (fate) {
      case 'completed':
        return { ...lease, kind: 'completed', result: bytes }
      case 'returned':
        return { ...lease, kind: 'returned' }
      case 'dead':
        return { ...lease, kind: 'dead', reason, error: noted(bytes) }
      case 'again':
        return { ...lease, kind: 'again', delayMs: due - this.#now(), costsAttempt, reason, ...(costsAttempt ? { error: noted(bytes) } : {}) }
    }
  }

  /**
   * Settles and accepts, all of it or nothing. The engine hears of it when the server has taken it, so that a unit that is refused
   * leaves every delivery open.
   */
  async transact(ticket: number, settles: readonly Settle[], records: readonly Enqueue[]): Promise<number> {
    const held = settles.map((settle) => this.#heldFor(settle))
    const prepared = this.#accepting.prepareAll(records)
    await Promise.all(prepared.map(({ queue }) => queue.known))
    const items: TransactionItem[] = [
      ...settles.map((settle, at) => ({ kind: 'settle' as const, queue: held[at]!.queue.name, settlement: plainSettlement(settle, held[at]!) })),
      ...prepared.map(({ queue, sheet }) => ({ kind: 'enqueue' as const, queue: queue.name, sheet })),
    ]
    const result = items.length === 0 ? { done: true, items: [] } : await this.#ledger.transact(items)
    if (!result.done) {
      if (result.items.slice(0, settles.length).includes('lost')) throw leaseLost()
      this.#accepting.answer(ticket, prepared, result.items.slice(settles.length) as Accepted[])
    }
    for (const settle of this.#ended ? [] : settles) {
      this.#done.add(settle.token)
      this.#leases.delete(settle.token)
      this.#core.input.settle({ ...settle, ticket: 0 })
    }
    this.#accepting.answer(ticket, prepared, result.items.slice(settles.length) as Accepted[])
    return settles.length
  }

  #heldFor(settle: Settle): Held {
    const held = this.#leases.get(settle.token)
    if (held === undefined) throw leaseLost()
    const { maxResultBytes = Infinity } = held.queue.options
    const { length } = bytesOf(settle.result)
    if (length > maxResultBytes) {
      throw new AckboxError('ERR_BODY_TOO_LARGE', `expected a result of at most ${maxResultBytes} bytes, got ${length}`)
    }
    return held
  }
}

/** A settlement that no policy has a say in. */
function plainSettlement(settle: Settle, { message: { key } }: Held): Settlement {
  const lease = { key, token: settle.token }
  const error = noted(bytesOf(settle.error))
  switch (settle.verdict) {
    case Verdict.ack:
      return { ...lease, kind: 'completed', result: bytesOf(settle.result) }
    case Verdict.dead:
      return { ...lease, kind: 'dead', reason: (reasonNames[settle.reason] ?? 'permanent') as ReasonName, error }
    case Verdict.return:
      return { ...lease, kind: 'returned' }
    default:
      throw new AckboxError('ERR_UNSUPPORTED', 'transaction: on Redis a delivery can be acknowledged or rejected for good in a transaction, not put off')
  }
}

/** The server keeps an attempt in the history only with an error: a space is none. */
function noted(bytes: Buffer): Buffer {
  return bytes.length > 0 ? bytes : Buffer.from(' ')
}

export function leaseLost(): AckboxError<'ERR_LEASE_LOST'> {
  return new AckboxError('ERR_LEASE_LOST', 'the lease of this delivery is gone: nothing was changed')
}
