// Other queues under the same faults as ackbox. Only a proof runs this: it installs what it needs (`npm ci` in this folder).
//
// What others lose fails nothing, it is a figure. What ackbox loses fails.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { hasPrivateMounts, rerunWithPrivateMounts, whyNoMounts } from '../support/mounts.mjs'
import { seededRandom } from '../support/seeded.mjs'
import { IS_FULL, Tier } from '../support/tier.mjs'
import { FAULTS } from './faults.mjs'
import { sum } from './judge.mjs'
import * as workbox from './workbox.mjs'

const ROUNDS = IS_FULL ? 6 : 2
const NODE_SUBJECTS = ['ackbox', 'better-queue', 'plainjob']

const seed = Number(process.env['ACKBOX_SEED'] ?? Date.now() % 2 ** 31)
const why = whyNoMounts()
if (why === undefined && !hasPrivateMounts()) await rerunWithPrivateMounts()
else await run()

async function run() {
  console.log(`other queues: ACKBOX_SEED=${seed}`)
  const tier = new Tier()
  const abouts = await Promise.all(NODE_SUBJECTS.map(async (subject) => (await import(`./subjects/${subject}.mjs`)).about))
  const faults = []
  const whyNoBrowser = workbox.whyNot()
  if (whyNoBrowser !== undefined) tier.skip(workbox.about.name, whyNoBrowser)
  for (const { id, fault, what, mounts, round } of FAULTS) {
    if (mounts && why !== undefined) {
      tier.skip(fault, why)
      continue
    }
    const results = {}
    for (const about of abouts) results[about.name] = await repeat(about, id, (folder, random) => round(about.name, folder, random))
    results[workbox.about.name] = whyNoBrowser === undefined ? await repeat(workbox.about, id, workbox.ROUNDS[id]) : { note: whyNoBrowser }
    faults.push({ fault, what, runs: ROUNDS, results })
    const { lost } = results['ackbox']
    tier.check(`${fault}: ackbox loses nothing`, lost > 0 ? [`${lost} lost`] : [])
    tier.check(`${fault}: others were measured`, Object.values(results).some(({ accepted }) => accepted === 0) ? ['nothing was accepted'] : [])
  }
  const subjects = [...abouts, workbox.about].map(({ name, version, setup, links }) => ({ name, version, setup, links }))
  tier.finish({ peers: { subjects, faults } })
}

/** All rounds of one queue under one fault. */
async function repeat({ name, notes }, id, round) {
  const results = []
  for (let number = 0; number < ROUNDS; number += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'ackbox-peers-'))
    try {
      results.push(await round(folder, seededRandom(seed + number)))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  const stuck = results.reduce((total, result) => total + result.stuck, 0)
  const total = sum(results)
  // Why it did, if it did.
  const cause = total.lost + total.repeated > 0 ? (notes[id] ?? '') : ''
  const note = [cause, stuck > 0 ? `could not be opened or finished in ${stuck} rounds` : ''].filter((text) => text !== '').join('; ')
  const result = { ...total, note }
  console.log(`${name}, ${id}: ${JSON.stringify(result)}`)
  return result
}
