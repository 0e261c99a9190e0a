/** Checks of what users pass: every refusal names the place, the option, what was expected and what came. */
import { AckboxError } from './ackbox-error.js'
import { describe, invalidOption, unknownOption } from './error-messages.js'

/** Bounds of a number, both included. */
export interface Range {
  readonly min: number
  readonly max: number
}

/** Longest time that can be named: a hundred years. */
export const MAX_MS = 100 * 366 * 86_400_000
/** Last instant that a `Date` can name. */
const MAX_INSTANT = 8_640_000_000_000_000

/** Options that the contract knows and this version does not support: named, they are refused instead of ignored. */
export type LaterOptions = readonly string[]

/** Refuses what is no object of options, and names that are not known. */
export function checkNames(
  options: unknown,
  known: readonly string[],
  where: string,
  later: LaterOptions = [],
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidOption('an object with options', options, where)
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    if (!later.includes(name)) throw unknownOption(name, [...known, ...later], where)
    if ((options as Record<string, unknown>)[name] !== undefined) throw unsupported(`the option ${name}`, where)
  }
}

/** What the contract knows and this version does not do yet. */
export function unsupported(what: string, where: string): AckboxError<'ERR_UNSUPPORTED'> {
  return new AckboxError('ERR_UNSUPPORTED', `${where}: this version of ackbox does not support ${what}`)
}

/** A whole number within a range. */
export function integer(value: unknown, { min, max }: Range, name: string, where: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw invalidOption(`${name} to be a whole number from ${min} to ${max}`, value, where)
}

/** A whole number within a range, or `Infinity`, for which `infinite` stands. */
export function integerOrInfinity(
  value: unknown,
  { min, max }: Range,
  infinite: number,
  name: string,
  where: string,
): number {
  if (value === Infinity) return infinite
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw invalidOption(`${name} to be a whole number from ${min} to ${max}, or Infinity`, value, where)
}

/** Milliseconds within a range; fractions are rounded up. */
export function duration(value: unknown, { min, max }: Range, name: string, where: string): number {
  if (typeof value === 'number' && value >= min && value <= max) return Math.ceil(value)
  throw invalidOption(`${name} to be milliseconds from ${min} to ${max}`, value, where)
}

/** An instant as milliseconds since 1970; fractions are rounded up. */
export function instant(value: unknown, name: string, where: string): number {
  const ms = value instanceof Date ? value.getTime() : value
  if (typeof ms === 'number' && ms >= 0 && ms <= MAX_INSTANT) return Math.ceil(ms)
  throw invalidOption(`${name} to be a valid Date or milliseconds since 1970`, value, where)
}

/** One of some words. */
export function choice<const W extends string>(value: unknown, words: readonly W[], name: string, where: string): W {
  if (typeof value === 'string' && (words as readonly string[]).includes(value)) return value as W
  throw invalidOption(`${name} to be ${words.map((word) => `'${word}'`).join(' or ')}`, value, where)
}

/** Yes or no; `undefined` is no. */
export function flag(value: unknown, name: string, where: string): boolean {
  if (value === undefined || typeof value === 'boolean') return value === true
  throw invalidOption(`${name} to be true or false`, value, where)
}

/** A function. */
export function callable(value: unknown, name: string, where: string): void {
  if (typeof value !== 'function') throw invalidOption(`${name} to be a function`, value, where)
}

/** Whether something must be awaited. Looking at `then` runs code of the user. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
}

/** An abort signal, or nothing. */
export function optionalSignal(value: unknown, where: string): void {
  // Signals of other realms are signals too.
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>
  if (value === undefined || (typeof aborted === 'boolean' && typeof addEventListener === 'function')) return
  throw invalidOption('signal to be an AbortSignal', value, where)
}

const LONE_SURROGATE = /\p{Surrogate}/u

/** Well-formed text of 1 to `maxBytes` bytes of UTF-8. */
export function text(value: unknown, maxBytes: number, name: string, where: string): asserts value is string {
  if (typeof value !== 'string' || value === '') {
    throw invalidOption(`${name} to be a string that is not empty`, value, where)
  }
  // A unit takes at most 3 bytes, so most texts need no exact count.
  if (value.length * 3 > maxBytes && utf8Length(value) > maxBytes) {
    const expected = `${where}: expected ${name} to be at most ${maxBytes} bytes`
    throw new AckboxError('ERR_INVALID_OPTION', `${expected}, got ${utf8Length(value)} bytes: ${describe(value)}`)
  }
  if (LONE_SURROGATE.test(value)) throw invalidOption(`${name} to be well-formed Unicode`, value, where)
}

/** Bytes that a string takes as UTF-8. */
export function utf8Length(value: string): number {
  let bytes = value.length
  for (let index = 0; index < value.length; index++) {
    const unit = value.charCodeAt(index)
    if (unit < 0x80) continue
    bytes += unit < 0x800 ? 1 : 2
    // A pair of surrogates is 4 bytes for 2 units.
    if (unit >= 0xd800 && unit < 0xdc00) index++
  }
  return bytes
}
