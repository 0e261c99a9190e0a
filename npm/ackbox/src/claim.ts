/** Claiming messages for settling by hand. */
import type { DequeueOptions } from './api.js'
import type { BoxCore } from './box.js'
import type { ActiveDelivery } from './delivery.js'
import type { Waiter } from './pending.js'
import type { Range } from './validate.js'
import { checkNames, duration, integer, MAX_MS, optionalSignal } from './validate.js'

const MAX: Range = { min: 1, max: 10_000 }
const LEASE: Range = { min: 1, max: MAX_MS }
const WAIT: Range = { min: 0, max: MAX_MS }

/**
 * Claims up to `max` messages, and waits for the first one if the options say so. A message whose body cannot be
 * decoded becomes a dead letter and counts as none.
 */
export async function claim(
  core: BoxCore,
  queue: number,
  max: number,
  options: DequeueOptions,
  where: string,
): Promise<ActiveDelivery[]> {
  checkNames(options, ['leaseMs', 'waitMs', 'signal'], where)
  integer(max, MAX, 'max', where)
  const leaseMs = options.leaseMs === undefined ? undefined : duration(options.leaseMs, LEASE, 'leaseMs', where)
  const waitMs = duration(options.waitMs === undefined ? 0 : options.waitMs, WAIT, 'waitMs', where)
  const { signal } = options
  optionalSignal(signal, where)
  core.checkOpen(where)
  signal?.throwIfAborted()

  const until = core.driver.now() + waitMs
  for (let left = waitMs; ; left = Math.max(0, until - core.driver.now())) {
    const claimed = await wait(core, { queue, max, leaseMs, waitMs: left }, signal)
    returnIfAborted(claimed, signal)
    if (claimed.length === 0) {
      if (waitMs > 0) core.checkOpen(where)
      return []
    }
    const prepared = await Promise.all(claimed.map((delivery) => delivery.prepare()))
    // What is not open any more was withdrawn, or taken back by a box that closes.
    const decoded = claimed.filter((delivery, index) => prepared[index] && delivery.isOpen)
    returnIfAborted(decoded, signal)
    if (decoded.length > 0) return decoded.map((delivery) => delivery.begin())
    // None is left, most likely for they are dead letters now: the caller still waits for a message.
    core.checkOpen(where)
  }
}

/** Nobody is there any more to see what was claimed. */
function returnIfAborted(claimed: readonly ActiveDelivery[], signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  for (const delivery of claimed) delivery.decline()
  throw signal.reason
}

interface Claim {
  readonly queue: number
  readonly max: number
  readonly leaseMs: number | undefined
  readonly waitMs: number
}

/** A claim that waits keeps the process alive, and ends with its signal or with the box. */
async function wait(core: BoxCore, wanted: Claim, signal: AbortSignal | undefined): Promise<ActiveDelivery[]> {
  const { driver, inbox } = core
  let stop = (): void => {}
  inbox.keepAlive.hold()
  try {
    return await new Promise<ActiveDelivery[]>((resolve, reject) => {
      const deliveries: ActiveDelivery[] = []
      const waiter: Waiter = {
        delivered: (delivery) => void deliveries.push(delivery as ActiveDelivery),
        answered: () => resolve(deliveries),
        refused: reject,
      }
      const ticket = driver.send(waiter, (ticket, input) => input.dequeue({ ticket, ...wanted }))
      stop = () => driver.stopWaiting(ticket, waiter)
      inbox.waiting.add(stop)
      signal?.addEventListener('abort', stop)
    })
  } finally {
    inbox.waiting.delete(stop)
    signal?.removeEventListener('abort', stop)
    inbox.keepAlive.release()
  }
}
