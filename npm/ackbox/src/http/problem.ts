/** Answers that refuse a request: `application/problem+json` (RFC 9457). */
import type { SchemaIssue } from '../types.js'

/** Where the draft of the header tells what a client has done wrong; it wants to be pointed to. */
const DRAFT = 'https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header'

/** What a receiver refuses, for programs. */
export type ProblemCode =
  | 'request-invalid'
  | 'method-not-allowed'
  | 'not-authorized'
  | 'key-missing'
  | 'key-invalid'
  | 'key-in-progress'
  | 'key-reused'
  | 'key-too-old'
  | 'time-invalid'
  | 'type-unsupported'
  | 'body-too-large'
  | 'body-too-slow'
  | 'body-invalid'
  | 'body-refused'
  | 'full'
  | 'unavailable'
  | 'failed'

const STATUS: Readonly<Record<ProblemCode, readonly [status: number, title: string]>> = {
  'request-invalid': [400, 'The request cannot be read'],
  'method-not-allowed': [405, 'Only POST is taken here'],
  'not-authorized': [401, 'The client is not known'],
  'key-missing': [400, 'Idempotency-Key is missing'],
  'key-invalid': [400, 'Idempotency-Key is no key'],
  'key-in-progress': [409, 'A request is outstanding for this Idempotency-Key'],
  'key-reused': [422, 'Idempotency-Key is already used'],
  'key-too-old': [410, 'Idempotency-Key is too old'],
  'time-invalid': [400, 'The time of the request is wrong'],
  'type-unsupported': [415, 'The type of the body is not taken here'],
  'body-too-large': [413, 'The body is too large'],
  'body-too-slow': [408, 'The body took too long'],
  'body-invalid': [400, 'The body cannot be read'],
  'body-refused': [422, 'The body is not what is expected'],
  full: [503, 'There is no room for more'],
  unavailable: [503, 'Nothing is taken at the moment'],
  failed: [500, 'The request failed'],
}

/** Titles that tell of the key, whose rules a client can read up. */
const ABOUT_KEYS = /^key-/

/** What an answer says beside its code. */
export interface ProblemParts {
  readonly headers?: Readonly<Record<string, string>>
  readonly issues?: readonly SchemaIssue[]
}

/** The answer; its `detail` is for whoever wrote the client. */
export function problem(code: ProblemCode, detail: string, { headers, issues }: ProblemParts = {}): Response {
  const [status, title] = STATUS[code]
  const type = ABOUT_KEYS.test(code) ? DRAFT : 'about:blank'
  return answer(status, { type, title, status, detail, code, ...(issues === undefined ? {} : { issues }) }, {
    ...headers,
    'content-type': 'application/problem+json',
  })
}

/** An answer in JSON, which nobody is to keep. */
export function answer(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  })
}

/** Thrown where a request is refused. */
export class Refusal extends Error {
  readonly response: Response

  constructor(code: ProblemCode, detail: string, parts?: ProblemParts) {
    super(detail)
    this.response = problem(code, detail, parts)
  }
}
