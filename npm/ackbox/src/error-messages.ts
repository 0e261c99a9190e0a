/** What refusals say: what was expected, what came, and where. */

import { AckboxError } from './ackbox-error.js'

/** A value in a few words, safe for messages: never long, never calls user code. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value.length <= 48 ? `'${value}'` : `'${value.slice(0, 45)}...' (${value.length} characters)`
    case 'function':
      return 'a function'
    case 'object':
      return value === null ? 'null' : describeObject(value)
    case 'bigint':
      return `${value}n`
    default:
      return Object.is(value, -0) ? '-0' : String(value)
  }
}

function describeObject(value: object): string {
  try {
    if (Array.isArray(value)) return `an array of ${value.length}`
    if (!(value instanceof Date)) return 'an object'
    return Number.isNaN(value.getTime()) ? 'an invalid Date' : `Date ${value.toISOString()}`
  } catch {
    // Looking at it may run code of the user, or be impossible (a proxy that was revoked).
    return 'an object'
  }
}

/** The one form of complaint: `where: expected <what>, got <value>`. */
export function expected(what: string, got: unknown, where: string): string {
  return `${where}: expected ${what}, got ${describe(got)}`
}

/** An option or name that is wrong. */
export function invalidOption(what: string, got: unknown, where: string): AckboxError<'ERR_INVALID_OPTION'> {
  return new AckboxError('ERR_INVALID_OPTION', expected(what, got, where))
}

/** An option that does not exist; names the nearest one that does. */
export function unknownOption(
  name: string,
  known: readonly string[],
  where: string,
): AckboxError<'ERR_INVALID_OPTION'> {
  const near = nearest(name, known)
  const hint = near === undefined ? `known options are ${known.join(', ')}` : `did you mean '${near}'?`
  return new AckboxError('ERR_INVALID_OPTION', `${where}: unknown option ${describe(name)}; ${hint}`)
}

/** The known word that is a plausible misspelling away: at most a third of its letters differ. */
function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance && distance <= Math.max(2, Math.floor(candidate.length / 3))) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Levenshtein distance. Words longer than any option are cut, so that a hostile key costs nothing. */
function editDistance(from: string, to: string): number {
  const a = from.slice(0, 64)
  const b = to.slice(0, 64)
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
