/** Boxes for the cases: opened over each storage, on a manual clock, closed when the test ends. */
import { PLACES, temporaryFolder } from '#places'
import { open, type Box, type OpenOptions, type Storage } from 'ackbox'
import { describe, onTestFinished } from 'vitest'

import { manualClock, type ManualClock } from './clock.ts'
import { InjectedStorage } from './injected-storage.ts'

/** One box, the place it lives in, and the clock it lives by. */
export interface Site {
  /** The box that is open now. */
  readonly box: Box
  readonly clock: ManualClock
  /** Closes the box and opens what it left behind, on the same clock. */
  reopen(options?: OpenOptions): Promise<Box>
}

export type Make = (options?: OpenOptions) => Promise<Site>

/** A new place, and storages over it, one for each opening. */
export type Place = () => Promise<() => Storage>

/** Runs the same cases over every storage that ships for this platform. */
export function eachStorage(title: string, cases: (make: Make) => void): void {
  for (const [name, place] of Object.entries(PLACES)) describe(`${title}, ${name}`, () => cases(makeAt(place)))
}

/** A box over memoryStorage, for cases in which the storage makes no difference. */
export const makeInMemory: Make = makeAt(PLACES['memoryStorage']!)

export { temporaryFolder }

/** Opens a box over a storage of the test's own; closed when the test ends. */
export async function openOn(storage: Storage, options: OpenOptions): Promise<Box> {
  const box = await open(storage, options)
  onTestFinished(() => {
    if (storage instanceof InjectedStorage) storage.release()
    return discard(box)
  })
  return box
}

function makeAt(place: Place): Make {
  return async (options = {}) => {
    const storage = await place()
    const clock = manualClock()
    const start = (own: OpenOptions): Promise<Box> => open(storage(), { clock, ...options, ...own })
    let box = await start({})
    onTestFinished(() => discard(box))
    return {
      get box() {
        return box
      },
      clock,
      async reopen(own = {}) {
        await box.close()
        box = await start(own)
        return box
      },
    }
  }
}

/** Ends a box whatever state a test left it in; handlers that still run are aborted at once. */
async function discard(box: Box): Promise<void> {
  await box.close({ timeoutMs: 0 }).catch(() => {})
}
