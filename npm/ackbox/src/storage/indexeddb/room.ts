/** What the browser tells of the room that an origin has, and whether it keeps what is in there. */

import { systemClock } from '../../clock.js'
import { AckboxError } from '../../errors.js'
import { Reserve } from '../reserve.js'
import type { CleanFailure } from '../storage.js'

/** Keeps a reserve of the quota; none where the browser does not tell it. */
export function quotaReserve(name: string): Reserve {
  const complaint = `indexedDbStorage: it cannot be told how much room is left for database '${name}', and no reserve is kept`
  return new Reserve(
    async () => {
      const { quota, usage } = await estimate()
      if (quota === undefined || usage === undefined) return undefined
      return { bytes: quota, freeBytes: Math.max(0, quota - usage) }
    },
    systemClock(),
    complaint,
  )
}

/** Whether the browser promised to keep the data of this origin. */
export class KeepingPromise {
  /** `undefined` while there is no answer, and where browsers promise nothing of that kind. */
  answer: boolean | undefined
  readonly #isWished: boolean
  /** That of the place where it was made. */
  readonly #manager = globalThis.navigator?.storage as StorageManager | undefined
  #asked: Promise<void> | undefined

  /** `isWished`: the browser is asked to promise it. */
  constructor(isWished: boolean) {
    this.#isWished = isWished
  }

  /** Asks once. Resolves with the answer; at once if a user may have to give it, who need not. */
  ask(): Promise<void> {
    this.#asked ??= this.#ask()
    return this.#isWished ? Promise.resolve() : this.#asked
  }

  async #ask(): Promise<void> {
    try {
      this.answer = await (this.#isWished ? this.#manager?.persist?.() : this.#manager?.persisted?.())
    } catch {
      // A context that may not ask (an opaque origin, say) is promised nothing.
      this.answer = false
    }
  }
}

/** What an append is refused with that found no room, and wrote nothing. */
export async function noRoom(name: string, bytes: number, cause: unknown): Promise<CleanFailure> {
  const { quota, usage } = await estimate().catch(() => ({ quota: undefined, usage: undefined }))
  const known = quota !== undefined && usage !== undefined
  // Chromium reports a quota of its own invention, to which no page may hold it.
  const told = known ? `the browser reports ${usage} bytes in use and a quota of ${quota}` : 'the browser does not report how much there is'
  const message = `database '${name}': no room for ${bytes} bytes: ${told}`
  return Object.assign(new AckboxError('ERR_STORAGE_FULL', message, { cause }), { clean: true as const })
}

/** Whether something failed for lack of room. */
export function isQuotaError(error: unknown): boolean {
  return (error as { name?: unknown } | null | undefined)?.name === 'QuotaExceededError'
}

async function estimate(): Promise<StorageEstimate> {
  return (await globalThis.navigator?.storage?.estimate?.()) ?? {}
}
