/** Errors as plain data: what the journal keeps of what was thrown, and what users see of it later. */
import { read, textOf } from './causes.js'
import { AckboxError, describe } from './errors.js'
import { plainIssues } from './schema.js'
import type { ErrorInfo, SchemaIssue } from './types.js'
import { utf8Length } from './validate.js'

/** What an error may take of the journal. */
const ERROR_BYTES_MAX = 4_096

type WritableInfo = { -readonly [K in keyof ErrorInfo]: ErrorInfo[K] }

/** Makes one part shorter, by about `excess` bytes at most; false if nothing of it is left. */
type GiveWay = (info: WritableInfo, excess: number) => boolean

/** The parts in the order in which they give way. */
const GIVING_WAY: readonly GiveWay[] = [cut('stack'), dropLastIssue, cut('message'), cut('code'), cut('name')]

/** JSON text of what was thrown: at most 4 KiB, of which the stack gives way first, then issues, then the message. */
export function encodeError(thrown: unknown): string {
  if (thrown === undefined) return ''
  const info = errorInfo(thrown)
  let encoded = JSON.stringify(info)
  let excess = utf8Length(encoded) - ERROR_BYTES_MAX
  for (const giveWay of GIVING_WAY) {
    while (excess > 0 && giveWay(info, excess)) {
      encoded = JSON.stringify(info)
      excess = utf8Length(encoded) - ERROR_BYTES_MAX
    }
  }
  return encoded
}

/** An error from its JSON text; `undefined` for none. */
export function decodeError(encoded: string | undefined): ErrorInfo | undefined {
  return encoded === undefined || encoded === '' ? undefined : (JSON.parse(encoded) as ErrorInfo)
}

/** The text of something that was thrown. */
export function messageOf(thrown: unknown): string {
  return errorInfo(thrown).message
}

/** A thrown value as plain data; its getters are user code and may throw. */
function errorInfo(thrown: unknown): WritableInfo {
  if (typeof thrown !== 'object' || thrown === null) {
    return { name: 'Error', message: typeof thrown === 'string' ? thrown : describe(thrown) }
  }
  const info: WritableInfo = {
    name: stringOf(thrown, 'name') ?? 'Error',
    message: wordsOf(thrown) ?? statusOf(thrown) ?? describe(thrown),
  }
  // Those who wrap an error seldom repeat what the platform calls it.
  const code = textOf(thrown, 'code')
  const stack = stringOf(thrown, 'stack')
  const issues = issuesOf(thrown)
  if (code !== undefined) info.code = code
  if (stack !== undefined) info.stack = stack
  if (issues !== undefined) info.issues = issues
  return info
}

function stringOf(thrown: object, property: string): string | undefined {
  const value = read(thrown, property)
  return typeof value === 'string' ? value : undefined
}

/** Of an error without words, as an `AggregateError` of Node's sockets is one, those of what caused it. */
function wordsOf(thrown: object): string | undefined {
  const own = stringOf(thrown, 'message')
  return own === '' ? (textOf(thrown, 'message') ?? own) : own
}

/** A response that was thrown has no message. */
function statusOf(thrown: object): string | undefined {
  try {
    const { status, statusText } = thrown as { status?: unknown; statusText?: unknown }
    if (typeof status !== 'number') return undefined
    return `status ${status}${typeof statusText === 'string' && statusText !== '' ? ` ${statusText}` : ''}`
  } catch {
    return undefined
  }
}

function issuesOf(thrown: object): SchemaIssue[] | undefined {
  if (!AckboxError.is(thrown, 'ERR_INVALID_BODY')) return undefined
  const { issues } = thrown.details
  return Array.isArray(issues) ? plainIssues(issues) : undefined
}

/** What is cut may take up to 6 bytes a unit in JSON, or only one: a sixth of the excess is never too much. */
function cut(part: 'stack' | 'message' | 'code' | 'name'): GiveWay {
  return (info, excess) => {
    const value = info[part] ?? ''
    if (value === '') return false
    info[part] = value.slice(0, Math.max(0, value.length - Math.ceil(excess / 6)))
    return true
  }
}

function dropLastIssue(info: WritableInfo): boolean {
  if (info.issues === undefined || info.issues.length === 0) return false
  info.issues = info.issues.slice(0, -1)
  return true
}
