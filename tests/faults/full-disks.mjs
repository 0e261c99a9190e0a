// File systems of a few MiB that really fill up, with nothing but their own limits.
//
// A box keeps a reserve: it refuses messages before the last byte is taken, and goes on settling. Where somebody else
// takes the reserve too, its next append fails for good; opened again it has everything that it ever reported.
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'

import { AckboxError, open } from 'ackbox'
import { fileStorage } from 'ackbox/file'

import { mount, unmount } from '../support/mounts.mjs'
import { IS_FULL } from '../support/tier.mjs'
import { History } from '../support/told/history.mjs'
import { bodyOf, queuesOf } from '../support/told/life.mjs'
import { takeStock } from '../support/told/stock.mjs'

const DISK_BYTES = 8 << 20
const SEGMENT_BYTES = 64 << 10
const FILLS = IS_FULL ? 6 : 2
/** Enqueues at once: few beside the reserve, so that they all fit in when the first is refused. */
const AT_ONCE = 20
/** So often a box that should have room is asked before it is given up. */
const TURNS_MAX = 100_000

const DISKS = {
  tmpfs: (place) => mount('-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'ackbox-disk', place),
  ext4: (place, image) => {
    writeFileSync(image, '')
    truncateSync(image, DISK_BYTES)
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', '-O', '^has_journal', image], { stdio: ['ignore', 'ignore', 'inherit'] })
    mount('-o', 'loop', image, place)
  },
}

/** Fills every kind of disk, again and again; `why` they cannot be mounted, if they cannot. */
export async function checkFullDisks(tier, folder, why) {
  let [fills, refusals, failures] = [0, 0, 0]
  for (const [kind, mountDisk] of Object.entries(DISKS)) {
    const title = `a ${kind} of ${DISK_BYTES >> 20} MiB that fills up`
    if (why !== undefined) {
      tier.skip(title, why)
      continue
    }
    const place = join(folder, kind)
    mkdirSync(place)
    mountDisk(place, join(folder, `${kind}.image`))
    try {
      const disk = new FullDisk(place)
      const problems = await disk.fillUp().catch((error) => [error.stack])
      failures += tier.check(`${title}, ${FILLS} times`, problems) ? 0 : 1
      fills += FILLS
      refusals += disk.refusals
    } finally {
      unmount(place)
    }
  }
  tier.figure('enqueues refused for lack of room on real disks', refusals)
  const how = 'a tmpfs and an ext4 of 8 MiB were filled up by a box to its reserve, and by another program to the last byte; messages were refused, settlements went on, and after room was made the box worked on with all that it had accepted.'
  if (why === undefined) tier.proves('full-disk', how, fills, failures)
}

class FullDisk {
  refusals = 0
  #place
  #directory
  #box
  #time = 0
  #step = 100
  #count = 0
  #history = new History()
  #problems = []

  constructor(place) {
    this.#place = place
    this.#directory = join(place, 'box')
  }

  /** Each round: to the reserve, empty again, to the last byte, opened again. Gives what went wrong. */
  async fillUp() {
    for (let fill = 0; fill < FILLS; fill += 1) {
      await this.#open()
      await this.#enqueueUntilFull()
      await this.#settleWhatIsThere()
      await this.#enqueueAsThereIsRoom('settling made room')
      await this.#fillToTheLastByte()
      this.#history.begin()
    }
    return [...this.#problems, ...this.#history.violations]
  }

  /** The storage asks for the space once a second; each look at this clock takes a tenth of one, but for when it stands still. */
  async #open() {
    const clock = { now: () => (this.#time += this.#step) }
    this.#box = await open(fileStorage({ directory: this.#directory, clock }), { segmentBytes: SEGMENT_BYTES })
    this.#box.on('error', () => {})
    this.#box.on('warning', () => {})
  }

  #expect(holds, what) {
    if (!holds) this.#problems.push(what)
  }

  /** Enqueues one message; gives the error that it was refused with. */
  async #enqueue() {
    // The longer the id, the larger the body.
    const id = `${String((this.#count += 1)).padStart(20, '0')}s`
    this.#history.say('offer', id)
    try {
      await queuesOf(this.#box).jobs.enqueue(bodyOf(id), { id })
      this.#history.say('accept', id)
      return undefined
    } catch (error) {
      if (AckboxError.is(error, 'ERR_STORAGE_FULL')) this.refusals += 1
      return error
    }
  }

  /** Gives the first refusal. */
  async #enqueueUntilRefused() {
    for (;;) {
      const refusals = await Promise.all(Array.from({ length: AT_ONCE }, () => this.#enqueue()))
      const refusal = refusals.find((error) => error !== undefined)
      if (refusal !== undefined) return refusal
    }
  }

  async #enqueueUntilFull() {
    const refusal = await this.#enqueueUntilRefused()
    this.#expect(AckboxError.is(refusal, 'ERR_STORAGE_FULL'), `a full disk refused with ${refusal}`)
    const { ok, storage } = this.#box.health()
    this.#expect(!ok && storage.full && !storage.failed, `the health of a box on a full disk: ok ${ok}, ${JSON.stringify(storage)}`)
  }

  async #settleWhatIsThere() {
    const { jobs } = queuesOf(this.#box)
    jobs.on('completed', ({ id }) => this.#history.say('complete', id))
    await jobs.drain(({ id, attempt }) => {
      this.#history.say('start', id, attempt)
      this.#history.say('handle', id)
    }, { concurrency: 8 })
    const { ready, leased } = await jobs.stats()
    this.#expect(ready === 0 && leased === 0, `a full disk left ${ready} messages ready and ${leased} leased`)
  }

  /** Removing and asking go on behind the box: it has room some turns later, or never. */
  async #enqueueAsThereIsRoom(why) {
    for (let turn = 0; turn < TURNS_MAX; turn += 1) {
      const refusal = await this.#enqueue()
      if (refusal === undefined) return
      if (!AckboxError.is(refusal, 'ERR_STORAGE_FULL')) return void this.#expect(false, `${why}, and still refused with ${refusal}`)
      await nextTurn()
    }
    this.#expect(false, `${why}, and still full`)
  }

  /** Another program takes what is left, before the box has asked again. */
  async #fillToTheLastByte() {
    this.#step = 0
    const ballast = join(this.#place, 'ballast')
    writeUntilFull(ballast)
    const refusal = await this.#enqueueUntilRefused()
    const errno = refusal.cause?.cause?.code ?? refusal.cause?.code
    this.#expect(AckboxError.is(refusal, 'ERR_STORAGE_FAILED') && errno === 'ENOSPC', `no byte left, and refused with ${refusal} because of ${errno}`)
    this.#expect(!this.#box.health().ok, 'the health of a box that failed')
    await this.#box.close()
    this.#step = 100
    await this.#open()
    this.#expect(AckboxError.is(await this.#enqueue(), 'ERR_STORAGE_FULL'), 'opened on a full disk it took a message')
    rmSync(ballast)
    await this.#enqueueAsThereIsRoom('the ballast is gone')
    this.#problems.push(...this.#history.belied(await takeStock(this.#box, this.#history)))
    await this.#box.close()
    for (const id of this.#history.ids) this.#settled(id)
  }

  /** What the stock took out has been handled. */
  #settled(id) {
    this.#history.say('handle', id)
  }
}

function writeUntilFull(path) {
  const file = openSync(path, 'w')
  try {
    for (let bytes = 1 << 16; bytes > 0; bytes >>= 1) writeAsLongAsFits(file, Buffer.alloc(bytes))
  } finally {
    closeSync(file)
  }
}

function writeAsLongAsFits(file, bytes) {
  for (;;) {
    try {
      if (writeSync(file, bytes) < bytes.length) return
    } catch (error) {
      if (error.code === 'ENOSPC') return
      throw error
    }
  }
}
