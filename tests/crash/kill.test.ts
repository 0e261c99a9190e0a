/**
 * Processes killed with SIGKILL at random moments lose nothing that they were told is durable.
 *
 * The moments are drawn from a seed that is logged; ACKBOX_SEED repeats them.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { afterAll, describe, expect, it } from 'vitest'

import { start, succeed } from '../support/programs.ts'
import { between, seededRandom, seedOfRun } from '../support/random.ts'
import { ConsumerRecord, ProducerRecord } from './records.ts'

const ROUNDS = { native: 100, wasm: 30 } as const
const CONSUMER_ROUNDS = { native: 40, wasm: 15 } as const

const seed = seedOfRun()
console.log(`kill tests: ACKBOX_SEED=${seed}`)

const folders: string[] = []
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ackbox-crash-'))
  folders.push(folder)
  return join(folder, 'box')
}

function program(name: string): URL {
  return new URL(`programs/${name}.mjs`, import.meta.url)
}

/** The lines that a life wrote to its file, but for one that was cut off. */
function said(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
}

/** Under which conditions a life runs. */
interface Conditions {
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  readonly random: () => number
}

/** Runs a program until so many of its lines are of a kind, and kills it up to 4 ms later. */
async function liveAndDie(name: string, prefix: string, kind: string, count: number, { folder, env, random }: Conditions): Promise<string[]> {
  const file = `${folder}.${prefix}.said`
  const life = start(program(name), [folder, prefix, file], { env })
  let seen = 0
  await life.line((line) => line.startsWith(`${kind} `) && (seen += 1) >= count)
  await pause(random() * 4)
  life.child.kill('SIGKILL')
  const ending = await life.ending
  expect(ending).toMatchObject({ signal: 'SIGKILL', stderr: '' })
  return said(file)
}

/** Kills a program while it starts or recovers. */
async function dieYoung(name: string, prefix: string, { folder, env, random }: Conditions): Promise<string[]> {
  const file = `${folder}.${prefix}.said`
  const life = start(program(name), [folder, prefix, file], { env })
  await pause(random() * 250)
  life.child.kill('SIGKILL')
  await life.ending
  return said(file)
}

async function drain({ folder, env }: Conditions): Promise<readonly string[]> {
  return succeed(program('drain'), [folder], { env })
}

/** What a producer's lives came to; it stops at the first violation. */
async function produce(rounds: number, conditions: Conditions): Promise<ProducerRecord> {
  const record = new ProducerRecord()
  for (let round = 0; round < rounds && record.violations.length === 0; round += 1) {
    record.take(await liveAndDie('produce', `r${round}`, 'accepted', between(conditions.random, 1, 300), conditions))
  }
  record.take(await drain(conditions))
  return record
}

/** What a consumer's lives came to; it stops at the first violation. */
async function consume(rounds: number, conditions: Conditions): Promise<ConsumerRecord> {
  const record = new ConsumerRecord()
  for (let round = 0; round < rounds && record.violations.length === 0; round += 1) {
    record.take(await liveAndDie('consume', `r${round}`, 'completed', between(conditions.random, 1, 100), conditions))
    if (round % 5 === 4) record.take(await dieYoung('consume', `young${round}`, conditions))
  }
  record.end(await drain(conditions))
  const ids = `${conditions.folder}.ids`
  writeFileSync(ids, [...record.completed].join('\n'))
  record.results(await succeed(program('results'), [conditions.folder, ids], { env: conditions.env }))
  return record
}

describe.each(['native', 'wasm'] as const)('%s', (engine) => {
  const env = { ACKBOX_ENGINE: engine }

  it(`a producer that is killed ${ROUNDS[engine]} times: every receipt is there exactly once`, async () => {
    const record = await produce(ROUNDS[engine], { folder: newFolder(), env, random: seededRandom(seed) })
    expect(record.violations).toEqual([])
    expect(record.receipts).toBeGreaterThan(ROUNDS[engine] * 50)
  })

  it(`a consumer that is killed ${CONSUMER_ROUNDS[engine]} times: nothing is lost, nothing completed comes back, results stay`, async () => {
    const record = await consume(CONSUMER_ROUNDS[engine], { folder: newFolder(), env, random: seededRandom(seed + 1) })
    expect(record.violations).toEqual([])
    expect(record.completed.size).toBeGreaterThan(CONSUMER_ROUNDS[engine] * 20)
  })
})

describe('a storage that says of appends that they are durable before they are', () => {
  const env = { ACKBOX_CRASH_STORAGE: 'lying' }

  it('is found out by the producer: receipts are lost', async () => {
    const record = await produce(1, { folder: newFolder(), env, random: seededRandom(seed) })
    expect(record.violations.join('\n')).toMatch(/^lost in life 2: /)
  })

  it('is found out by the consumer: what was completed or accepted is gone', async () => {
    const record = await consume(3, { folder: newFolder(), env, random: seededRandom(seed) })
    expect(record.violations.join('\n')).toMatch(/^(lost|came back|attempt \d+ behind attempt \d+) in life /m)
  })
})
