/**
 * Asking the server for transitions, so that each is done once whatever happens to its reply.
 *
 * Every request has a number that its process counts. If a reply is lost (the connection ended, or nothing came in time), the same
 * request is asked again under its number when there is a connection: the server answers as it did, or does it now. The server keeps
 * a ring of answers for each process, so only so many requests are under way at once, none much older than the youngest.
 */

import { createHash } from 'node:crypto'

import { AckboxError } from '../../ackbox-error.js'
import { SCRIPTS } from './scripts.gen.js'
import { asAckboxError, isReplica, passes } from './server-errors.js'
import { type Argument, type Reply, ServerError, type Transport } from './transport.js'

/** The name of a transition. */
export type Transition = keyof typeof SCRIPTS

/** How requests are made. */
export interface RequestOptions {
  /** A reply that takes longer is taken for lost. */
  readonly replyTimeoutMs: number
  /** How long a request is asked again; below the life of an answer on the server. */
  readonly giveUpMs: number
  /** The time that scripts are told; absent: they ask the server. For tests. */
  readonly now?: () => number
  /** Told when replies stopped coming, and when they come again. */
  readonly onWaiting?: (since: number | undefined) => void
}

/** Requests between the oldest that has no answer and the youngest: less than the server's ring of answers. */
const SPREAD = 48
const PAUSE_MS = 20
const PAUSE_MAX_MS = 1000

const DIGESTS = Object.fromEntries(
  Object.entries(SCRIPTS).map(([name, text]) => [name, createHash('sha1').update(text).digest('hex')]),
) as Record<Transition, string>

/** The requests of one process. */
export class Requests {
  readonly #transport: Transport
  readonly #process: string
  readonly #prefix: string
  readonly #options: RequestOptions
  readonly #unanswered = new Set<number>()
  readonly #line: (() => void)[] = []
  #last = 0
  #waitingSince: number | undefined
  #closed = false

  constructor(transport: Transport, process: string, prefix: string, options: RequestOptions) {
    this.#transport = transport
    this.#process = process
    this.#prefix = prefix
    this.#options = options
  }

  /** When a reply was last due and did not come; absent: replies come. */
  get waitingSince(): number | undefined {
    return this.#waitingSince
  }

  /** Makes one transition. */
  async make(name: Transition, keys: readonly string[], rest: readonly Argument[]): Promise<Reply> {
    while (this.#isFull()) await new Promise<void>((resolve) => this.#line.push(resolve))
    const number = ++this.#last
    const now = this.#now()
    this.#unanswered.add(number)
    try {
      return await this.#insist((again) => this.#evaluate(name, keys, [this.#process, again ? `${number}r` : `${number}`, now, ...rest]))
    } finally {
      this.#unanswered.delete(number)
      this.#line.shift()?.()
    }
  }

  /** Asks for what changes nothing, so it needs no number. */
  look(name: Transition, keys: readonly string[], rest: readonly Argument[]): Promise<Reply> {
    return this.#insist(() => this.#evaluate(name, keys, rest))
  }

  /** Asks for anything else that may be asked twice. */
  insistOn<T>(ask: () => Promise<T>): Promise<T> {
    return this.#insist(ask)
  }

  /** The time as scripts are told it. */
  now(): string {
    return this.#now()
  }

  /** Whatever is asked now rejects, and what has no answer is not asked again. */
  close(): void {
    this.#closed = true
  }

  #now(): string {
    return this.#options.now === undefined ? '' : String(this.#options.now())
  }

  #isFull(): boolean {
    const [oldest] = this.#unanswered
    return oldest !== undefined && this.#last - oldest >= SPREAD
  }

  async #insist<T>(ask: (again: boolean) => Promise<T>): Promise<T> {
    const begun = Date.now()
    for (let attempt = 0; ; attempt++) {
      if (this.#closed) throw new AckboxError('ERR_CLOSED', 'the box is closed')
      try {
        const reply = await this.#within(ask(attempt > 0))
        this.#wait(undefined)
        return reply
      } catch (error) {
        if (error instanceof ServerError && !passes(error) && !isReplica(error)) throw asAckboxError(error, this.#prefix)
        if (Date.now() - begun > this.#options.giveUpMs) throw this.#unknown(error)
        this.#wait(begun)
        if (error instanceof ServerError && isReplica(error)) this.#transport.renew()
        await pause(Math.min(PAUSE_MS * 2 ** Math.min(attempt, 6), PAUSE_MAX_MS))
        // Not longer than a reply may take: a client that misses its own reconnect is asked again all the same.
        await this.#within(this.#transport.ready()).catch((reason: unknown) => {
          if (reason instanceof ServerError && !passes(reason)) throw asAckboxError(reason, this.#prefix)
        })
      }
    }
  }

  async #evaluate(name: Transition, keys: readonly string[], rest: readonly Argument[]): Promise<Reply> {
    const tail = [String(keys.length), ...keys, ...rest]
    try {
      return await this.#transport.send(['EVALSHA', DIGESTS[name], ...tail])
    } catch (error) {
      if (!(error instanceof ServerError) || !/\bNOSCRIPT\b/.test(error.message)) throw error
      return this.#transport.send(['EVAL', SCRIPTS[name], ...tail])
    }
  }

  /** A reply that takes too long is lost, and so is the connection that should have carried it. */
  async #within<T>(reply: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#transport.renew()
        reject(new Error(`no reply within ${this.#options.replyTimeoutMs} ms`))
      }, this.#options.replyTimeoutMs)
    })
    try {
      return await Promise.race([reply, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #wait(since: number | undefined): void {
    if ((since === undefined) === (this.#waitingSince === undefined)) return
    this.#waitingSince = since
    this.#options.onWaiting?.(since)
  }

  #unknown(cause: unknown): AckboxError {
    const text = `Redis gave no answer for ${this.#options.giveUpMs} ms: nobody knows whether the request was carried out`
    return new AckboxError('ERR_TIMEOUT', text, { cause })
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
