/** What is done to messages of the server from outside: withdrawn, redriven, paused. */

import type { Redriven, Request } from '../../../engine/objects.js'
import { AckboxError } from '../../../errors.js'
import type { RedisLedger } from '../redis-ledger.js'
import type { Looking } from './looking.js'
import type { RemoteQueue, RemoteQueues } from './queues.js'

type Ask<Op extends Request['op']> = Extract<Request, { op: Op }>

/** Keys of one call. */
const AT_ONCE = 500

export class Caring {
  readonly #ledger: RedisLedger
  readonly #queues: RemoteQueues
  readonly #looking: Looking
  /** Something may be ready that was not. */
  readonly #poke: (queue: RemoteQueue) => void

  constructor(ledger: RedisLedger, queues: RemoteQueues, looking: Looking, poke: (queue: RemoteQueue) => void) {
    this.#ledger = ledger
    this.#queues = queues
    this.#looking = looking
    this.#poke = poke
  }

  async pause({ queue: number, op }: Ask<'pauseQueue'>): Promise<boolean> {
    const queue = this.#queues.at(number)
    await queue.known
    const changed = await this.#ledger.pause(queue.name, op === 'pauseQueue')
    this.#poke(queue)
    return changed
  }

  async withdraw({ queue: number, op, id }: Ask<'cancel'>): Promise<number> {
    const queue = this.#queues.at(number)
    await queue.known
    const what = op === 'retryNow' ? 'now' : op
    const { key } = this.#ledger.keys.keyOf(id, queue.name)
    const [done] = await this.#ledger.withdraw(queue.name, what, [key])
    this.#poke(queue)
    return done === true ? 1 : 0
  }

  async purge({ queue: number }: Ask<'purge'>): Promise<number> {
    const queue = this.#queues.at(number)
    await queue.known
    const removed = await this.#ledger.purge(queue.name)
    this.#poke(queue)
    return removed
  }

  async removeDead({ queue: number, filter }: Ask<'removeDead'>): Promise<number> {
    const queue = this.#queues.at(number)
    const { shown } = await this.#looking.dead(queue, filter)
    const removed = await this.#inParts(queue, shown.map(({ info }) => info.id), (keys) => this.#ledger.withdraw(queue.name, 'remove', keys))
    this.#poke(queue)
    return removed
  }

  async redrive({ queue: number, filter, to, perSecondMilli, forgetSteps }: Ask<'redrive'>): Promise<Redriven> {
    if (perSecondMilli !== undefined) throw new AckboxError('ERR_UNSUPPORTED', 'redrive: perSecond is not supported by a box on Redis')
    const queue = this.#queues.at(number)
    const target = to === undefined ? queue : this.#queues.named(to)
    if (target === undefined) throw new AckboxError('ERR_NOT_FOUND', `redrive: there is no queue '${to}'`)
    await target.known
    const { shown } = await this.#looking.dead(queue, filter)
    const options = { to: target.name, forgetSteps: forgetSteps === true }
    const moved = await this.#inParts(queue, shown.map(({ info }) => info.id), (keys) => this.#ledger.redrive(queue.name, keys, options))
    this.#poke(target)
    return { moved, skipped: shown.length - moved }
  }

  async #inParts(queue: RemoteQueue, ids: readonly string[], work: (keys: Buffer[]) => Promise<boolean[]>): Promise<number> {
    const keys = ids.map((id) => this.#ledger.keys.keyOf(id, queue.name).key)
    let done = 0
    for (let from = 0; from < keys.length; from += AT_ONCE) {
      done += (await work(keys.slice(from, from + AT_ONCE))).filter(Boolean).length
    }
    return done
  }
}
