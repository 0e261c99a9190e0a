/**
 * Processes killed with SIGKILL at random moments lose nothing that they were told is durable.
 *
 * The moments are drawn from a seed that is logged; ACKBOX_SEED repeats them.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { afterAll, describe, expect, it } from 'vitest'

import { start, succeed } from '../support/programs.ts'
import { between, seededRandom, seedOfRun } from '../support/random.ts'

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

/** What a life said: the first word of a line is its kind, the second the id it is about. */
class Report {
  readonly #lines: readonly string[]

  constructor(lines: readonly string[]) {
    this.#lines = lines
  }

  ids(kind: string): string[] {
    return this.#lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.split(' ')[1]!)
  }

  /** Ids that were found with another body than they were enqueued with. */
  get damaged(): string[] {
    return this.#lines.filter((line) => /^found .* false$/.test(line)).map((line) => line.split(' ')[1]!)
  }

  /** Depths of the queue after everything was taken out. */
  get left(): unknown {
    const line = this.#lines.find((candidate) => candidate.startsWith('left '))
    return line === undefined ? undefined : JSON.parse(line.slice('left '.length))
  }
}

const EMPTY = { ready: 0, scheduled: 0, leased: 0, deadLetters: 0 }

/** The lines that a life wrote to its file, but for one that was cut off. */
function said(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
}

/** Runs a program until so many of its lines are of a kind, and kills it up to 4 ms later. */
async function liveAndDie(name: string, folder: string, prefix: string, kind: string, count: number, engine: string, random: () => number): Promise<string[]> {
  const file = `${folder}.${prefix}.said`
  const life = start(program(name), [folder, prefix, file], { env: { ACKBOX_ENGINE: engine } })
  let seen = 0
  await life.line((line) => line.startsWith(`${kind} `) && (seen += 1) >= count)
  await pause(random() * 4)
  life.child.kill('SIGKILL')
  const ending = await life.ending
  expect(ending).toMatchObject({ signal: 'SIGKILL', stderr: '' })
  return said(file)
}

/** Kills a program while it starts or recovers. */
async function dieYoung(name: string, folder: string, prefix: string, engine: string, random: () => number): Promise<string[]> {
  const file = `${folder}.${prefix}.said`
  const life = start(program(name), [folder, prefix, file], { env: { ACKBOX_ENGINE: engine } })
  await pause(random() * 250)
  life.child.kill('SIGKILL')
  expect(await life.ending).toMatchObject({ signal: 'SIGKILL', stderr: '' })
  return said(file)
}

async function drain(folder: string, engine: string): Promise<Report> {
  return new Report(await succeed(program('drain'), [folder], { env: { ACKBOX_ENGINE: engine } }))
}

describe.each(['native', 'wasm'] as const)('%s', (engine) => {
  it(`a producer that is killed ${ROUNDS[engine]} times: every receipt is there exactly once`, async () => {
    const random = seededRandom(seed)
    const folder = newFolder()
    const everFound = new Set<string>()
    let accepted: string[] = []
    let receipts = 0
    const check = (report: Report, round: number): void => {
      const found = report.ids('found')
      const unique = new Set(found)
      expect(accepted.filter((id) => !unique.has(id)), `lost before round ${round}`).toEqual([])
      expect(unique.size, `duplicates in round ${round}`).toBe(found.length)
      expect(found.filter((id) => everFound.has(id)), `came back in round ${round}`).toEqual([])
      expect(report.damaged, `damaged in round ${round}`).toEqual([])
      expect(report.left).toEqual(EMPTY)
      for (const id of found) everFound.add(id)
    }
    for (let round = 0; round < ROUNDS[engine]; round += 1) {
      const count = between(random, 1, 300)
      const report = new Report(await liveAndDie('produce', folder, `r${round}`, 'accepted', count, engine, random))
      check(report, round)
      accepted = report.ids('accepted')
      receipts += accepted.length
    }
    check(await drain(folder, engine), ROUNDS[engine])
    expect(receipts).toBeGreaterThan(ROUNDS[engine] * 50)
  })

  it(`a consumer that is killed ${CONSUMER_ROUNDS[engine]} times: nothing is lost, nothing completed comes back`, async () => {
    const random = seededRandom(seed + 1)
    const folder = newFolder()
    const accepted = new Set<string>()
    const handled = new Set<string>()
    const completed = new Set<string>()
    const take = (lines: string[], round: number): void => {
      for (const line of lines) {
        const [what, id] = line.split(' ') as [string, string]
        if (what === 'started') expect(completed.has(id), `${id} came back in round ${round}`).toBe(false)
        if (what === 'accepted') accepted.add(id)
        if (what === 'handled') handled.add(id)
        if (what === 'completed') {
          expect(handled.has(id), `${id} completed without being handled`).toBe(true)
          completed.add(id)
        }
      }
    }
    for (let round = 0; round < CONSUMER_ROUNDS[engine]; round += 1) {
      const count = between(random, 1, 100)
      take(await liveAndDie('consume', folder, `r${round}`, 'completed', count, engine, random), round)
      if (round % 5 === 4) take(await dieYoung('consume', folder, `young${round}`, engine, random), round)
    }
    const report = await drain(folder, engine)
    expect(report.left).toEqual(EMPTY)
    const left = report.ids('found')
    expect(new Set(left).size).toBe(left.length)
    expect(left.filter((id) => completed.has(id))).toEqual([])
    const kept = new Set(left)
    expect([...accepted].filter((id) => !handled.has(id) && !kept.has(id)), 'lost').toEqual([])
    expect(completed.size).toBeGreaterThan(CONSUMER_ROUNDS[engine] * 20)
  })
})
