/** What becomes of a call that was not answered when the hub that had it went away. */
import type { Failure } from '../engine/engine.js'
import type { Call } from './protocol.js'

/** `again`: the next hub gets it. An answer: it is over. */
export type Fate = 'again' | { readonly value: unknown } | { readonly failure: Failure }

/** Ends and prolongs deliveries: those of a hub are lost with it. */
const OF_DELIVERIES: readonly string[] = ['settle', 'extend', 'recordStep', 'recallStep']

const LOST: Fate = {
  failure: { code: 'ERR_LEASE_LOST', message: 'the tab that drives the box went away, and its deliveries with it; whether this was done is unknown' },
}

export function fateOf(call: Call): Fate {
  if ('request' in call) {
    switch (call.request.op) {
      // Its handlers are not those of the next hub.
      case 'closeWorker':
        return { value: 0 }
      // What came since is not meant.
      case 'purge':
        return unknown('ERR_UNAVAILABLE')
      default:
        return 'again'
    }
  }
  const { input, record } = call
  if (OF_DELIVERIES.includes(input)) return LOST
  if (input === 'transaction') return (record['settles'] as number) > 0 ? LOST : unknown('ERR_STORAGE_FAILED')
  if (input === 'enqueue' || input === 'batch') {
    // With ids of the caller's, what was done already is a duplicate.
    const records = input === 'enqueue' ? [record] : (call.parts ?? []).map((part) => part.record)
    return records.every(({ id }) => id !== undefined) ? 'again' : unknown('ERR_STORAGE_FAILED')
  }
  return input === 'produce' ? unknown('ERR_STORAGE_FAILED') : 'again'
}

/** What a call that gives up waiting gets when nobody has heard of it. */
export function emptyAnswerOf(call: Call): unknown {
  return 'request' in call ? { moved: 0, skipped: 0 } : 0
}

function unknown(code: Failure['code']): Fate {
  return { failure: { code, message: 'the tab that drives the box went away; whether this was done is unknown' } }
}
