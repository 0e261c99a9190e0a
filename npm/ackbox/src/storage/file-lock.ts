/**
 * Exclusive ownership of a folder through one lock file that names its owner.
 *
 * - The file `lock` appears with its whole content or not at all: it is written under another name, synchronised,
 *   then linked. An owner that has the operating system's lock holds it on that file from before it appears.
 * - A living owner is never robbed. An owner is dead if its process is gone (see `judge`), or if it held the
 *   operating system's lock and does not any more. Then the opener replaces the file.
 * - Only one opener may replace a dead owner: the one that linked the guard `lock.takeover-<nonce of the dead>`, a
 *   lock of the same kind, and then finds the file still naming the dead one. An opener that died while it held a
 *   guard is a dead owner itself, so nothing is in the way for good.
 * - The file of a former owner stays as `lock.spare` and is the next one's file, so that a folder on a full disk
 *   can be locked: no step needs a new block. Nobody writes into a file that bears another of these names.
 */

import { link, readdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'

import { AckboxError, type LockedDetails } from '../errors.js'
import { currentOwner, judge, type Owner, type OwnerState } from './file-owner.js'
import {
  codeOf,
  createSpare,
  isHeldHere,
  isNamed,
  letGo,
  type LockFileOfOurs,
  prepareLockFile,
  probe,
  readHolder,
} from './lock-file.js'
import type { LockFile } from './storage.js'

/** Ownership of a folder. */
export interface DirectoryLock {
  /** Gives it up. Idempotent. */
  release(): Promise<void>
}

/** Each round loses against another opener that got further; so many in a row do not happen to a sound folder. */
const ROUNDS_MAX = 64

/**
 * Takes ownership of a folder, or rejects with `ERR_LOCKED`. With `lockFile` the operating system's lock is held,
 * too, and trusted in owners that hold it.
 */
export async function lockDirectory(directory: string, lockFile?: LockFile): Promise<DirectoryLock> {
  const opener = new Opener(directory, await currentOwner(), lockFile)
  try {
    await opener.claim(opener.lockPath)
  } catch (error) {
    await opener.withdraw()
    throw error
  }
  await opener.tidy()
  return { release: () => opener.release() }
}

class Opener {
  readonly lockPath: string
  readonly #directory: string
  readonly #sparePath: string
  readonly #self: Owner
  readonly #lockFile: LockFile | undefined
  #file: LockFileOfOurs | undefined

  constructor(directory: string, self: Owner, lockFile: LockFile | undefined) {
    this.#directory = directory
    this.#self = self
    this.#lockFile = lockFile
    this.lockPath = join(directory, 'lock')
    this.#sparePath = join(directory, 'lock.spare')
  }

  /** Puts this opener's name under `path`, or throws `ERR_LOCKED`. */
  async claim(path: string): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const holder = await readHolder(path)
      if (holder === 'absent') {
        if (await this.#appear(path)) return
      } else if (isNamed(holder)) {
        const state = await this.#stateOf(holder, path)
        if (state === 'gone') {
          if (await this.#takeOver(path, holder)) return
        } else if (state !== 'contended') {
          throw locked(this.#directory, path, holder, state)
        }
      }
    }
    throw unclear(this.#directory, path)
  }

  /** Gives the file of a failed claim back. */
  async withdraw(): Promise<void> {
    const file = this.#file
    if (file === undefined) return
    this.#file = undefined
    await rename(file.path, this.#sparePath).catch(() => {})
    await letGo(file)
  }

  async release(): Promise<void> {
    const file = this.#file
    if (file === undefined) return
    this.#file = undefined
    const holder = await readHolder(this.lockPath).catch(() => 'unreadable' as const)
    // A person may have removed the file, and another owner be there since: that one is not touched.
    if (isNamed(holder) && holder.nonce === this.#self.nonce) {
      await rename(this.lockPath, this.#sparePath).catch(() => {})
    }
    await letGo(file)
  }

  /** After a successful claim: removes what dead openers left behind, and sees to a spare. */
  async tidy(): Promise<void> {
    await unlink(this.#ownPath('')).catch(() => {})
    for (const name of await readdir(this.#directory)) {
      const path = join(this.#directory, name)
      if (await this.#isLeftOver(name, path)) await unlink(path).catch(() => {})
    }
    await createSpare(this.#sparePath, this.#ownPath('.spare'), this.#self)
  }

  async #isLeftOver(name: string, path: string): Promise<boolean> {
    const [, guards, nonce] = /^lock\.(takeover-)?([0-9a-f]{32})(?:\.\w+)?$/.exec(name) ?? []
    if (nonce === undefined) return false
    const holder = await readHolder(path).catch(() => 'absent' as const)
    if (isNamed(holder) && (guards !== undefined || holder.nonce === nonce)) {
      return (await judge(holder, this.#self)) === 'gone'
    }
    // An opener died before it wrote its own name. Should it live after all, it notices that its file is gone and
    // begins again. A guard always has a name.
    return holder !== 'absent' && guards === undefined
  }

  /** Links our file to a name that is free; false if it is not free any more. */
  async #appear(path: string): Promise<boolean> {
    const file = await this.#prepare()
    try {
      await link(file.path, path)
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOENT') await this.withdraw()
      else if (codeOf(error) !== 'EEXIST') throw error
      return false
    }
  }

  /** Replaces a dead holder; false if another opener was faster. */
  async #takeOver(path: string, dead: Owner): Promise<boolean> {
    const guard = join(this.#directory, `lock.takeover-${dead.nonce}`)
    await this.claim(guard)
    try {
      const holder = await readHolder(path)
      if (!isNamed(holder) || holder.nonce !== dead.nonce) return false
      const [staged, old] = [this.#ownPath('.new'), this.#ownPath('.old')]
      await link(guard, staged)
      // The dead one's file must not be free for use before it has lost the name that gives ownership.
      await link(path, old).catch(() => {})
      await rename(staged, path)
      await rename(old, this.#sparePath).catch(() => {})
      return true
    } finally {
      await unlink(guard).catch(() => {})
    }
  }

  async #stateOf(holder: Owner, path: string): Promise<OwnerState | 'contended'> {
    const state = await judge(holder, this.#self)
    if (holder.locksFile && this.#lockFile !== undefined) {
      const probed = await probe(this.#lockFile, path, holder, this.#ownPath('.probe'))
      // Held though its process is gone: another opener is probing at this moment.
      if (probed === 'held') return state === 'gone' ? 'contended' : state
      if (probed !== 'unknown') return probed === 'free' ? 'gone' : 'contended'
    }
    return state === 'this-process' && !(await isHeldHere(path)) ? 'gone' : state
  }

  async #prepare(): Promise<LockFileOfOurs> {
    this.#file ??= await prepareLockFile(this.#ownPath(''), this.#sparePath, this.#self, this.#lockFile)
    return this.#file
  }

  #ownPath(suffix: string): string {
    return join(this.#directory, `lock.${this.#self.nonce}${suffix}`)
  }
}

function locked(directory: string, path: string, holder: Owner, state: OwnerState): AckboxError<'ERR_LOCKED'> {
  const since = new Date(holder.since).toISOString()
  const details: LockedDetails = { pid: holder.pid, since: holder.since, sameProcess: state === 'this-process' }
  if (details.sameProcess) {
    return new AckboxError('ERR_LOCKED', `${directory}: open in this process since ${since} (lock file ${path})`, {
      details,
    })
  }
  const owner = `owned by process ${holder.pid} on host '${holder.host}' since ${since}`
  const advice =
    state === 'alive'
      ? `lock file ${path}`
      : `whether it still runs cannot be told from here; if it does not, remove the lock file ${path}`
  return new AckboxError('ERR_LOCKED', `${directory}: ${owner} (${advice})`, { details })
}

function unclear(directory: string, path: string): AckboxError<'ERR_LOCKED'> {
  const advice = `the lock file ${path} names no owner that can be read; if no process uses the folder, remove it`
  return new AckboxError('ERR_LOCKED', `${directory}: ${advice}`, { details: { sameProcess: false } })
}
