/** The side of the service worker: it drains when it is told to, once at a time. */
import { MAX_TIMEOUT_MS, platform } from '../clock.js'
import type { DrainReport } from '../drain.js'
import { AckboxError, invalidOption } from '../errors.js'
import { defaultReport } from '../events.js'
import type { Range } from '../validate.js'
import { callable, checkNames, duration, text } from '../validate.js'
import { isDrainMessage, type SyncManagerLike, TAG_BYTES_MAX, TAG_DEFAULT } from './sync.js'

/** What a drain is called with. */
export interface SyncContext {
  /** Aborts after `timeoutMs`: for `drain` and `open`. */
  readonly signal: AbortSignal
  /** The browser will not try again by itself. */
  readonly lastChance: boolean
}

/** Options of {@link drainOnSync}. */
export interface DrainOnSyncOptions {
  /** The Background Sync that this answers. Default `'ackbox'`. */
  readonly tag?: string | undefined
  /** How long one drain may take, 1 to 2,147,483,647; browsers end a service worker after some minutes. Default 120,000. */
  readonly timeoutMs?: number | undefined
}

/** Opens a box, drains it and closes it; gives what came of it. */
type Drain = (context: SyncContext) => Reports | Promise<Reports>
type Reports = DrainReport | readonly DrainReport[] | void

/** The part of an `ExtendableEvent` that is used. */
interface Extendable extends Event {
  waitUntil?(work: Promise<unknown>): void
}
interface SyncEventLike extends Extendable {
  readonly tag?: string
  readonly lastChance?: boolean
}

const WHERE = 'drainOnSync()'
const TIMEOUT: Range = { min: 1, max: MAX_TIMEOUT_MS }
const TIMEOUT_MS_DEFAULT = 120_000

/**
 * For the script of a service worker, as it starts: calls `drain` whenever the browser fires the Background Sync that a page
 * registered with `requestSync`, with the page closed or not. While a drain fails (it rejects, or reports messages that
 * remain), the browser is told so, and tries again later; behind its last try another sync is registered, where it lets us.
 *
 * Where the browser has no Background Sync, `drain` is called as the worker starts, on `online`, and when a page asks.
 * Calls never overlap; all that come while one runs share the next. Returns what takes it back.
 *
 * ```ts
 * drainOnSync(async ({ signal }) => {
 *   const box = await open('shop', { signal }) // of 'ackbox/eager'; the same box as that of the pages
 *   try {
 *     return await box.queue<Order>('orders').drain(send, { signal })
 *   } finally {
 *     await box.close()
 *   }
 * })
 * ```
 *
 * @throws `ERR_INVALID_OPTION`; `ERR_UNSUPPORTED` outside a service worker
 */
export function drainOnSync(drain: Drain, options: DrainOnSyncOptions = {}): () => void {
  callable(drain, 'drain', WHERE)
  checkNames(options, ['tag', 'timeoutMs'], WHERE)
  const { tag = TAG_DEFAULT, timeoutMs = TIMEOUT_MS_DEFAULT } = options
  text(tag, TAG_BYTES_MAX, 'tag', WHERE)
  const drainer = new Drainer(drain, tag, duration(timeoutMs, TIMEOUT, 'timeoutMs', WHERE))
  drainer.listen()
  return () => drainer.end()
}

class Drainer {
  readonly #drain: Drain
  readonly #tag: string
  readonly #timeoutMs: number
  /** Of this service worker, if its browser has it. */
  readonly #sync: SyncManagerLike | undefined
  #running: Promise<void> | undefined
  /** One more, behind that which runs. */
  #next: Promise<void> | undefined

  constructor(drain: Drain, tag: string, timeoutMs: number) {
    const { registration } = globalThis as { registration?: { readonly sync?: SyncManagerLike } }
    if (registration === undefined || typeof globalThis.addEventListener !== 'function') {
      throw new AckboxError('ERR_UNSUPPORTED', `${WHERE}: expected to be called in a service worker`)
    }
    this.#drain = drain
    this.#tag = tag
    this.#timeoutMs = timeoutMs
    this.#sync = registration.sync
  }

  listen(): void {
    globalThis.addEventListener('message', this.#asked)
    if (this.#sync !== undefined) return void globalThis.addEventListener('sync', this.#synced)
    globalThis.addEventListener('online', this.#wentOnline)
    this.#quietly(this.#run(false))
  }

  end(): void {
    globalThis.removeEventListener('message', this.#asked)
    globalThis.removeEventListener('sync', this.#synced)
    globalThis.removeEventListener('online', this.#wentOnline)
  }

  readonly #synced = (event: Event): void => {
    const { tag, lastChance = false } = event as SyncEventLike
    if (tag !== this.#tag) return
    // Its rejection is how the browser learns that it has to try again.
    ;(event as SyncEventLike).waitUntil?.(lastChance ? this.#lastRun() : this.#run(false))
  }

  readonly #asked = (event: Event): void => {
    if (!isDrainMessage((event as MessageEvent).data, this.#tag)) return
    const run = this.#quietly(this.#run(false))
    ;(event as Extendable).waitUntil?.(run)
  }

  readonly #wentOnline = (): void => {
    this.#quietly(this.#run(false))
  }

  async #lastRun(): Promise<void> {
    try {
      await this.#run(true)
    } catch (error) {
      // A browser that does not let us register here leaves it to the next page.
      await this.#sync?.register(this.#tag).catch(() => {})
      throw error
    }
  }

  #run(lastChance: boolean): Promise<void> {
    if (this.#next !== undefined) return this.#next
    if (this.#running === undefined) return this.#start(lastChance)
    // That which runs may have overlooked what was enqueued since.
    const start = (): Promise<void> => {
      this.#next = undefined
      return this.#start(lastChance)
    }
    return (this.#next = this.#running.then(start, start))
  }

  #start(lastChance: boolean): Promise<void> {
    const run = this.#once(lastChance).finally(() => {
      if (this.#running === run) this.#running = undefined
    })
    return (this.#running = run)
  }

  async #once(lastChance: boolean): Promise<void> {
    const controller = new AbortController()
    const expire = (): void => controller.abort(new AckboxError('ERR_TIMEOUT', `${WHERE}: took longer than ${this.#timeoutMs} ms`))
    const timer = platform.setTimeout(expire, this.#timeoutMs)
    try {
      checkReports(await this.#drain({ signal: controller.signal, lastChance }))
    } finally {
      platform.clearTimeout(timer)
    }
  }

  /** Nobody else hears of its failure. */
  #quietly(run: Promise<void>): Promise<void> {
    return run.catch((cause: unknown) => defaultReport(`${WHERE}: the drain failed`, cause))
  }
}

/** Throws while there is something left. */
function checkReports(reports: Reports): void {
  let remaining = 0
  for (const report of [reports ?? []].flat() as readonly DrainReport[]) {
    if (typeof report?.remaining !== 'number') throw invalidOption('drain to give what drains report, or nothing', report, WHERE)
    remaining += report.remaining
  }
  if (remaining > 0) throw new AckboxError('ERR_UNAVAILABLE', `${WHERE}: ${remaining} messages remain`)
}
