/** A browser that lets this page store nothing. */
import { messageOf } from '../../error-info.js'
import { AckboxError } from '../../errors.js'

/** What is told where the browser denies a database, or the lock that stands for it. */
export function denied(name: string, cause: unknown): AckboxError<'ERR_STORAGE_FAILED'> {
  const message = `database '${name}': the browser denies IndexedDB here (site data are blocked, private browsing, or a frame without an origin)`
  return new AckboxError('ERR_STORAGE_FAILED', `${message}: ${messageOf(cause)}`, { cause })
}
