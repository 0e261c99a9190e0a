/** What a server promises to keep: asked when a box is opened, and said aloud. */

import { AckboxError } from '../../ackbox-error.js'
import { type Reply, ServerError, type Transport } from './transport.js'

/** What was found. Absent: the server does not tell (managed services forbid `CONFIG`). */
export interface ServerFacts {
  readonly version: string
  readonly role: 'master' | 'replica'
  readonly appendonly?: boolean
  readonly appendfsync?: 'always' | 'everysec' | 'no'
  readonly maxmemoryPolicy?: string
  readonly maxmemory?: number
}

const OLDEST = [6, 2]

/** Asks the server. */
export async function serverFacts(transport: Transport): Promise<ServerFacts> {
  const info = lines(await transport.send(['INFO']))
  const version = info.get('redis_version') ?? '0'
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < OLDEST[0]! || (major === OLDEST[0] && minor < OLDEST[1]!)) {
    throw new AckboxError('ERR_UNSUPPORTED', `expected Redis 6.2 or later, found ${version}`)
  }
  const config = new Map<string, string>()
  for (const name of ['appendonly', 'appendfsync', 'maxmemory-policy', 'maxmemory']) {
    const value = await setting(transport, name)
    if (value !== undefined) config.set(name, value)
  }
  const appendfsync = config.get('appendfsync') as ServerFacts['appendfsync']
  const policy = config.get('maxmemory-policy') ?? info.get('maxmemory_policy')
  const maxmemory = config.get('maxmemory') ?? info.get('maxmemory')
  const aof = config.get('appendonly') ?? (info.has('aof_enabled') ? (info.get('aof_enabled') === '1' ? 'yes' : 'no') : undefined)
  return {
    version,
    role: info.get('role') === 'master' ? 'master' : 'replica',
    ...(aof === undefined ? {} : { appendonly: aof === 'yes' }),
    ...(appendfsync === undefined ? {} : { appendfsync }),
    ...(policy === undefined ? {} : { maxmemoryPolicy: policy }),
    ...(maxmemory === undefined ? {} : { maxmemory: Number(maxmemory) }),
  }
}

/** What could be lost with such a server, one sentence each; none: what was accepted survives the cut of its power. */
export function whatCouldBeLost(facts: ServerFacts): string[] {
  const losses: string[] = []
  if (facts.appendonly === undefined) losses.push('the server does not tell whether it keeps an append-only file (appendonly)')
  else if (!facts.appendonly) losses.push('appendonly is no: a restart of the server loses what came since its last snapshot, or everything')
  else if (facts.appendfsync === undefined) losses.push('the server does not tell when it flushes its append-only file (appendfsync)')
  else if (facts.appendfsync !== 'always') {
    const span = facts.appendfsync === 'everysec' ? 'the last second or two' : 'what the system had not written yet, half a minute or more'
    losses.push(`appendfsync is ${facts.appendfsync}: a crash of its machine loses ${span}`)
  }
  if (facts.maxmemoryPolicy === undefined) losses.push('the server does not tell whether it evicts keys (maxmemory-policy)')
  else if (facts.maxmemoryPolicy !== 'noeviction') {
    losses.push(`maxmemory-policy is ${facts.maxmemoryPolicy}: with its memory full the server removes keys, and so messages or answers`)
  }
  return losses
}

/** Refuses a server that could lose what it accepted, if that was asked for, or that takes no writes. */
export function checkFacts(facts: ServerFacts, requireDurable: boolean): void {
  if (facts.role !== 'master') {
    throw new AckboxError('ERR_UNAVAILABLE', 'expected a Redis that takes writes, found a replica that only reads')
  }
  const losses = whatCouldBeLost(facts)
  if (requireDurable && losses.length > 0) {
    throw new AckboxError('ERR_UNAVAILABLE', `requireDurable: expected a server that loses nothing, but ${losses.join('; ')}`)
  }
}

async function setting(transport: Transport, name: string): Promise<string | undefined> {
  try {
    const reply = await transport.send(['CONFIG', 'GET', name])
    return Array.isArray(reply) && reply[1] !== undefined ? String(reply[1]) : undefined
  } catch (error) {
    if (error instanceof ServerError) return undefined
    throw error
  }
}

function lines(reply: Reply): Map<string, string> {
  const entries = String(reply).split('\r\n').filter((line) => line.includes(':'))
  return new Map(entries.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
}
