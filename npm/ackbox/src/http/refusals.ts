/** What a client is told when its message is not taken: the box's own refusals by their codes, and of all else nothing. */
import { AckboxError, type ErrorCode } from '../errors.js'
import { plainIssues } from '../schema.js'
import { problem, Refusal } from './problem.js'

/** There is no room now. */
const FULL: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ERR_QUEUE_FULL', 'ERR_DEDUP_FULL', 'ERR_STORAGE_FULL'])
/** The box does no work any more. Whether it took the message is not known: the same key may come again. */
const GONE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ERR_CLOSED', 'ERR_STORAGE_FAILED', 'ERR_UNAVAILABLE', 'ERR_ENGINE', 'ERR_UNSUPPORTED'])

/** The answer to what was thrown. `failed` gets what is no business of the client. */
export function answerTo(
  error: unknown,
  retryAfter: Readonly<Record<string, string>>,
  failed: (cause: unknown) => void,
): Response {
  if (error instanceof Refusal) return error.response
  if (AckboxError.is(error)) {
    const { code } = error
    if (FULL.has(code)) return problem('full', 'there is no room for more messages at the moment', { headers: retryAfter })
    if (code === 'ERR_ID_CONFLICT') return problem('key-reused', 'the key belongs to a message with another body')
    if (code === 'ERR_BODY_TOO_LARGE') return problem('body-too-large', 'the body is larger than the queue takes')
    if (GONE.has(code)) {
      failed(error)
      return problem('unavailable', 'messages are not taken at the moment', { headers: retryAfter })
    }
    if (code === 'ERR_INVALID_BODY') return invalidBody(error as AckboxError<'ERR_INVALID_BODY'>, failed)
  }
  failed(error)
  return problem('failed', 'the request could not be handled')
}

/** What a schema finds is said to whoever sent it; the text of other errors is that of code which did not expect this body. */
function invalidBody(error: AckboxError<'ERR_INVALID_BODY'>, failed: (cause: unknown) => void): Response {
  const { issues } = error.details
  if (issues !== undefined) return problem('body-refused', 'the body is not what is expected here', { issues: plainIssues(issues) })
  failed(error)
  return problem('body-refused', 'the queue cannot take this body')
}
