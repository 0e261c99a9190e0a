/** Virtual time for the conformance cases, and the few ways in which they wait without it. */
export { manualClock, type ManualClock } from 'ackbox/testing'

/**
 * Lets everything run that can run now: promise jobs, and the turns of the event loop in which a
 * storage in memory answers. Only for showing that something did *not* happen; what must happen is
 * awaited by its event or promise.
 */
export async function turns(count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Whether a promise is settled after everything ran that can run now. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true
  const settled = (): void => {
    pending = false
  }
  promise.then(settled, settled)
  await turns()
  return pending
}

/** A promise with its ends in reach: handlers wait for it, tests settle it. */
export interface Gate<T = void> {
  readonly promise: Promise<T>
  open(value: T): void
  fail(error: unknown): void
}

export function gate<T = void>(): Gate<T> {
  let open!: (value: T) => void
  let fail!: (error: unknown) => void
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { promise, open, fail }
}
