/**
 * Ids of messages whose caller named none, where no engine is at hand to give one. They sort like those of the engine: by
 * millisecond, and within one tab in the order of their enqueues. One character longer, they never pass for one of those.
 */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const TIME_LETTERS = 10
const COUNT_LETTERS = 6
const RANDOM_LETTERS = 17

let count = 0

export function tabMessageId(now: number): string {
  count = (count + 1) % 32 ** COUNT_LETTERS
  const random = crypto.getRandomValues(new Uint8Array(RANDOM_LETTERS))
  return letters(now, TIME_LETTERS) + letters(count, COUNT_LETTERS) + Array.from(random, (byte) => ALPHABET[byte & 31]).join('')
}

function letters(value: number, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest = Math.floor(rest / 32)) text = ALPHABET[rest % 32]! + text
  return text
}
