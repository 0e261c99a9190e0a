/** How messages ended: asked for, waited for, told. */
import type { FinishedOptions } from './api.js'
import type { BoxCore } from './box.js'
import { Deadlines } from './closing.js'
import { decodeResult } from './codec.js'
import type { Driver } from './driver.js'
import { decodeError } from './error-info.js'
import type { MessageInfo as EngineInfo } from './engine/objects.js'
import { KEY_BYTES_MAX } from './enqueue-options.js'
import { AckboxError } from './errors.js'
import type { Waiter } from './pending.js'
import type { Outcome } from './types.js'
import type { Range } from './validate.js'
import { checkNames, duration, MAX_MS, optionalSignal, text } from './validate.js'

const TIMEOUT: Range = { min: Number.MIN_VALUE, max: MAX_MS }

/**
 * Waits for the end of a message, and keeps the process alive meanwhile. The engine registers the wait and looks the
 * message up in one go, so no end is missed.
 */
export async function outcomeOf(
  core: BoxCore,
  queue: number,
  id: string,
  options: FinishedOptions,
  where: string,
): Promise<Outcome<never>> {
  text(id, KEY_BYTES_MAX, 'id', where)
  checkNames(options, ['timeoutMs', 'signal'], where)
  const { signal } = options
  const timeoutMs = options.timeoutMs === undefined ? Infinity : duration(options.timeoutMs, TIMEOUT, 'timeoutMs', where)
  optionalSignal(signal, where)
  core.checkOpen(where)
  signal?.throwIfAborted()

  let giveUp!: (reason: unknown) => void
  const givenUp = new Promise<never>((_, reject) => (giveUp = reject))
  const abort = (): void => giveUp(signal!.reason)
  const deadlines = new Deadlines(core.driver.clock, () => {
    giveUp(new AckboxError('ERR_TIMEOUT', `${where}: message '${id}' had not finished after ${timeoutMs} ms`))
  })
  core.inbox.keepAlive.hold()
  signal?.addEventListener('abort', abort)
  const wait = ask(core.driver, queue, id)
  try {
    deadlines.add({ timeoutMs })
    return await Promise.race([wait.outcome, givenUp])
  } finally {
    wait.stop()
    deadlines.end()
    signal?.removeEventListener('abort', abort)
    core.inbox.keepAlive.release()
  }
}

/** A question to the engine. It is answered once, also when it was given up. */
interface Wait {
  readonly outcome: Promise<Outcome<never>>
  stop(): void
}

function ask(driver: Driver, queue: number, id: string): Wait {
  let stop = (): void => {}
  const outcome = new Promise<Outcome<never>>((resolve, reject) => {
    let result = ''
    const waiter: Waiter = {
      body: (view) => void (result = view.bodyText()),
      answered: (answer) => {
        // A number says that the waiting was stopped.
        if (typeof answer !== 'number') resolve(toOutcome((answer as EngineInfo[])[0]!, result))
      },
      refused: reject,
    }
    const ticket = driver.send(waiter, (ticket, input) => input.finished({ ticket, queue, id }))
    stop = () => driver.stopWaiting(ticket, waiter)
  })
  return { outcome, stop }
}

function toOutcome(info: EngineInfo, encodedResult: string): Outcome<never> {
  const { state, attempt = 0, finishedAt = 0, reason = 'exhausted' } = info
  if (state === 'completed') return { state, result: decodeResult(encodedResult) as never, finishedAt, attempt }
  if (state === 'cancelled') return { state, finishedAt }
  const error = decodeError(info.error)
  return { state: 'dead', reason, ...(error === undefined ? {} : { error }), finishedAt, attempt }
}
