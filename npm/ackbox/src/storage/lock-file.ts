/** One file that names an owner: how it is written, read, kept and probed. Who may do so is decided in `file-lock`. */

import { type FileHandle, link, open, readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'

import { type Owner, parseOwner, serializeOwner } from './file-owner.js'
import type { FileLock, LockFile } from './storage.js'

/** An owner is always written with so many bytes, so that a file can be used again in place. */
const LOCK_FILE_BYTES = 1024

/** A file with our name in it. */
export interface LockFileOfOurs {
  readonly path: string
  /** Stays open as long as the file is ours: `isHeldHere` relies on it. */
  readonly handle: FileHandle
  /** The operating system's lock, where the engine has one and the file system supports it. */
  readonly fileLock: FileLock | undefined
}

/** What a lock file says. */
export type Holder = Owner | 'absent' | 'unreadable'

export function isNamed(holder: Holder): holder is Owner {
  return typeof holder === 'object'
}

export async function readHolder(path: string): Promise<Holder> {
  try {
    return parseOwner(await readFile(path, 'utf8')) ?? 'unreadable'
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'absent'
    throw error
  }
}

/**
 * Makes a file with our name in it under a name of our own, from the spare if there is one: a file that has its
 * block already can be written on a full disk.
 */
export async function prepareLockFile(
  path: string,
  sparePath: string,
  self: Owner,
  lockFile: LockFile | undefined,
): Promise<LockFileOfOurs> {
  const spare = await rename(sparePath, path).then(
    () => true,
    () => false,
  )
  let handle = await openOwn(path, spare)
  let fileLock: FileLock | null | undefined
  try {
    fileLock = tryLock(lockFile, path)
    if (fileLock === null) {
      // The spare's former owner is just letting go of it.
      await handle.close()
      await unlink(path).catch(() => {})
      handle = await open(path, 'wx', 0o644)
      fileLock = tryLock(lockFile, path) ?? undefined
    }
    await handle.write(content({ ...self, locksFile: fileLock !== undefined }), 0)
    await handle.sync()
    return { path, handle, fileLock }
  } catch (error) {
    await letGo({ path, handle, fileLock: fileLock ?? undefined })
    await unlink(path).catch(() => {})
    throw error
  }
}

/** The spare has a name of ours now, but not our name in it: who tidies up may have taken it for a leftover. */
async function openOwn(path: string, spare: boolean): Promise<FileHandle> {
  if (spare) {
    try {
      return await open(path, 'r+')
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
  return open(path, 'wx', 0o644)
}

/** Closes a file that is not ours any more. The name has been given away before: see `file-lock`. */
export async function letGo(file: LockFileOfOurs): Promise<void> {
  await file.handle.close().catch(() => {})
  file.fileLock?.release()
}

/** Makes a spare if there is none. On a full disk there will be none: it is only wanted, not needed. */
export async function createSpare(sparePath: string, temporaryPath: string, self: Owner): Promise<void> {
  try {
    await stat(sparePath)
  } catch {
    await writeFile(temporaryPath, content(self))
      .then(() => rename(temporaryPath, sparePath))
      .catch(() => unlink(temporaryPath).catch(() => {}))
  }
}

/** What the operating system's lock on a file says; `changed` if the file does not name the holder any more. */
export type Probed = 'held' | 'free' | 'changed' | 'unknown'

/** Tries the lock under a link of our own, so that it is tried on the file that names the holder and no other. */
export async function probe(lockFile: LockFile, path: string, holder: Owner, ownPath: string): Promise<Probed> {
  try {
    await link(path, ownPath)
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'changed' : 'unknown'
  }
  try {
    const named = await readHolder(ownPath)
    if (!isNamed(named) || named.nonce !== holder.nonce) return 'changed'
    const probed = tryLock(lockFile, ownPath)
    probed?.release()
    return probed === undefined ? 'unknown' : probed === null ? 'held' : 'free'
  } finally {
    await unlink(ownPath).catch(() => {})
  }
}

/**
 * Whether this process has a file open. The owner named in a lock file may have been a thread of this process that
 * ended without giving up: its descriptors are closed then. Where the platform cannot tell: yes.
 */
export async function isHeldHere(path: string): Promise<boolean> {
  try {
    const file = await stat(path)
    for (const descriptor of await readdir('/proc/self/fd')) {
      const other = await stat(`/proc/self/fd/${descriptor}`).catch(() => undefined)
      if (other?.ino === file.ino && other.dev === file.dev) return true
    }
    return false
  } catch {
    return true
  }
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}

function content(owner: Owner): string {
  return `${serializeOwner(owner).padEnd(LOCK_FILE_BYTES - 1)}\n`
}

/** Not every file system has such locks, and the file may have lost its name: `undefined` then. */
function tryLock(lockFile: LockFile | undefined, path: string): FileLock | null | undefined {
  try {
    return lockFile?.(path)
  } catch {
    return undefined
  }
}
