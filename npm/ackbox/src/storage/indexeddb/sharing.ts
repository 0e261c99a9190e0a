/**
 * How tabs share one database. Web Locks decide who owns it: the lock of its name is held by the owner, and whoever wants
 * to be the next waits for it in turn. Each tab that shares holds a lock of its own as well, so that others learn at once
 * that it is gone, however it ended. What they tell each other goes over a BroadcastChannel of the same name.
 *
 * Locks and channels are those of the place where the storage was made.
 */

import type { Channel, OwnedInbox, Sharing } from '../storage.js'
import { connect } from './database.js'
import { type Hold, holdLock } from './held-lock.js'
import { sharedInbox } from './inbox.js'
import { exclusiveName, lockName } from './ownership.js'
import type { KeepingPromise } from './room.js'

/** The parts of the platform that sharing needs. */
export interface Surroundings {
  readonly locks: LockManager
  readonly Channel: typeof BroadcastChannel
}

/** Those of this place; `undefined` where there are none: old browsers, pages without a secure context, Node 20. */
export function surroundings(): Surroundings | undefined {
  const locks = globalThis.navigator?.locks
  const Channel = globalThis.BroadcastChannel
  return locks === undefined || Channel === undefined ? undefined : { locks, Channel }
}

/** What the storage does when this place becomes its owner. */
export interface Holder {
  readonly granted: (hold: Hold) => void
  readonly inbox: () => OwnedInbox
}

export function sharingOf(name: string, { locks, Channel }: Surroundings, promise: KeepingPromise, holder: Holder): Sharing {
  return {
    channel(onMessage): Channel {
      const channel = new Channel(lockName(name))
      // Node alone: it must not keep the process alive.
      ;(channel as { unref?(): unknown }).unref?.()
      channel.onmessage = ({ data }: MessageEvent) => onMessage(data)
      return {
        send: (message) => channel.postMessage(message),
        close: () => {
          channel.onmessage = null
          channel.close()
        },
      }
    },
    own: ({ steal, signal, onLost }) => own(locks, name, steal, signal, onLost, holder),
    async owner() {
      const { held = [] } = await locks.query()
      const client = held.find((lock) => lock.name === lockName(name))?.clientId
      return { client, isExclusive: held.some((lock) => lock.name === exclusiveName(name)) }
    },
    async live(who) {
      const { release } = await holdLock(locks, tabName(name, who), {}, () => {})
      return () => void release()
    },
    async gone(who, signal) {
      const { release } = await holdLock(locks, tabName(name, who), { signal }, () => {})
      await release()
    },
    async connect(onClosed) {
      const [database] = await Promise.all([connect(name, onClosed), promise.ask()])
      return sharedInbox(database, name)
    },
    get persisted() {
      return promise.answer
    },
    owned: holder.inbox,
  }
}

async function own(
  locks: LockManager,
  name: string,
  steal: boolean,
  signal: AbortSignal,
  onLost: () => void,
  holder: Holder,
): Promise<void> {
  // A lock cannot be both taken away and waited for with a signal.
  const held = await holdLock(locks, lockName(name), steal ? { steal } : { signal }, onLost)
  if (!signal.aborted) return holder.granted(held)
  await held.release()
  throw signal.reason
}

/** The lock that a tab holds as long as it lives. */
function tabName(name: string, who: string): string {
  return `${lockName(name)}:tab:${who}`
}
