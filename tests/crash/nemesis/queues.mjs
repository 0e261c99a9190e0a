// The queues of the world that is killed and paused: what each promises, and how much of it runs at once.

/** Deliveries of `slips` are settled by hand and lapse when their owner is paused. */
export const LEASE_MS = 150

/** @type {Record<string, import('../history/check.mjs').Promised>} */
export const QUEUES = {
  jobs: { guarantee: 'at-least-once', concurrency: 6 },
  orders: { guarantee: 'exactly-once', concurrency: 6 },
  notes: { guarantee: 'at-most-once', concurrency: 3 },
  slips: { guarantee: 'at-least-once', concurrency: 6, leaseMs: LEASE_MS },
}

/** The steps of an order, each of them one effect at the service. */
export const STEPS = ['check', 'charge', 'ship']

/** A number that belongs to a text, so that who fails how often is the same for every process. */
export function numberOf(text) {
  let number = 2_166_136_261
  for (const letter of text) number = Math.imul(number ^ letter.charCodeAt(0), 16_777_619) >>> 0
  return number
}
