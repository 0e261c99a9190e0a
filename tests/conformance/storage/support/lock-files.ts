/** Lock files as other processes, hosts and kernels would have left them. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { fileStorage } from 'ackbox/file'

import { temporaryFolder } from '../../support/boxes.ts'

/** The fields of a lock file, in their order. */
export interface LockFields {
  pid: number
  processStart: string
  bootId: string
  pidNamespace: string
  host: string
  since: number
  nonce: string
  locksFile: boolean
}

export function readLock(directory: string): LockFields & { check: string } {
  return JSON.parse(readFileSync(join(directory, 'lock'), 'utf8')) as LockFields & { check: string }
}

/** What this process writes about itself when it owns a folder. */
export async function ownFields(): Promise<LockFields> {
  const directory = await temporaryFolder()
  const storage = fileStorage({ directory })
  await storage.open()
  const { check: _, ...fields } = readLock(directory)
  await storage.close()
  return fields
}

/** Puts a lock file into a folder that says what `fields` say, and otherwise that this process owns it. */
export async function forgeLock(directory: string, fields: Partial<LockFields>): Promise<LockFields> {
  const owner = { ...(await ownFields()), ...fields }
  const check = createHash('sha256').update(JSON.stringify(owner)).digest('hex')
  writeFileSync(join(directory, 'lock'), JSON.stringify({ ...owner, check }))
  return owner
}

/**
 * The operating system's lock, as the native engine takes it. The descriptor is handed to flock(1), which locks the
 * open file that both share.
 */
export function systemLock(path: string): { release(): void } | null {
  const descriptor = openSync(path, 'r+')
  const { status } = spawnSync('flock', ['--nonblock', '3'], { stdio: ['ignore', 'ignore', 'inherit', descriptor] })
  if (status === 0) return { release: () => closeSync(descriptor) }
  closeSync(descriptor)
  if (status === 1) return null
  throw new Error(`flock: expected exit code 0 or 1, got ${status}`)
}
