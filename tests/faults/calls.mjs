// Every call to the file system that a box makes fails once, in every way that it can.
import { spawn, spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { IS_FULL } from '../support/tier.mjs'
import { buildShim, PLAN, underShim, whyNoShim } from './shim.mjs'

/** How long the lives are. */
const ROUNDS = IS_FULL ? { fresh: 3, inherited: 8 } : { fresh: 1, inherited: 2 }
const DURABILITIES = ['power-loss', 'process-crash']
/** What a killed owner leaves behind an append that was cut off. */
const TORN_TAIL = Buffer.alloc(100, 0xa5)

export async function checkCalls(tier, folder) {
  const why = whyNoShim()
  if (why !== undefined) return tier.skip('calls that fail', why)
  const library = buildShim(folder)
  const tallies = (await Promise.all(DURABILITIES.map((durability) => enumerateAll(durability, folder, library)))).flat()
  for (const tally of tallies) tier.check(titleOf(tally), problemsOf(tally))
  for (const { call, fault } of PLAN) tier.check(`${call} met ${fault}`, firedAtAll(tallies, call, fault))
  report(tier, tallies)
}

function titleOf({ scenario, durability, call, fault, fired }) {
  return `${scenario}, ${durability}: ${call} meets ${fault}, ${fired} times`
}

function problemsOf({ ended, violations }) {
  return ended || violations.length > 0 ? violations : ['the enumeration did not come to its end']
}

/** A fault that never happened would prove nothing. */
function firedAtAll(tallies, call, fault) {
  const fired = sum(tallies.filter((tally) => tally.call === call && tally.fault === fault), 'fired')
  return fired > 0 ? [] : ['not once: no such call goes through the C library']
}

function report(tier, tallies) {
  const of = (fits) => tallies.filter(fits)
  const failures = (some) => some.filter(({ violations }) => violations.length > 0).length
  for (const { call, fault } of PLAN) {
    tier.figure(`faults: ${call} ${fault} (times)`, sum(of((tally) => tally.call === call && tally.fault === fault), 'fired'))
  }
  const all = [
    ['failed-flush', 'each flush, and each write that flushes, of a life failed in turn', ({ call, fault }) => call === 'flush' || (call === 'write' && fault === 'EIO')],
    ['full-disk', 'from each call of a life on that wants room, there was none', ({ fault }) => fault === 'ENOSPC'],
    ['torn-write', 'each write of a life was cut in half in turn, with an error or without', ({ fault }) => fault === 'torn' || fault === 'short'],
  ]
  for (const [promise, how, fits] of all) {
    const some = of(fits)
    tier.proves(promise, `${how}, on the real addon under a library that makes calls fail; then the box was opened again and compared with what it had told.`, sum(some, 'fired'), failures(some))
  }
  tier.figure('faults, in all (times)', sum(tallies, 'fired'))
  tier.figure('faults that a box reported (times)', sum(tallies, 'reported'))
  tier.figure('reports held against the box that was opened again', sum(tallies, 'reports'))
}

/** All enumerations of one durability, in one process. */
async function enumerateAll(durability, folder, library) {
  const root = join(folder, durability)
  makeTemplate(root, durability)
  const enumerations = Object.entries(ROUNDS).flatMap(([scenario, rounds]) => PLAN.map((plan) => ({ scenario, rounds, ...plan })))
  const program = fileURLToPath(new URL('programs/enumerate.mjs', import.meta.url))
  const child = spawn(process.execPath, [program, root, durability, JSON.stringify(enumerations)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '', ACKBOX_ENGINE: 'native', ...underShim(library, join(root, 'control')) },
  })
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)))
  const tallies = []
  for await (const line of createInterface({ input: child.stdout })) tallies.push(JSON.parse(line))
  const ending = await ended
  for (const rest of enumerations.slice(tallies.length)) {
    tallies.push({ durability, ...rest, fired: 0, reported: 0, reports: 0, ended: false, violations: [`the program ended with ${ending}`] })
  }
  return tallies
}

/** What the lives that inherit begin with: the folder of a killed owner, and what that was told. */
function makeTemplate(root, durability) {
  const template = join(root, 'template')
  mkdirSync(template, { recursive: true })
  const box = join(template, 'box')
  const program = fileURLToPath(new URL('programs/die.mjs', import.meta.url))
  const { stdout, stderr, signal } = spawnSync(process.execPath, [program, box, durability, String(ROUNDS.inherited)], { encoding: 'utf8' })
  if (signal !== 'SIGKILL') throw new Error(`the owner that was to be killed ended by itself\n${stdout}\n${stderr}`)
  writeFileSync(join(template, 'said'), stdout)
  const segments = readdirSync(box).filter((name) => name.endsWith('.ackbox'))
  appendFileSync(join(box, segments.sort().at(-1)), TORN_TAIL)
}

function sum(tallies, field) {
  return tallies.reduce((total, tally) => total + tally[field], 0)
}
