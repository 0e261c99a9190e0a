/** Steps of deliveries: what they gave is recorded by the server, once for each name. */

import type { RecallStep, RecordStep } from '../../../engine/wire.gen.js'
import { AckboxError } from '../../../errors.js'
import type { RedisLedger } from '../redis-ledger.js'
import { bytesOf } from './accepting.js'
import type { Answers } from './answers.js'
import type { Held, Leases } from './leases.js'
import { leaseLost } from './settling.js'

/** How a recall is answered. */
const UNKNOWN = 0
const GAVE_NOTHING = 1
const GAVE = 2

/** A stored result begins with whether the step gave one. */
const WITH_RESULT = Buffer.of(1)
const WITHOUT = Buffer.of(0)

export class StepRecords {
  readonly #ledger: RedisLedger
  readonly #leases: Leases
  readonly #answers: Answers

  constructor(ledger: RedisLedger, leases: Leases, answers: Answers) {
    this.#ledger = ledger
    this.#leases = leases
    this.#answers = answers
  }

  async record({ ticket, token, name = '', hasResult, result }: RecordStep): Promise<void> {
    const { queue, message } = this.#held(token)
    const bytes = hasResult ? Buffer.concat([WITH_RESULT, bytesOf(result)]) : WITHOUT
    const recorded = await this.#ledger.record(queue.name, { key: message.key, token }, name, bytes)
    if (recorded.status === 'lost') throw leaseLost()
    if (recorded.status === 'full') throw new AckboxError('ERR_QUEUE_FULL', `step '${name}': the message has too many recorded steps`)
    this.#answers.answer(ticket, 0)
  }

  async recall({ ticket, token, name = '' }: RecallStep): Promise<void> {
    const { queue, message } = this.#held(token)
    const recorded = (await this.#ledger.recall(queue.name, message.key)).get(name)
    if (recorded === undefined) return this.#answers.answer(ticket, UNKNOWN)
    if (recorded[0] === WITHOUT[0]) return this.#answers.answer(ticket, GAVE_NOTHING)
    this.#answers.body(ticket, 0, Buffer.alloc(0), recorded.subarray(1))
    this.#answers.answer(ticket, GAVE)
  }

  #held(token: number): Held {
    const held = this.#leases.get(token)
    if (held === undefined) throw leaseLost()
    return held
  }
}
