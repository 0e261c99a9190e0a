/**
 * The schema of a queue at work: it looks at a body when it is enqueued, and gives handlers its output when it is
 * delivered. What it finds wrong is an `AckboxError` with its issues; what it throws stays what it is.
 */
import { messageOf } from './error-info.js'
import { AckboxError, describe, invalidOption } from './errors.js'
import type { StandardSchemaV1 } from './standard-schema.js'
import type { SchemaIssue } from './types.js'
import { isThenable } from './validate.js'

/** More do not fit into what an error may take of the journal. */
const ISSUES_MAX = 128
const ISSUE_LENGTH_MAX = 512

/** Checks the `schema` option of a queue. */
export function checkSchema(schema: unknown, where: string): asserts schema is StandardSchemaV1 {
  // Schemas of some libraries are functions.
  const isObject = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  const standard = isObject ? (schema as Partial<StandardSchemaV1>)['~standard'] : undefined
  if (standard?.version === 1 && typeof standard.validate === 'function') return
  throw invalidOption("schema to be a Standard Schema: an object whose '~standard' has version 1 and validate", schema, where)
}

/** What a schema gave, held apart: an output that is a promise is not one that is late. */
export interface Parsed {
  readonly output: unknown
}

/**
 * What the schema makes of a body: a promise only where the schema gives one.
 *
 * @throws `ERR_INVALID_BODY` with the schema's `issues`; otherwise what the schema throws
 */
export function parse(schema: StandardSchemaV1, body: unknown, where: string): Parsed | Promise<Parsed> {
  const result = schema['~standard'].validate(body)
  if (isThenable(result)) return Promise.resolve(result).then((late) => outputOf(late, where))
  return outputOf(result, where)
}

/**
 * Whether a body may be enqueued: a promise only where the schema gives one.
 *
 * @throws `ERR_INVALID_BODY` with the schema's `issues`, or with what the schema threw as its cause
 */
export function validate(schema: StandardSchemaV1, body: unknown, where: string): Promise<void> | undefined {
  let parsed: Parsed | Promise<Parsed>
  try {
    parsed = parse(schema, body, where)
  } catch (error) {
    throw refusal(error, where)
  }
  if (!(parsed instanceof Promise)) return undefined
  return parsed.then(
    () => {},
    (error: unknown) => {
      throw refusal(error, where)
    },
  )
}

/** Issues as plain data that JSON can hold, as many as an error may keep. */
export function plainIssues(issues: readonly unknown[]): SchemaIssue[] {
  return issues.slice(0, ISSUES_MAX).map((issue) => {
    const { message, path } = (issue ?? {}) as Partial<StandardSchemaV1.Issue>
    const text = (typeof message === 'string' ? message : describe(message)).slice(0, ISSUE_LENGTH_MAX)
    return Array.isArray(path) && path.length > 0 ? { message: text, path: path.map(plainKey) } : { message: text }
  })
}

function outputOf(result: unknown, where: string): Parsed {
  if (typeof result !== 'object' || result === null || !('value' in result || 'issues' in result)) {
    throw new TypeError(`expected the schema to give { value } or { issues }, got ${describe(result)}`)
  }
  const { issues, value } = result as { issues?: unknown; value?: unknown }
  if (!issues) return { output: value }
  const list = Array.isArray(issues) ? issues : [issues]
  throw new AckboxError('ERR_INVALID_BODY', `${where}: the schema refused the body: ${inWords(list)}`, {
    details: { issues: list },
  })
}

function inWords(issues: readonly unknown[]): string {
  const [first] = plainIssues(issues.slice(0, 1))
  if (first === undefined) return 'it named no issue'
  const place = first.path === undefined ? '' : `${first.path.join('.')}: `
  return `${place}${first.message}${issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''}`
}

function refusal(error: unknown, where: string): unknown {
  if (AckboxError.is(error, 'ERR_INVALID_BODY')) return error
  return new AckboxError('ERR_INVALID_BODY', `${where}: the schema failed: ${messageOf(error)}`, { cause: error })
}

function plainKey(segment: unknown): string | number {
  const key: unknown = typeof segment === 'object' && segment !== null && 'key' in segment ? segment.key : segment
  if (typeof key === 'number' && Number.isFinite(key)) return key
  return String(key).slice(0, ISSUE_LENGTH_MAX)
}
