import { writeFileSync } from 'node:fs'

import fc from 'fast-check'
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest'

import { scenario } from './support/scenario.ts'
import { World } from './support/world.ts'

const IS_FULL = process.env['ACKBOX_LENGTH'] === 'full'
/** Scenarios of the fixed seed, and in a proof of a fresh one. */
const FIXED = IS_FULL ? 400 : 60
const FRESH = IS_FULL ? 2_500 : 0
const SEED = 20_301_124
/** Making a scenario that fails smaller takes long, and may end unfinished. */
const LIMITS = { interruptAfterTimeLimit: IS_FULL ? 1_000_000 : 150_000, markInterruptAsFailure: true }

const unhandled: unknown[] = []
const note = (reason: unknown): void => void unhandled.push(reason)
let world: World | undefined
let [scenarios, calls, rested] = [0, 0, 0]

beforeEach(() => {
  process.on('unhandledRejection', note)
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void world?.shown.push(String(warning)))
})
afterEach(() => {
  process.off('unhandledRejection', note)
  vi.restoreAllMocks()
})
afterAll(() => {
  const file = process.env['ACKBOX_EVIDENCE']
  if (file === undefined) return
  const figures = { 'scenarios of the driver': scenarios, 'scenarios whose box was open when everything rested': rested, 'calls in them': calls }
  writeFileSync(file, JSON.stringify({ figures, proves: [], skipped: [] }))
})

const holds = fc.asyncProperty(scenario, async (given) => {
  unhandled.length = 0
  world = new World(given)
  await world.run()
  await new Promise((resolve) => setImmediate(resolve))
  scenarios++
  calls += world.calls.count
  rested += Number(world.hasRested)
  expect(world.model.broken).toEqual([])
  expect(unhandled).toEqual([])
})

it(`whatever fails, every call ends, and what was told is so: ${FIXED} scenarios`, async () => {
  await fc.assert(holds, { seed: SEED, numRuns: FIXED, ...LIMITS })
  expect(calls).toBeGreaterThan(10 * FIXED)
  expect(rested).toBeGreaterThan(FIXED / 4)
})

it.runIf(FRESH > 0)(`and so in ${FRESH} fresh ones`, async () => {
  const seed = Date.now() % 2 ** 31
  console.log(`fast-check seed ${seed}`)
  await fc.assert(holds, { seed, numRuns: FRESH, ...LIMITS })
})
