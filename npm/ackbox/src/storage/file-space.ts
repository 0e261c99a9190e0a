/**
 * The reserve: the last part of a file system is left to settlements and cleaning, which make room again. New
 * messages are refused while no more than that is free.
 */

import { statfs } from 'node:fs/promises'

import type { Clock } from '../clock.js'

/** The reserve is so much, or so large a part of the file system if that is less. */
const RESERVE_BYTES = 64 * 1024 * 1024
const RESERVE_PART = 0.05
/** Asking the file system costs a trip to the thread pool; between two answers the bytes appended are counted. */
const CHECK_EVERY_MS = 1000

/** Sizes of a file system, as `statfs` tells them. */
export interface FileSystemSize {
  readonly bsize: number
  readonly blocks: number
  readonly bavail: number
}

/** Asks a file system for its sizes. */
export type ReadSize = (directory: string) => Promise<FileSystemSize>

/** Watches the space that is left where a folder is. */
export class FileSpace {
  readonly #directory: string
  readonly #clock: Pick<Clock, 'now'>
  readonly #readSize: ReadSize
  #freeBytes = Number.POSITIVE_INFINITY
  #reserveBytes = 0
  #checkedAt = Number.NEGATIVE_INFINITY
  #checking: Promise<void> | undefined

  constructor(directory: string, clock: Pick<Clock, 'now'>, readSize: ReadSize = statfs) {
    this.#directory = directory
    this.#clock = clock
    this.#readSize = readSize
  }

  /** True while no more than the reserve is free. While it is, asks again in the background, at most once a second. */
  get full(): boolean {
    if (this.#freeBytes > this.#reserveBytes) return false
    this.#checkIfDue()
    return true
  }

  /** So many bytes were taken. */
  took(bytes: number): void {
    this.#freeBytes -= bytes
    this.#checkIfDue()
  }

  /** Asks the file system now. One that cannot tell has no reserve. */
  async check(): Promise<void> {
    this.#checkedAt = this.#clock.now()
    const size = await this.#readSize(this.#directory).catch(() => undefined)
    if (size === undefined || size.blocks === 0) return
    this.#freeBytes = size.bavail * size.bsize
    this.#reserveBytes = Math.min(RESERVE_BYTES, size.blocks * size.bsize * RESERVE_PART)
  }

  /** Resolves when no check is under way. */
  async settled(): Promise<void> {
    await this.#checking
  }

  #checkIfDue(): void {
    if (this.#checking !== undefined || this.#clock.now() - this.#checkedAt < CHECK_EVERY_MS) return
    this.#checking = this.check().finally(() => {
      this.#checking = undefined
    })
  }
}
