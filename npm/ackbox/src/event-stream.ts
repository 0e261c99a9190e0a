/**
 * Events of a queue as an async iterator. It listens from the moment it is made.
 *
 * A reader that is slower than its queue must not cost ever more memory: only the newest `limit` events wait for it.
 * Dropping older ones is told by a warning when it begins, and with their number when the reader is back or gone.
 */
import { type Emitter, type QueueEvents, type Warning } from './events.js'
import type { Range } from './validate.js'
import { checkNames, integer, optionalSignal } from './validate.js'

const LIMIT: Range = { min: 1, max: 100_000 }
const LIMIT_DEFAULT = 1_000

/** Options of `events`. */
export interface EventsOptions {
  /** Events that wait for a slow reader, 1 to 100,000; beyond that the oldest are dropped, with a warning. Default 1,000. */
  readonly limit?: number | undefined
  /** Ends the loop: it throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** An event of a queue with its name as `type`. */
export type QueueEvent = { [K in keyof QueueEvents]: { readonly type: K } & QueueEvents[K] }[keyof QueueEvents]

/** Events for a `for await` loop. Disposing of it is leaving the loop. */
export interface EventStream extends AsyncIterableIterator<QueueEvent, undefined>, AsyncDisposable {
  [Symbol.asyncIterator](): EventStream
}

type Result = IteratorResult<QueueEvent, undefined>

/** What a stream needs of its queue. */
export interface EventSource {
  readonly name: string
  readonly emitter: Emitter<QueueEvents>
  warn(warning: Warning): void
  /** Calls once when the box has ended, with the error that ended it if there is one; returns what takes it back. */
  onEnd(listener: (error?: unknown) => void): () => void
}

interface Reader {
  resolve(result: Result): void
  reject(error: unknown): void
}

export class QueueEventStream implements EventStream {
  readonly #source: EventSource
  readonly #where: string
  readonly #limit: number
  readonly #signal: AbortSignal | undefined
  readonly #off: (() => void)[] = []
  #waiting: QueueEvent[] = []
  readonly #readers: Reader[] = []
  #dropped = 0
  #isOver = false
  /** Told to the next reader, once. */
  #failure: { readonly error: unknown } | undefined

  constructor(source: EventSource, options: EventsOptions, where: string) {
    checkNames(options, ['limit', 'signal'], where)
    const { limit = LIMIT_DEFAULT, signal } = options
    this.#source = source
    this.#where = where
    this.#limit = integer(limit, LIMIT, 'limit', where)
    optionalSignal(signal, where)
    this.#signal = signal
    if (signal?.aborted === true) {
      this.#abort()
      return
    }
    signal?.addEventListener('abort', this.#abort)
    this.#off.push(
      source.emitter.onAny((type, details) => this.#take({ type, ...details } as QueueEvent)),
      source.onEnd((error) => (error === undefined ? this.#end() : this.#fail(error))),
    )
  }

  next(): Promise<Result> {
    const event = this.#waiting.shift()
    if (event !== undefined) {
      this.#tellDropped()
      return Promise.resolve({ done: false, value: event })
    }
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) return Promise.reject(failure.error)
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined })
    return new Promise<Result>((resolve, reject) => this.#readers.push({ resolve, reject }))
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#waiting = []
    this.#end()
    return { done: true, value: undefined }
  }

  async throw(error?: unknown): Promise<Result> {
    await this.return()
    throw error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #take(event: QueueEvent): void {
    const reader = this.#readers.shift()
    if (reader !== undefined) return reader.resolve({ done: false, value: event })
    this.#waiting.push(event)
    if (this.#waiting.length <= this.#limit) return
    this.#waiting.shift()
    this.#dropped++
    if (this.#dropped === 1) {
      this.#warn(`the reader is slower than the queue: of the events that wait for it the newest ${this.#limit} are kept`)
    }
  }

  #tellDropped(): void {
    if (this.#dropped > 0) this.#warn(`${this.#dropped} events were dropped, for the reader was slower than the queue`)
    this.#dropped = 0
  }

  #warn(message: string): void {
    this.#source.warn({ message: `${this.#where}: ${message}`, queue: this.#source.name })
  }

  readonly #abort = (): void => {
    this.#waiting = []
    this.#fail(this.#signal?.reason)
  }

  #fail(error: unknown): void {
    if (this.#isOver) return
    const reader = this.#readers.shift()
    if (reader === undefined) this.#failure = { error }
    else reader.reject(error)
    this.#end()
  }

  #end(): void {
    this.#isOver = true
    for (const off of this.#off.splice(0)) off()
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#tellDropped()
    for (const reader of this.#readers.splice(0)) reader.resolve({ done: true, value: undefined })
  }
}
