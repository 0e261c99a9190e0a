/**
 * Waiting for a storage that another owner has. An owner in this process says when it is done; for all others, which may
 * die without a word, the storage is asked again and again.
 */
import { type Clock, registerBusy, type TimerHandle } from './clock.js'
import { AckboxError } from './errors.js'
import type { SegmentInfo, Storage } from './storage/storage.js'

/** Between two attempts: doubled after each, up to the longest. */
const POLL_MIN_MS = 25
const POLL_MAX_MS = 1_000

/** Those who wait in this process. */
const waiting = new Set<() => void>()

/** A box of this process has given up its storage: whoever waits tries at once. */
export function announceRelease(): void {
  for (const wake of [...waiting]) wake()
}

export interface LockWait {
  readonly lockWaitMs: number
  readonly clock: Clock
  readonly signal: AbortSignal | undefined
}

/** Opens the storage as soon as it has no owner; rejects with the last `ERR_LOCKED` when `lockWaitMs` have passed. */
export async function openWhenFree(storage: Storage, { lockWaitMs, clock, signal }: LockWait): Promise<SegmentInfo[]> {
  const until = clock.now() + lockWaitMs
  let attempt: Promise<SegmentInfo[]> | undefined
  const unregister = registerBusy(clock, () => attempt)
  // Listens from before the first attempt: a release in the middle of one is not missed.
  let released = false
  let wake = (): void => {}
  const onRelease = (): void => {
    released = true
    wake()
  }
  waiting.add(onRelease)
  try {
    for (let delayMs = POLL_MIN_MS; ; delayMs = Math.min(delayMs * 2, POLL_MAX_MS)) {
      released = false
      try {
        attempt = storage.open()
        return await attempt
      } catch (error) {
        if (!AckboxError.is(error, 'ERR_LOCKED')) throw error
        const leftMs = until - clock.now()
        if (leftMs <= 0) throw lockedStill(error, lockWaitMs)
        attempt = undefined
        signal?.throwIfAborted()
        if (!released) await pause(clock, Math.min(delayMs, leftMs), signal, (wakeUp) => (wake = wakeUp))
      }
    }
  } finally {
    unregister()
    waiting.delete(onRelease)
  }
}

/** Until the time has passed, somebody calls what `wakeable` is given, or the signal aborts. */
async function pause(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
  wakeable: (wakeUp: () => void) => void,
): Promise<void> {
  let timer: TimerHandle | undefined
  let abort = (): void => {}
  try {
    await new Promise<void>((resolve, reject) => {
      wakeable(resolve)
      abort = () => reject(signal?.reason)
      signal?.addEventListener('abort', abort)
      timer = clock.setTimeout(resolve, ms)
    })
  } finally {
    if (timer !== undefined) clock.clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

function lockedStill(error: AckboxError<'ERR_LOCKED'>, lockWaitMs: number): AckboxError<'ERR_LOCKED'> {
  const message = `${error.message}; waited for it for ${lockWaitMs} ms`
  return new AckboxError('ERR_LOCKED', message, { details: error.details, cause: error })
}
