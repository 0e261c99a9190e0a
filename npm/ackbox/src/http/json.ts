/**
 * Reading JSON that somebody sent, without taking one number for another: `JSON.parse` makes `Infinity` of `1e400`, which is
 * `null` when it is written again, and drops the last digits of integers beyond 2^53, so that one order number becomes that
 * of another order.
 */
import { Refusal } from './problem.js'

/** No text without one of these has a number that is too large or too long. */
const SUSPECT = /\d{16}|[eE]\+?\d{3}/
/** Numbers, and what tells whether one is inside of a string: its ends, and what is escaped in it. */
const TOKEN = /\\.|"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
const INTEGER = /^-?\d+$/

/** @throws `Refusal` for what is no JSON, and for numbers that JavaScript has not */
export function parseJson(bytes: Uint8Array): unknown {
  const { text, value } = parse(bytes)
  if (SUSPECT.test(text)) checkNumbers(text)
  return value
}

function parse(bytes: Uint8Array): { readonly text: string; readonly value: unknown } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return { text, value: JSON.parse(text) }
  } catch {
    throw new Refusal('body-invalid', 'expected JSON in UTF-8')
  }
}

/** Of a text that is JSON. */
function checkNumbers(text: string): void {
  let isString = false
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '"') isString = !isString
    else if (!isString && !isHeld(token)) {
      const shown = token.length > 40 ? `${token.slice(0, 40)}...` : token
      throw new Refusal('body-invalid', `expected numbers that JavaScript can hold, or text instead; got ${shown}`)
    }
  }
}

/** Whether a number is finite, and an integer the one that was written. Of fractions everybody knows that they are rounded. */
function isHeld(token: string): boolean {
  const number = Number(token)
  if (!Number.isFinite(number)) return false
  return Number.isSafeInteger(number) || !INTEGER.test(token) || BigInt(token) === BigInt(number)
}
