// What workers that limit nothing pay for policies, what those pay that do, and what ten thousand destinations cost.

import { measure } from './child.mjs'
import { median } from './numbers.mjs'

/** Destinations that a worker has seen. */
const DESTINATIONS = 10_000
/** What a worker with all policies keeps, of the throughput of one without. */
export const TARGET_SHARE = 0.5
/** Each destination keeps at most so much memory. */
export const TARGET_BYTES_EACH = 3_072
/** Processor time of two idle seconds. */
export const TARGET_IDLE_MS = 20

const KINDS = ['plain', 'breaker', 'destinations', 'all']

/**
 * `{ throughput: [{ name, perSecond, shares, met }], destinations: [{ name, count, bytesEach, growth, idleMs, wakeups, met }] }`: medians.
 * `perSecond` is messages a second of processor time without policies, `shares` what of it is left with each of them.
 */
export async function measurePolicies({ rounds, orders, say }) {
  const engines = ['native', 'wasm']
  const [throughput, destinations] = [[], []]
  for (const engine of engines) {
    const [rates, rests] = [[], []]
    for (let round = 1; round <= rounds; round++) {
      const rate = await measure('policies-child.mjs', ['throughput', orders], { engine })
      rates.push(rate)
      rests.push(await measure('policies-child.mjs', ['destinations', DESTINATIONS], { engine, flags: ['--expose-gc'] }))
      say(`round ${round} of ${rounds}: ackbox ${engine}: a worker with all policies does ${(rate.all / rate.plain).toFixed(2)} of one without`)
    }
    const name = `ackbox ${engine}`
    const shares = Object.fromEntries(KINDS.map((kind) => [kind, median(rates.map((rate) => rate[kind] / rate.plain))]))
    throughput.push({ name, perSecond: median(rates.map(({ plain }) => plain)), shares, met: shares.all >= TARGET_SHARE })
    const [bytesEach, growth, idleMs, wakeups] = ['bytesEach', 'growth', 'idleMs', 'wakeups'].map((key) => median(rests.map((rest) => rest[key])))
    const met = bytesEach <= TARGET_BYTES_EACH && growth <= DESTINATIONS * TARGET_BYTES_EACH && idleMs <= TARGET_IDLE_MS && wakeups === 0
    destinations.push({ name, count: DESTINATIONS, bytesEach, growth, idleMs, wakeups, met })
  }
  return { throughput, destinations }
}
