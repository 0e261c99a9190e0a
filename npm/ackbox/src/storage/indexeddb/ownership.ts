/**
 * Who owns a database: whoever holds the Web Lock of its name. The browser gives it to one tab or worker of the origin at a
 * time, and frees it when that one ends, however it ends.
 *
 * Where there are no Web Locks and no browser (Node with an IndexedDB in memory), nobody outside of the process can be
 * meant, and the table of owners in it suffices.
 */

import { platform } from '../../clock.js'
import { AckboxError } from '../../errors.js'
import { denied } from './denied.js'
import { type Hold, holdLock } from './held-lock.js'

/** Owners in this process, and since when. */
const owners = new Map<string, number>()

/** Ownership of a database. */
export interface Ownership {
  /** Since when, in milliseconds since 1970. */
  readonly since: number
  /** It was neither given up nor taken away. */
  readonly isHeld: boolean
  /** Gives it up. Idempotent. */
  release(): Promise<void>
}

/**
 * Takes ownership. `undefined` if another tab has it; `ERR_LOCKED` if this very process does. `onLost` is called if the
 * lock is taken away later.
 */
export async function own(name: string, locks: LockManager | undefined, onLost: () => void): Promise<Ownership | undefined> {
  checkNotOwned(name)
  const hold = locks === undefined ? holdAlone(name) : await take(locks, name, lockName(name), onLost)
  if (hold === undefined) return undefined
  const alone = locks === undefined ? undefined : await take(locks, name, exclusiveName(name), () => {})
  return owned(name, {
    get isHeld() {
      return hold.isHeld
    },
    release: async () => void (await Promise.all([hold.release(), alone?.release()])),
  })
}

/** Ownership by a lock that is held. */
export function owned(name: string, hold: Hold): Ownership {
  const since = platform.wallNow()
  owners.set(name, since)
  let released: Promise<void> | undefined
  const release = (): Promise<void> => {
    owners.delete(name)
    return hold.release()
  }
  return {
    since,
    get isHeld() {
      return hold.isHeld
    },
    release: () => (released ??= release()),
  }
}

/** The name of the lock, which stands for the name of the database in the whole origin. */
export function lockName(name: string): string {
  return `ackbox:${name}`
}

/** The name of the lock that an owner holds as well who shares with nobody. */
export function exclusiveName(name: string): string {
  return `${lockName(name)}:alone`
}

function checkNotOwned(name: string): void {
  const since = owners.get(name)
  if (since === undefined) return
  const message = `database '${name}': open in this process since ${new Date(since).toISOString()}`
  const pid = globalThis.process?.pid
  throw new AckboxError('ERR_LOCKED', message, {
    details: { ...(pid === undefined ? {} : { pid }), since, sameProcess: true },
  })
}

/** A page without a secure context has no locks, and its other tabs could not be kept away. */
function holdAlone(name: string): Hold {
  if (globalThis.isSecureContext !== false) return { isHeld: true, release: async () => {} }
  const message = `database '${name}': expected Web Locks, which browsers give to pages from https: or localhost only`
  throw new AckboxError('ERR_UNSUPPORTED', message)
}

/** `undefined` if another tab has the lock. */
async function take(locks: LockManager, name: string, lock: string, onLost: () => void): Promise<Hold | undefined> {
  try {
    return await holdLock(locks, lock, { ifAvailable: true }, onLost)
  } catch (error) {
    throw (error as { name?: unknown } | null)?.name === 'SecurityError' ? denied(name, error) : error
  }
}
