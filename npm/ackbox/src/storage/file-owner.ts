/**
 * Who a process is, in a way that outlives it: its pid alone says nothing after a restart, in a container, or once
 * the number was given to another process.
 */

import { createHash, randomBytes } from 'node:crypto'
import { readFile, readdir, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'

import { platform } from '../clock.js'

/** What a lock file says about its owner. Fields that the platform cannot tell are empty strings. */
export interface Owner {
  readonly pid: number
  /** When the process started, in the kernel's own count: two processes with one pid differ in it. */
  readonly processStart: string
  /** Changes whenever the kernel starts. */
  readonly bootId: string
  /** In which pid namespace `pid` counts. */
  readonly pidNamespace: string
  readonly host: string
  /** When it became the owner, in milliseconds since 1970. */
  readonly since: number
  /** Different for every opening of every box. */
  readonly nonce: string
  /** Whether it holds the operating system's lock on the lock file as long as it lives. */
  readonly locksFile: boolean
}

/** What can be said about the process of an owner from here. */
export type OwnerState = 'this-process' | 'alive' | 'gone' | 'unknown'

/** This process, as the owner of something from now on. */
export async function currentOwner(): Promise<Owner> {
  return {
    pid: process.pid,
    processStart: (await readStatus('self'))?.start ?? '',
    bootId: await orEmpty(readFile('/proc/sys/kernel/random/boot_id', 'utf8')),
    pidNamespace: await orEmpty(readlink('/proc/self/ns/pid')),
    host: hostname(),
    since: platform.wallNow(),
    nonce: randomBytes(16).toString('hex'),
    locksFile: false,
  }
}

/**
 * Judges an owner by what the kernel says of its process. Never says `gone` on doubt: in another pid namespace, or
 * on another host, a missing process proves nothing.
 */
export async function judge(owner: Owner, self: Owner): Promise<OwnerState> {
  if (owner.bootId !== self.bootId) return owner.host === self.host ? 'gone' : 'unknown'
  const sameKernel = self.bootId !== '' || owner.host === self.host
  if (!sameKernel || owner.pidNamespace !== self.pidNamespace) return 'unknown'
  if (owner.pid === self.pid && owner.processStart === self.processStart) return 'this-process'
  return (await isRunning(owner.pid, owner.processStart)) ? 'alive' : 'gone'
}

/** An owner as one line of JSON, with a checksum: a file that is read while it is written must not be believed. */
export function serializeOwner(owner: Owner): string {
  const { pid, processStart, bootId, pidNamespace, host, since, nonce, locksFile } = owner
  const fields = { pid, processStart, bootId, pidNamespace, host, since, nonce, locksFile }
  const check = createHash('sha256').update(JSON.stringify(fields)).digest('hex')
  return JSON.stringify({ ...fields, check })
}

/** Reads what `serializeOwner` wrote; `undefined` if it is anything else. */
export function parseOwner(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Owner
    return serializeOwner(owner) === text.trim() && /^[0-9a-f]{32}$/.test(owner.nonce) ? owner : undefined
  } catch {
    return undefined
  }
}

async function isRunning(pid: number, start: string): Promise<boolean> {
  const status = await readStatus(pid)
  // Where /proc is missing or hides the processes of others the pid alone decides. A number that was given to
  // another process meanwhile then errs to running.
  if (status === undefined) return exists(pid)
  if (status.start !== start) return false
  // Dead and not collected by its parent yet. One of its threads may still be busy in the kernel with a write.
  if (status.state === 'Z') return (await readdir(`/proc/${pid}/task`).catch(() => [])).length > 1
  return true
}

interface Status {
  readonly state: string
  /** Ticks from the start of the kernel to the start of the process. */
  readonly start: string
}

/** Fields 3 and 22 of the process's status line. Field 2, its name, may hold spaces and brackets: count behind it. */
async function readStatus(pid: number | 'self'): Promise<Status | undefined> {
  const line = await orEmpty(readFile(`/proc/${pid}/stat`, 'utf8'))
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const [state, start] = [fields[0], fields[19]]
  return state === undefined || start === undefined ? undefined : { state, start }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function orEmpty(text: Promise<string>): Promise<string> {
  return (await text.catch(() => '')).trim()
}
