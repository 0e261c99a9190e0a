/**
 * The reserve: the last part of a file system is left to settlements and cleaning, which make room again. New
 * messages are refused while no more than that is free.
 */

import { statfs } from 'node:fs/promises'

import type { Clock } from '../clock.js'
import { describe } from '../errors.js'
import { defaultReport } from '../events.js'

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
  #hasComplained = false

  constructor(directory: string, clock: Pick<Clock, 'now'>, readSize: ReadSize = statfs) {
    this.#directory = directory
    this.#clock = clock
    this.#readSize = readSize
  }

  /** True while no more than the reserve is free. While it is, asks again in the background, at most once a second. */
  get full(): boolean {
    if (this.#freeBytes > this.#reserveBytes) return false
    this.#checkIfDue()
    return this.#freeBytes <= this.#reserveBytes
  }

  /** So many bytes were taken. */
  took(bytes: number): void {
    this.#freeBytes -= bytes
    this.#checkIfDue()
  }

  /** Asks the file system now. One that cannot tell has no reserve; the first time that is told by a warning. */
  async check(): Promise<void> {
    try {
      this.#checkedAt = this.#clock.now()
      const { bsize, blocks, bavail } = checked(await this.#readSize(this.#directory))
      if (blocks === 0) return
      this.#freeBytes = bavail * bsize
      this.#reserveBytes = Math.min(RESERVE_BYTES, blocks * bsize * RESERVE_PART)
    } catch (cause) {
      this.#doWithout(cause)
    }
  }

  /** Resolves when no check is under way. */
  async settled(): Promise<void> {
    await this.#checking
  }

  #checkIfDue(): void {
    if (this.#checking !== undefined || !this.#isDue()) return
    this.#checking = this.check().finally(() => {
      this.#checking = undefined
    })
  }

  #isDue(): boolean {
    try {
      return this.#clock.now() - this.#checkedAt >= CHECK_EVERY_MS
    } catch (cause) {
      this.#doWithout(cause)
      return false
    }
  }

  /** Nothing tells how much is left: refusing what may well find room would be worse than no reserve. */
  #doWithout(cause: unknown): void {
    this.#freeBytes = Number.POSITIVE_INFINITY
    if (this.#hasComplained) return
    this.#hasComplained = true
    defaultReport(`fileStorage: it cannot be told how much space is left at ${this.#directory}, and no reserve is kept`, cause)
  }
}

/** What an injected `readSize` gave. */
function checked(size: unknown): FileSystemSize {
  const { bsize, blocks, bavail } = (size ?? {}) as Partial<FileSystemSize>
  const isSize = [bsize, blocks, bavail].every((part) => typeof part === 'number' && part >= 0)
  if (isSize) return size as FileSystemSize
  throw new TypeError(`expected { bsize, blocks, bavail }, got ${describe(size)}`)
}
