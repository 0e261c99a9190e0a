/** How deliveries end, in the terms of the boundary. */
import { Reason, type Settle, Verdict } from './engine/wire.gen.js'
import type { Consequence } from './verdict.js'

/** Parts of a settlement that depend on the verdict. */
export interface EndParts {
  readonly when?: number | undefined
  readonly reason?: number
  readonly costsAttempt?: boolean
  readonly countsAsFailure?: boolean
  readonly result?: string
  readonly error?: string
}

/** An end that is no success. */
export interface FailedEnd {
  readonly verdict: number
  readonly parts: EndParts
}

/** The settlement of one delivery; `returned`: nothing of its handler is to come. */
export function settlementOf(token: number, verdict: number, parts: EndParts, returned: boolean): Settle {
  const { when, reason = 0, costsAttempt = false, countsAsFailure = false, result, error } = parts
  return { ticket: 0, token, when, verdict, reason, returned, costsAttempt, countsAsFailure, result, error }
}

/** What a failure means; `error` is encoded, `backoffMs` asks the queue's own backoff function, where it has one. */
export function failedEnd(consequence: Consequence, error: string, now: number, backoffMs: () => number | undefined): FailedEnd {
  switch (consequence.kind) {
    case 'dead':
      return { verdict: Verdict.dead, parts: { reason: Reason[consequence.reason], error } }
    case 'later': {
      const { delayMs, costsAttempt, countsAsFailure } = consequence
      const when = delayMs === undefined ? backoffMs() : now + delayMs
      const verdict = delayMs === undefined ? Verdict.putOff : Verdict.retryAt
      return { verdict, parts: { when, costsAttempt, countsAsFailure, error } }
    }
    default:
      return { verdict: Verdict.reject, parts: { when: backoffMs(), error } }
  }
}
