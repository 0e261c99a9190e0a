/**
 * Virtual time for tabs. What tabs say to each other goes by turns of the event loop, and so does the database that Node has;
 * those of a browser do not: there, time and turns wait for what is under way to them.
 */
import { type ManualClock, manualClock } from 'ackbox/testing'
import { onTestFinished } from 'vitest'

import { IN_BROWSER } from './platform.ts'

/** Under this key a manual clock has what it asks before time goes on. */
const BUSY = Symbol.for('ackbox.busy')
/** More than anything needs that is on its way from one tab to another and back. */
const TURNS = 100

const underWay = new Set<Promise<void>>()

function busy(): Promise<unknown> | undefined {
  return underWay.size === 0 ? undefined : Promise.all(underWay)
}

/** A clock that waits for databases, too. Where a transaction is kept from ending, it stands still. */
export function tabsClock(): ManualClock {
  const clock = manualClock()
  ;(clock as unknown as Record<symbol, Set<typeof busy>>)[BUSY]!.add(busy)
  return clock
}

/** What is said and written goes its way, but for what waits for the clock. */
export async function turns(): Promise<void> {
  do {
    await busy()
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
  } while (busy() !== undefined)
}

/** Until the test ends it is known what is under way to the databases of a browser. */
export function watchDatabases(): void {
  if (!IN_BROWSER) return
  const { transaction } = IDBDatabase.prototype
  const { open } = IDBFactory.prototype
  onTestFinished(() => {
    IDBDatabase.prototype.transaction = transaction
    IDBFactory.prototype.open = open
    underWay.clear()
  })
  IDBDatabase.prototype.transaction = function (...given) {
    return untilOneOf(transaction.apply(this, given), 'complete', 'abort')
  }
  IDBFactory.prototype.open = function (...given) {
    return untilOneOf(open.apply(this, given), 'success', 'error')
  }
}

function untilOneOf<T extends EventTarget>(target: T, ...types: readonly string[]): T {
  const ended = new Promise<void>((resolve) => {
    for (const type of types) target.addEventListener(type, () => resolve())
  })
  underWay.add(ended)
  void ended.then(() => underWay.delete(ended))
  return target
}
