// Simulates an outage with and without a circuit breaker and draws what happened.
//
//   node main.mjs [<file>]     default: the picture of npm/ackbox/docs/circuit-breakers.md

import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { draw } from './draw.mjs'
import { simulate } from './simulate.mjs'

const PICTURE = fileURLToPath(new URL('../../ackbox/docs/outage.svg', import.meta.url))

const runs = { without: await simulate({ breaker: false }), with: await simulate({ breaker: true }) }
await writeFile(process.argv[2] ?? PICTURE, draw(runs))
for (const [name, { handled, attempts, deadLetters }] of Object.entries(runs)) {
  const sum = (series) => series.reduce((all, value) => all + value, 0)
  console.log(`${name}: ${sum(handled)} messages handled, the bank was called ${sum(attempts)} times, ${deadLetters} dead letters`)
}
