// Runs under the library that makes calls fail: for n = 1, 2, ... a box lives while the n-th call of a kind meets a fault, until
// a life makes no n-th call. Then the box is opened again, without faults, and what it holds is compared with what was told.
//
// Prints one line of JSON for each enumeration. Usage: enumerate.mjs <root> <durability> <enumerations as JSON>
import { readFileSync } from 'node:fs'
import { cp, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { AckboxError, open } from 'ackbox'
import { fileStorage } from 'ackbox/file'

import { History } from '../../support/told/history.mjs'
import { live, SEGMENT_BYTES } from '../../support/told/life.mjs'
import { takeStock } from '../../support/told/stock.mjs'
import { FaultControl } from '../shim.mjs'

/** A life that hangs ends here; nothing waits for it to pass. */
const LIMIT_MS = 30_000
/** Faults that a program may not notice: the call is made again, or goes on where it stopped. */
const HARMLESS = new Set(['EINTR', 'short'])

/** Where a box lives, and how. */
class Bench {
  #control = new FaultControl()

  constructor(root, durability) {
    this.root = root
    this.durability = durability
  }

  /** All lives of one enumeration; what came of them. */
  async enumerate({ scenario, rounds, call, fault }) {
    const tally = { scenario, durability: this.durability, call, fault, lives: 0, fired: 0, reported: 0, reports: 0, ended: false, places: {}, violations: [] }
    while (!tally.ended && tally.violations.length === 0) {
      const life = await within(this.#life({ scenario, rounds, call, fault, number: tally.lives + 1 }))
      tally.lives += 1
      tally.ended = life.fired === 0
      tally.fired += life.fired > 0 ? 1 : 0
      tally.reported += life.reported === undefined ? 0 : 1
      tally.reports += life.reports
      if (life.fired > 0) tally.places[kindOf(life.place)] = (tally.places[kindOf(life.place)] ?? 0) + 1
      tally.violations.push(...life.violations.map((violation) => `${call} ${tally.lives} (${life.place}): ${violation}`))
    }
    return tally
  }

  async #life({ scenario, rounds, call, fault, number }) {
    const root = join(this.root, 'case')
    const directory = join(root, 'box')
    const history = await this.#prepare(root, directory, scenario)
    this.#control.arm(root, { call, fault }, number)
    const { reported, complaints } = await this.#liveOnce(directory, history, rounds)
    const { fired, place } = this.#control.disarm()
    const violations = [...complaints, ...misreported(fault, call, fired, place, reported)]
    // A box whose very first write is torn never was.
    const isTorn = fault === 'torn' && fired > 0 && place.endsWith('.ackbox') && history.reports > 0
    violations.push(...(await this.#reopen(directory, history, isTorn)), ...history.violations)
    return { fired, place, reported, reports: history.reports, violations }
  }

  /** `inherited`: what a killed owner left, with a torn tail. `fresh`: nothing, not even the folder. */
  async #prepare(root, directory, scenario) {
    await rm(root, { recursive: true, force: true })
    await mkdir(root)
    const history = new History()
    if (scenario === 'fresh') return history
    await cp(join(this.root, 'template', 'box'), directory, { recursive: true })
    const said = readFileSync(join(this.root, 'template', 'said'), 'utf8').trim()
    for (const line of said.split('\n')) history.say(...JSON.parse(line))
    history.begin()
    return history
  }

  /** The life with the fault: with what the box reported it, and what it did not do as it should. */
  async #liveOnce(directory, history, rounds) {
    const complaints = []
    let box
    try {
      box = await this.#open(directory)
    } catch (error) {
      if (!AckboxError.is(error)) complaints.push(`open rejected with ${error}`)
      return { reported: error, complaints }
    }
    let reported
    // Who inherits finds a torn tail.
    const untold = history.ids.length > 0 ? untoldCut(box) : () => []
    box.on('error', (error) => (reported = error))
    box.on('warning', () => {})
    await live(box, (...fact) => history.say(...fact), { prefix: 'now', rounds })
    complaints.push(...untold())
    if (history.failed) complaints.push(...(await refusals(box)))
    if (history.failed && reported === undefined) complaints.push('the failure was not told by an event')
    await box.close().catch((error) => (reported ??= error))
    return { reported, complaints }
  }

  /** Opens once more, without a fault; what was belied. */
  async #reopen(directory, history, isTorn) {
    try {
      const box = await this.#open(directory)
      box.on('error', () => {})
      const untold = isTorn ? untoldCut(box) : () => []
      const stock = await takeStock(box, history)
      await box.close()
      return [...untold(), ...history.belied(stock)]
    } catch (error) {
      return [`cannot be opened again and emptied: ${error.stack}`]
    }
  }

  #open(directory) {
    return open(fileStorage({ directory, durability: this.durability }), { segmentBytes: SEGMENT_BYTES })
  }
}

/** A torn tail is cut, and told to whoever listens: what is wrong with that, some turns later. */
function untoldCut(box) {
  let told
  box.on('recovered', ({ cut }) => (told = cut))
  return () => (told === undefined ? ['the torn tail was not told'] : [])
}

/** What a box that failed takes all the same. */
async function refusals(box) {
  const queue = box.queue('jobs')
  const calls = {
    enqueue: () => queue.enqueue('late', { id: 'late' }),
    dequeue: () => queue.dequeue(),
    pause: () => queue.pause(),
    closed: () => box.closed,
  }
  const complaints = []
  for (const [name, call] of Object.entries(calls)) {
    const refused = await call().then(() => 'nothing', (error) => error)
    if (!AckboxError.is(refused, 'ERR_STORAGE_FAILED')) complaints.push(`${name} of a box that failed rejected with ${refused}`)
  }
  const { ok, storage } = box.health()
  if (ok || !storage.failed) complaints.push('the health of a box that failed says nothing of it')
  return complaints
}

/** A failed write, and every failed flush, must be reported; what is harmless must not. */
function misreported(fault, call, fired, place, reported) {
  if (HARMLESS.has(fault) || fired === 0) return reported === undefined ? [] : [`reported as ${reported.message}`]
  const matters = call === 'flush' || place.endsWith('.ackbox')
  return matters && reported === undefined ? ['not reported'] : []
}

/** What a call was about, without names that differ between lives. */
function kindOf(place) {
  if (place.endsWith('.ackbox')) return 'segment'
  return /\/lock[^/]*$/.test(place) ? 'lock' : 'folder'
}

function within(life) {
  let timer
  const limit = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`a life hangs for ${LIMIT_MS} ms`)), LIMIT_MS)))
  return Promise.race([life, limit]).finally(() => clearTimeout(timer))
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [root, durability, enumerations] = process.argv.slice(2)
  // Nobody is left who wants to know: whoever started this holds its input open.
  process.stdin.once('end', () => process.exit(1)).resume()
  const bench = new Bench(root, durability)
  for (const enumeration of JSON.parse(enumerations)) {
    console.log(JSON.stringify(await bench.enumerate(enumeration)))
  }
  process.stdin.pause()
}
