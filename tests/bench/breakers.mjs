// Circuit breakers around an async function that does nothing: ackbox on both engines, against cockatiel and opossum.

import { measure } from './child.mjs'
import { median } from './numbers.mjs'

const CONTESTANTS = [
  { name: 'cockatiel', subject: 'cockatiel' },
  // It sorts all that its window holds at every failure: with as many calls as the others it takes minutes.
  { name: 'opossum', subject: 'opossum', share: 0.3 },
  // Of what cockatiel costs beyond the bare call.
  { name: 'ackbox native', subject: 'ackbox', engine: 'native', target: 1.5 },
  { name: 'ackbox wasm', subject: 'ackbox', engine: 'wasm', target: 1 },
]
/** The last failures of a window may cost so much more than the first; what grows with the window grows tenfold. */
export const TARGET_GROWTH = 2

/**
 * `[{ name, successNs, mixedNs, failureNs, growth, timers, ratios, target, met }]`: medians over the rounds, in nanoseconds beyond
 * the bare call. `ratios` compares success and mixed with cockatiel, which takes turns with each in its process.
 */
export async function measureBreakers({ rounds, calls, say }) {
  const runs = new Map(CONTESTANTS.map(({ name }) => [name, []]))
  for (let round = 1; round <= rounds; round++) {
    for (const { name, subject, engine, share = 1 } of CONTESTANTS) {
      const run = await measure('breaker-child.mjs', [subject, Math.round(calls * share)], { engine })
      runs.get(name).push(run)
      say(`round ${round} of ${rounds}: ${name}: ${Math.round(run.successNs)} ns a call that succeeds`)
    }
  }
  const middle = (name, field) => median(runs.get(name).map((run) => run[field]))
  return CONTESTANTS.map(({ name, target }) => {
    const [successNs, mixedNs, failureNs, growth, timers] = ['successNs', 'mixedNs', 'failureNs', 'growth', 'timers']
      .map((field) => middle(name, field))
    const ratios = { success: middle(name, 'successRatio'), mixed: middle(name, 'mixedRatio') }
    const met = target === undefined
      ? undefined
      : ratios.success <= target && ratios.mixed <= target && growth <= TARGET_GROWTH && timers === 0
    return { name, successNs, mixedNs, failureNs, growth, timers, ratios, target, met }
  })
}
