/** Calls that wait for the engine, until it answers or their signal aborts. */
import type { BoxCore } from './box.js'
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
      let isAnswered = false
      const answered = (answer: unknown): void => {
        isAnswered = true
        resolve(answer as T)
      }
      const refused = (error: Error): void => {
        isAnswered = true
        reject(error)
      }
      const ticket = driver.send({ answered, refused }, write)
      abort = () => {
        reject(signal?.reason)
        if (!isAnswered) driver.post((input) => input.stopWaiting({ ticket }))
      }
      signal?.addEventListener('abort', abort)
    })
  } finally {
    if (abort !== undefined) signal?.removeEventListener('abort', abort)
    inbox.keepAlive.release()
  }
}
