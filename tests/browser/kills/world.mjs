// What the tabs and their judge agree on: the queues, what a message carries, and what its handler gives. Runs on both sides.

/** @type {Record<string, import('../../crash/history/check.mjs').Promised>} */
export const QUEUES = {
  jobs: { guarantee: 'at-least-once', concurrency: 4, deathsAreFree: true },
  orders: { guarantee: 'exactly-once', concurrency: 4, deathsAreFree: true },
  notes: { guarantee: 'at-most-once', concurrency: 2 },
}

/** What a tab enqueues side by side, by queue and group. What may be lost has none: nobody could say what should have come behind it. */
export const LANES = [
  ...['red', 'green', '-', '-'].map((group) => ['jobs', group]),
  ...['red', 'green', '-'].map((group) => ['orders', group]),
  ['notes', '-'],
]

/** The steps of an order, each of them one effect at the service. */
export const STEPS = ['charge', 'ship']

/** The body that belongs to an id. Some are large, so that appends differ in size. */
export function bodyOf(id) {
  return { id, text: id.repeat(numberOf(id) % 5 === 0 ? 500 : 10) }
}

export function isIntact(id, body) {
  return JSON.stringify(body) === JSON.stringify(bodyOf(id))
}

/** What the handler of the message with this id gives. */
export function resultOf(id) {
  return { of: id, text: id.repeat(numberOf(id) % 3 === 0 ? 100 : 1) }
}

/** A number that belongs to a text. */
export function numberOf(text) {
  let number = 2_166_136_261
  for (const letter of text) number = Math.imul(number ^ letter.charCodeAt(0), 16_777_619) >>> 0
  return number
}
