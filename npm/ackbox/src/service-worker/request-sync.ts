/** The side of the page: it asks that its service worker drains, while there is something to send. */
import type { Queue } from '../api.js'
import { defaultReport } from '../events.js'
import { checkNames, text } from '../validate.js'
import { drainMessage, type SyncManagerLike, TAG_BYTES_MAX, TAG_DEFAULT } from './sync.js'

/** The part of a `ServiceWorkerRegistration` that is used. */
export interface SyncRegistration {
  readonly sync?: SyncManagerLike
  readonly active: { postMessage(message: unknown): void } | null
}

/** Options of {@link requestSync}. */
export interface RequestSyncOptions {
  /** As that of `drainOnSync`. Default `'ackbox'`. */
  readonly tag?: string | undefined
  /** Default: that of the page, `navigator.serviceWorker.ready`. */
  readonly registration?: SyncRegistration | Promise<SyncRegistration> | undefined
}

/** What tells whether there is something to send. */
type Outbox = Pick<Queue<never, unknown, unknown>, 'on' | 'stats'>

const WHERE = 'requestSync()'

/**
 * For a page: asks for a Background Sync while the queue holds unfinished messages, so that the service worker sends what
 * the page did not when it was closed: at once if there are any, with the first that is enqueued behind a queue without
 * any, and when the page is hidden. Where the browser has no Background Sync, or refuses, the worker is told to drain.
 * Without a service worker nothing happens. Returns what takes it back.
 *
 * A browser fires the sync as soon as there is a network, with the page open too: a worker that waits for the box
 * (`whenLocked: 'wait'`) sends what is left when the page is gone.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function requestSync(queue: Outbox, options: RequestSyncOptions = {}): () => void {
  checkNames(options, ['tag', 'registration'], WHERE)
  const { tag = TAG_DEFAULT, registration } = options
  text(tag, TAG_BYTES_MAX, 'tag', WHERE)
  const requests = new SyncRequests(queue, tag, registration)
  return () => requests.end()
}

class SyncRequests {
  readonly #queue: Outbox
  readonly #tag: string
  readonly #registration: SyncRegistration | Promise<SyncRegistration> | undefined
  readonly #offs: (() => void)[]
  /** A sync was asked for since the queue had nothing to send. */
  #isAsked = false

  constructor(queue: Outbox, tag: string, registration: SyncRegistration | Promise<SyncRegistration> | undefined) {
    this.#queue = queue
    this.#tag = tag
    this.#registration = registration ?? (globalThis as Partial<Window & typeof globalThis>).navigator?.serviceWorker?.ready
    this.#offs = [
      queue.on('enqueued', () => this.#isAsked || this.#ask()),
      queue.on('drained', () => {
        this.#isAsked = false
      }),
    ]
    const { document } = globalThis as { document?: Document }
    document?.addEventListener('visibilitychange', this.#wasHidden)
    this.#offs.push(() => document?.removeEventListener('visibilitychange', this.#wasHidden))
    this.#askIfNeeded()
  }

  end(): void {
    for (const off of this.#offs.splice(0)) off()
  }

  /** The sync of before may have been fired and done with, while the page was there. */
  readonly #wasHidden = (): void => {
    if ((globalThis as { document?: Document }).document?.visibilityState === 'hidden') this.#askIfNeeded()
  }

  #askIfNeeded(): void {
    this.#queue.stats().then(
      ({ ready, scheduled, leased }) => {
        if (ready + scheduled + leased > 0) this.#ask()
      },
      // A queue of a box that is closed has nothing that this page could tell.
      () => {},
    )
  }

  #ask(): void {
    this.#isAsked = true
    this.#request().catch((cause: unknown) => defaultReport(`${WHERE}: no sync could be asked for`, cause))
  }

  async #request(): Promise<void> {
    const registration = await this.#registration
    if (registration === undefined) return
    const { sync, active } = registration
    try {
      if (sync !== undefined) return void (await sync.register(this.#tag))
    } catch {
      // Background Sync is switched off for this site, or in private mode.
    }
    active?.postMessage(drainMessage(this.#tag))
  }
}
