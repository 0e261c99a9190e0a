// What a step of a handler costs, against an append and a flush of the same result: in turns.

import { measure } from './child.mjs'
import { inFreshDirectory } from './directories.mjs'
import { median } from './numbers.mjs'

/** Handlers that run side by side: alone a step waits for its own flush, many share one. */
const LINES = [
  { outstanding: 1, records: 2_000 },
  { outstanding: 200, records: 200_000 },
]
const CONTESTANTS = [
  { name: 'append and flush', subject: 'append' },
  { name: 'step, native', subject: 'steps', engine: 'native' },
  { name: 'step, wasm', subject: 'steps', engine: 'wasm' },
]

/** `[{ name, outstanding, micros, cost }]`: medians over the rounds; `cost` is a multiple of the append of the same round. */
export async function measureSteps({ rounds, say }) {
  const results = []
  for (const { outstanding, records } of LINES) {
    const micros = new Map(CONTESTANTS.map(({ name }) => [name, []]))
    for (let round = 1; round <= rounds; round++) {
      const turn = round % CONTESTANTS.length
      for (const { name, subject, engine } of [...CONTESTANTS.slice(turn), ...CONTESTANTS.slice(0, turn)]) {
        const { seconds } = await inFreshDirectory((directory) => measure('steps-child.mjs', [subject, directory, records, outstanding], { engine }))
        micros.get(name).push((seconds * 1e6) / records)
        say(`round ${round} of ${rounds}: ${name}, ${outstanding} side by side: ${((seconds * 1e6) / records).toFixed(1)} µs`)
      }
    }
    const bare = micros.get('append and flush')
    for (const { name } of CONTESTANTS) {
      const cost = median(micros.get(name).map((value, round) => value / bare[round]))
      results.push({ name, outstanding, micros: median(micros.get(name)), cost })
    }
  }
  return results
}
