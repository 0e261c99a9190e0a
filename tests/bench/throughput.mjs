// Enqueue and process end to end: ackbox against the plain reference, in turns.

import { measure } from './child.mjs'
import { inFreshDirectory } from './directories.mjs'
import { median } from './numbers.mjs'

const OUTSTANDING = 1_000

const CONTESTANTS = [
  { name: 'reference', subject: 'reference' },
  { name: 'ackbox native', subject: 'ackbox', engine: 'native', target: 0.7 },
  { name: 'ackbox wasm', subject: 'ackbox', engine: 'wasm', target: 0.4 },
  { name: 'ackbox native, explicit ids', subject: 'ackbox-ids', engine: 'native' },
]

/**
 * `[{ name, perSecond, ratio, ratios, target, met }]`: medians over the rounds. A ratio compares
 * with the reference of the same round, so that a slow minute of the disk hits both.
 */
export async function measureThroughput({ rounds, orders, say }) {
  const rates = new Map(CONTESTANTS.map(({ name }) => [name, []]))
  for (let round = 1; round <= rounds; round++) {
    // Each begins a round in turn: whoever comes first pays for what came before.
    const turn = round % CONTESTANTS.length
    for (const { name, subject, engine } of [...CONTESTANTS.slice(turn), ...CONTESTANTS.slice(0, turn)]) {
      const { seconds } = await inFreshDirectory((directory) =>
        measure('throughput-child.mjs', [subject, directory, orders, OUTSTANDING], { engine }))
      rates.get(name).push(orders / seconds)
      say(`round ${round} of ${rounds}: ${name}: ${Math.round(orders / seconds).toLocaleString('en')} orders/s`)
    }
  }

  const reference = rates.get('reference')
  return CONTESTANTS.map(({ name, target }) => {
    const ratios = rates.get(name).map((rate, round) => rate / reference[round])
    const ratio = median(ratios)
    return { name, perSecond: median(rates.get(name)), ratio, ratios, target, met: target === undefined ? undefined : ratio >= target }
  })
}
