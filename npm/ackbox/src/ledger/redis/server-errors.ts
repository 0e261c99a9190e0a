/** What errors of the server mean to a user, and which of them pass. */

import { AckboxError } from '../../ackbox-error.js'
import type { ServerError } from './transport.js'

/** The server says so while it starts, moves keys or changes roles: asking again later is all it takes. */
const PASSING = /^-?(LOADING|BUSY|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|NOREPLICAS)\b/
/** The node is not, or not any more, who may write: a fail-over is going on, or the URL names a replica. */
const REPLICA = /\bREADONLY\b/

/** Whether asking again, later or elsewhere, may help. */
export function passes(error: ServerError): boolean {
  return PASSING.test(error.message)
}

/** Whether the server is a replica that only reads. */
export function isReplica(error: ServerError): boolean {
  return REPLICA.test(error.message)
}

/** A server's error as one of ours. */
export function asAckboxError(error: ServerError, prefix: string): AckboxError {
  const text = error.message.replace(/^-/, '')
  const init = { cause: error }
  if (/\bACKBOX_NEWER\b/.test(text)) {
    return new AckboxError('ERR_NEWER_FORMAT', `box ${prefix}: ${after(text, 'ACKBOX_NEWER')}; a newer ackbox wrote it`, init)
  }
  if (/\bACKBOX_WRONGTYPE\b/.test(text)) return taken(prefix, after(text, 'ACKBOX_WRONGTYPE'), init)
  if (/\bWRONGTYPE\b/.test(text)) return taken(prefix, text, init)
  if (/\bACKBOX_ABSENT\b/.test(text)) return new AckboxError('ERR_NOT_FOUND', `box ${prefix}: ${after(text, 'ACKBOX_ABSENT')}`, init)
  if (/\bACKBOX_UNDEFINED\b/.test(text)) return new AckboxError('ERR_NOT_FOUND', `box ${prefix}: ${after(text, 'ACKBOX_UNDEFINED')}`, init)
  if (/\bACKBOX_STALE\b/.test(text)) return new AckboxError('ERR_TIMEOUT', `${after(text, 'ACKBOX_STALE')}: nobody knows what became of it`, init)
  if (/\bOOM\b/.test(text)) {
    return new AckboxError('ERR_STORAGE_FULL', 'Redis has no memory left (maxmemory) and changed nothing', init)
  }
  if (/\b(NOAUTH|WRONGPASS|NOPERM)\b|invalid password|without any password/i.test(text)) {
    return new AckboxError('ERR_INVALID_OPTION', `Redis refuses these credentials: ${text}`, init)
  }
  if (REPLICA.test(text)) {
    return new AckboxError('ERR_UNAVAILABLE', 'expected a Redis that takes writes, found a replica that only reads', init)
  }
  if (/\bMISCONF\b/.test(text)) return new AckboxError('ERR_UNAVAILABLE', `Redis cannot write to its disk: ${text}`, init)
  if (/unknown command/i.test(text)) return new AckboxError('ERR_UNSUPPORTED', `expected Redis 6.2 or later: ${text}`, init)
  return new AckboxError('ERR_ENGINE', `Redis: ${text}`, init)
}

function taken(prefix: string, text: string, init: { cause: unknown }): AckboxError {
  return new AckboxError('ERR_INVALID_OPTION', `prefix ${prefix}: somebody else uses keys under it: ${text}`, init)
}

function after(text: string, code: string): string {
  return text.slice(text.indexOf(code) + code.length).split(' script:')[0]!.trim()
}
