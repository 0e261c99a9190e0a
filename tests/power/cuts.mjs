// Power cuts: a box is written, its disk copied at random moments, and every copy opened.
import { copyFileSync, cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { open } from 'ackbox'
import { fileStorage } from 'ackbox/file'

import { unmount } from '../support/mounts.mjs'
import { History } from '../support/told/history.mjs'
import { takeStock } from '../support/told/stock.mjs'
import { copyAtOnce, discardImage, makeImage, mountImage } from './image.mjs'
import { Writer } from './writer.mjs'

/** Lines that a writer says between two cuts, at most; and how long after the last of them it is stopped, at most. */
const LINES_MAX = 150
const DELAY_MS_MAX = 3

/** The power cuts of disks of one kind. */
export class PowerCuts {
  cuts = 0
  /** Copies during which the device was written. */
  disturbed = 0
  /** Copies in which the end of the journal was torn. */
  torn = 0
  /** Reports that were held against a copy. */
  reports = 0
  /** What each cut belied, if it did. */
  violations = []
  #folder
  #durability
  #data

  constructor(folder, { durability, data }) {
    this.#folder = folder
    this.#durability = durability
    this.#data = data
  }

  /**
   * Lives in a row on one disk, each of which is cut so many times: the last cut of a life is the disk that the next
   * life finds.
   */
  async chain(lives, cutsPerLife) {
    const image = this.#path('disk.image')
    makeImage(image)
    const earlier = []
    for (let life = 1; life <= lives && this.violations.length === 0; life += 1) {
      earlier.push(await this.#live(image, `life${life}`, earlier, cutsPerLife))
    }
    rmSync(image)
  }

  /** One life; gives what it had said at its last cut. */
  async #live(image, prefix, earlier, cuts) {
    const place = this.#path('disk')
    mountImage(image, place, this.#data)
    const said = this.#path('said')
    writeFileSync(said, '')
    const writer = new Writer({ directory: join(place, 'box'), durability: this.#durability, prefix, said })
    let facts = []
    try {
      for (let cut = 1; cut <= cuts; cut += 1) {
        const copy = await this.#cut(writer, image, place)
        facts = writer.facts()
        if (cut === cuts) copyFileSync(copy, this.#path('next.image'))
        await this.#examine(copy, [...earlier, facts])
        writer.goOn()
      }
    } finally {
      await writer.kill()
      unmount(place)
    }
    renameSync(this.#path('next.image'), image)
    return facts
  }

  /** Copies the disk as it is at a random moment; the writer is stopped then. */
  async #cut(writer, image, place) {
    const copy = this.#path('cut.image')
    for (;;) {
      await writer.moreLines(1 + Math.floor(Math.random() * LINES_MAX))
      await pause(Math.random() * DELAY_MS_MAX)
      await writer.stop()
      if (copyAtOnce(image, place, copy)) return copy
      this.disturbed += 1
      writer.goOn()
    }
  }

  /** Mounts a copy, opens the box on it, and compares it with what the lives had said. */
  async #examine(copy, lives) {
    this.cuts += 1
    const place = this.#path('cut')
    mountImage(copy, place, this.#data)
    const history = new History()
    for (const facts of lives) {
      history.begin()
      for (const fact of facts) history.say(...fact)
    }
    this.reports += history.reports
    const before = this.#path('before')
    cpSync(join(place, 'box'), before, { recursive: true })
    const violations = history.violations.concat(await this.#belied(join(place, 'box'), history))
    if (violations.length > 0) this.violations.push(this.#kept(violations, before, lives))
    rmSync(before, { recursive: true })
    discardImage(copy, place)
  }

  /** Keeps what shows first that a promise is broken: the folder as the cut left it, and all that was said. */
  #kept(violations, box, lives) {
    if (this.#durability !== 'power-loss' || this.violations.length > 0) return violations
    const folder = mkdtempSync(join(tmpdir(), 'ackbox-power-failure-'))
    cpSync(box, join(folder, 'box'), { recursive: true })
    writeFileSync(join(folder, 'said.json'), JSON.stringify(lives))
    return [...violations, `the box as the cut left it, and what was said: ${folder}`]
  }

  async #belied(directory, history) {
    try {
      const box = await open(fileStorage({ directory, durability: this.#durability }))
      box.on('warning', () => {})
      box.on('recovered', ({ cut }) => void (this.torn += Number(cut !== undefined)))
      const stock = await takeStock(box, history)
      await box.close()
      return history.belied(stock)
    } catch (error) {
      return [`cannot be opened and emptied: ${error.stack}`]
    }
  }

  #path(name) {
    return join(this.#folder, name)
  }
}
