// Kills and pauses: worlds in which everybody who produces, consumes or serves is killed and paused at random moments, and the
// history of each of them judged. A tier of the proof: ACKBOX_LENGTH says how long, ACKBOX_EVIDENCE where the figures go.
//
// The moments come from a seed that is printed; ACKBOX_SEED repeats them. Processes take turns as the machine lets them, so the same
// seed makes the same plan and not the same history.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { seededRandom } from '../../support/seeded.mjs'
import { Tier } from '../../support/tier.mjs'
import { findViolations } from '../history/check.mjs'
import { parseLine, readHistory } from '../history/read.mjs'
import { figuresOf, report } from './evidence.mjs'
import { QUEUES } from './queues.mjs'
import { World } from './world.mjs'

const NATIVE = ['native', 'native']
const WASM = ['wasm', 'wasm']
const MIXED = ['native', 'wasm']
/** Worlds, and how often something is done to each. */
const LENGTHS = {
  /** For a test that spoils it. */
  brief: { worlds: [NATIVE], strokes: 12 },
  short: { worlds: [NATIVE, MIXED], strokes: 30 },
  full: { worlds: Array.from({ length: 6 }, (_, world) => [NATIVE, MIXED, WASM][world % 3]), strokes: 50 },
}

/** Between two strokes the owner writes down up to so much: some 20 deliveries. */
const WORK_BYTES = 8_000

const { worlds, strokes } = LENGTHS[process.env['ACKBOX_LENGTH'] ?? 'short']
const seed = Number(process.env['ACKBOX_SEED'] ?? Date.now() % 2 ** 31)
console.log(`kills and pauses: ACKBOX_SEED=${seed}`)

const tier = new Tier()
const verdicts = []
for (const [number, engines] of worlds.entries()) {
  const verdict = await judge(engines, seededRandom(seed + number))
  verdicts.push(verdict)
  console.log(JSON.stringify(verdict.figures))
  tier.check(`world ${number + 1}, ${engines.join(' and ')}`, verdict.violations)
}
report(tier, verdicts)
tier.finish()

/** One world from its beginning to its end, and what its history is worth. */
async function judge(engines, random) {
  const world = new World(engines)
  try {
    await world.begin()
    await world.owned()
    for (let stroke = 0; stroke < strokes; stroke += 1) await strike(world, random)
    await world.owned()
    await world.end()
    const said = readHistory(world.files)
    const history = [...said, ...found(world, said)]
    return { figures: figuresOf(history), violations: findViolations(history, QUEUES) }
  } catch (error) {
    return { figures: figuresOf(readHistory(world.files)), violations: [`stuck or broken: ${error.message}`] }
  } finally {
    world.dispose()
  }
}

/** Does one thing to somebody. */
async function strike(world, random) {
  const draw = random()
  // Most of the time it is the owner's turn, in the middle of its work; now and then while it opens the box.
  if (draw < 0.9) await world.owned()
  if (draw < 0.9) await world.worked(random() * WORK_BYTES)
  await pause(random() * 40)
  if (draw < 0.35) return world.kill(world.owner)
  if (draw < 0.45) return killPaused(world, random)
  if (draw < 0.7) return holdBack(world, world.owner, 50 + random() * 450)
  if (draw < 0.78) return holdBack(world, `producer${random() < 0.5 ? 1 : 2}`, random() * 200)
  if (draw < 0.84) return holdBack(world, 'service', random() * 400)
  if (draw < 0.9) return world.kill(`producer${random() < 0.5 ? 1 : 2}`)
  return world.kill(random() < 0.5 ? world.standby : world.owner)
}

async function holdBack(world, place, ms) {
  world.pause(place)
  await pause(ms)
  world.resume(place)
}

/** Who is paused while requests come in, and then killed, has heard of none of them. */
async function killPaused(world, random) {
  const place = world.owner
  world.pause(place)
  await pause(random() * 150)
  await world.kill(place)
}

/** What the box itself says of every message that anybody tried to enqueue. */
function found(world, history) {
  const program = fileURLToPath(new URL('../programs/results.mjs', import.meta.url))
  return Object.keys(QUEUES).flatMap((queue) => {
    const invoked = history.filter((event) => event.kind === 'invoked' && event.queue === queue)
    const ids = join(world.box, '..', `${queue}.ids`)
    writeFileSync(ids, invoked.map(({ id }) => id).join('\n'))
    const lines = execFileSync(process.execPath, [program, world.box, ids, queue], { encoding: 'utf8', maxBuffer: 1 << 28 }).trim().split('\n')
    return lines.filter((line) => line !== '').map((line) => parseLine(`${Number.MAX_SAFE_INTEGER} found ${queue} ${line.replace(/^result /, '')}`, 'the box'))
  })
}
