/** Calls that wait for the engine, until it answers or their signal aborts. */
import type { BoxCore } from './box.js'
import type { Driver } from './driver.js'
import type { Writer } from './engine/wire.gen.js'

/**
 * Sends a command that is answered some time, and waits for that; keeps the process alive meanwhile. When the signal
 * aborts it rejects with its reason, and the engine is told that nobody waits any more.
 */
export async function waitFor<T>(
  { driver, inbox }: BoxCore,
  signal: AbortSignal | undefined,
  write: (ticket: number, input: Writer) => void,
): Promise<T> {
  signal?.throwIfAborted()
  let abort: (() => void) | undefined
  inbox.keepAlive.hold()
  try {
    return await new Promise<T>((resolve, reject) => {
      const waiter = { answered: (answer: unknown) => resolve(answer as T), refused: reject }
      const ticket = driver.send(waiter, write)
      abort = () => {
        reject(signal?.reason)
        driver.stopWaiting(ticket, waiter)
      }
      signal?.addEventListener('abort', abort)
    })
  } finally {
    if (abort !== undefined) signal?.removeEventListener('abort', abort)
    inbox.keepAlive.release()
  }
}

/** Waits for code of the user, which may take for ever: the end of the box refuses whoever waits for it. */
export function unlessEnded<T>(driver: Driver, promise: PromiseLike<T>): Promise<T> {
  const { tickets } = driver
  return new Promise((resolve, reject) => {
    driver.check()
    const ticket = tickets.open({ answered() {}, refused: reject })
    const ended = (settle: () => void): void => {
      tickets.close(ticket)
      settle()
    }
    // Made a promise of its own, it settles once at most.
    Promise.resolve(promise).then(
      (value) => ended(() => resolve(value)),
      (error: unknown) => ended(() => reject(error as Error)),
    )
  })
}
