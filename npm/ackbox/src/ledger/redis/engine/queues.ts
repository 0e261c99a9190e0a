/** The queues of a box on Redis as one process has them: the numbers of its engine, and what the server knows of each. */

import type { CallResult, Engine } from '../../../engine/engine.js'
import type { Defined, QueueOptions, Request } from '../../../engine/objects.js'
import { AckboxError } from '../../../errors.js'
import type { RedisLedger } from '../redis-ledger.js'
import type { QueueSettings } from '../transitions.js'

/** One queue. */
export interface RemoteQueue {
  readonly number: number
  readonly name: string
  /** In force in this process. */
  options: QueueOptions
  /** Resolves when the server knows it. */
  known: Promise<unknown>
  /** What is listened to: `1 << kind`. */
  events: number
}

/** 2^32 - 1 and more stand for no limit. */
const NO_LIMIT = 2 ** 32 - 1
/** What a process does for itself, and a server cannot. */
const UNSUPPORTED = ['deadLetterTo', 'dead', 'history'] as const

export class RemoteQueues {
  readonly #core: Engine
  readonly #ledger: RedisLedger
  readonly #byNumber: RemoteQueue[] = []
  readonly #byName = new Map<string, RemoteQueue>()

  constructor(core: Engine, ledger: RedisLedger) {
    this.#core = core
    this.#ledger = ledger
  }

  /** Defines a queue here at once, and on the server soon: what is asked of it waits for that. */
  define(now: number, ticket: number, request: Extract<Request, { op: 'defineQueue' }>): CallResult {
    const unsupported = UNSUPPORTED.find((option) => isNamed(request.options?.[option]))
    if (unsupported !== undefined) {
      const message = `queue '${request.name}': ${unsupported} is not supported by a box on Redis`
      return { failure: { code: 'ERR_UNSUPPORTED', message } }
    }
    const result = this.#core.call(now, ticket, request)
    if (result.failure !== undefined) return result
    const { queue: number, options } = result.ok as Defined
    const before = this.#byNumber[number]
    const settings = settingsOf(options, request.options ?? {})
    const defining = (before?.known ?? Promise.resolve()).then(() => this.#ledger.define(request.name, settings))
    defining.catch(() => {})
    if (before === undefined) {
      const queue = { number, name: request.name, options, known: defining, events: 0 }
      this.#byNumber[number] = queue
      this.#byName.set(queue.name, queue)
    } else {
      before.options = options
      before.known = defining
    }
    return result
  }

  at(number: number): RemoteQueue {
    const queue = this.#byNumber[number]
    if (queue === undefined) throw new AckboxError('ERR_NOT_FOUND', `expected the number of a queue, got ${number}`)
    return queue
  }

  named(name: string): RemoteQueue | undefined {
    return this.#byName.get(name)
  }

  all(): readonly RemoteQueue[] {
    return this.#byNumber
  }
}

/** What the server has to know: what was named, and for a new queue the rest. */
function settingsOf(options: QueueOptions, named: QueueOptions): QueueSettings {
  const settings: Record<string, number> = {}
  const put = (name: keyof QueueSettings, isGiven: boolean, value: number | undefined): void => {
    if (value !== undefined) settings[isGiven ? name : `?${name}`] = value >= NO_LIMIT ? 0 : value
  }
  const { dedup, maxDepth, maxBytes, groupOnDead } = options
  put('maxDepth', named.maxDepth !== undefined, maxDepth)
  put('maxBytes', named.maxBytes !== undefined, maxBytes)
  put('windowMs', named.dedup?.windowMs !== undefined, dedup?.windowMs)
  put('dedupMax', named.dedup?.maxEntries !== undefined, dedup?.maxEntries)
  const shortens = dedup?.whenFull === 'shorten' ? 1 : 0
  put('dedupShortens', named.dedup?.whenFull !== undefined || named.guarantee !== undefined, shortens)
  put('groupBlocks', named.groupOnDead !== undefined, groupOnDead === 'block' ? 1 : 0)
  return settings
}

function isNamed(option: unknown): boolean {
  if (option === undefined || option === '') return false
  return typeof option !== 'object' || Object.values(option as object).some((value) => value !== undefined && value !== 0)
}
