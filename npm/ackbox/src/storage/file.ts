/**
 * Storage in a folder: one file per segment, and a lock file.
 *
 * `durability: 'power-loss'` (default): bytes are on the disk, with the length of the file and its name, before
 * `append` resolves. `'process-crash'`: bytes are with the operating system, and reach the disk when the next segment
 * begins. Either way, what `open` lists is as durable as promised before it resolves.
 *
 * A failed write or flush is final, for lack of space too: after it nobody knows what is on the disk, so every later
 * append rejects with the same error. Reopening reads what is there.
 *
 * @module ackbox/file
 */

import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, stat, unlink } from 'node:fs/promises'
import { basename, resolve } from 'node:path'

import { type Clock, systemClock } from '../clock.js'
import { AckboxError, invalidOption } from '../errors.js'
import { callable, checkNames, choice } from '../validate.js'
import {
  flush,
  flushFolder,
  flushNewFolders,
  flushWhole,
  readFully,
  SYNCHRONOUS_WRITES,
  withFile,
  writeFully,
} from './file-io.js'
import { type DirectoryLock, lockDirectory } from './file-lock.js'
import { FileReaders } from './file-readers.js'
import { openSnapshot } from './file-snapshot.js'
import { fileReserve, type ReadSize } from './file-space.js'
import { missingSegment, notOpen, shortRead } from './refusals.js'
import type { Reserve } from './reserve.js'
import { segmentPath, segmentsIn } from './segment-files.js'
import {
  type FileLocking,
  type LockFile,
  type Room,
  type SegmentInfo,
  type Storage,
  type StorageReader,
  USE_FILE_LOCK,
} from './storage.js'

export type { FileSystemSize, ReadSize } from './file-space.js'

/** Options of `fileStorage`. */
export interface FileStorageOptions {
  /** The folder, made if it does not exist. Relative to the working directory of this moment. */
  directory: string
  /** What survives once a promise resolved. Default `'power-loss'`. */
  durability?: 'power-loss' | 'process-crash' | undefined
  /** Says when to ask for the free space again. Default: the system's clock. */
  clock?: Pick<Clock, 'now'> | undefined
  /**
   * Asks for the free space, of which a reserve is kept. Default: `statfs`; give your own where a quota counts. While it
   * fails no reserve is kept; the first time is told by a warning of the process.
   */
  readSize?: ReadSize | undefined
}

/** Keeps a journal in a folder. */
export function fileStorage(options: FileStorageOptions): Storage & FileLocking {
  checkNames(options, ['directory', 'durability', 'clock', 'readSize'], 'fileStorage')
  const { directory, durability = 'power-loss', clock = systemClock(), readSize } = options
  if (typeof clock?.now !== 'function') throw invalidOption('clock to be a Clock', clock, 'fileStorage')
  if (readSize !== undefined) callable(readSize, 'readSize', 'fileStorage')
  if (typeof directory !== 'string' || directory === '' || directory.includes('\0')) {
    throw invalidOption('directory to be the path of a folder', directory, 'fileStorage')
  }
  choice(durability, ['power-loss', 'process-crash'], 'durability', 'fileStorage')
  return new FileStorage(resolve(directory), durability, (path) => fileReserve(path, clock, readSize))
}

/**
 * Storages that own their folders: kept until they are closed, for a descriptor that is collected as garbage would give the
 * folder up behind its owner's back.
 */
const OWNING = new Set<FileStorage>()

/** The segment that is appended to. */
interface Head {
  readonly segment: number
  readonly file: FileHandle
  bytes: number
  /** Flushes under way: the file is closed behind them. */
  readonly flushing: Set<Promise<void>>
}

/** State from `open` to `close`. */
interface Opened {
  readonly lock: DirectoryLock
  readonly space: Reserve
  readonly readers: FileReaders
  /** Bytes of all segments but the head. */
  readonly sizes: Map<number, number>
  head: Head | undefined
  /** The append under way. */
  appending: Promise<void> | undefined
  /** What ended all appending. */
  failure: AckboxError | undefined
}

class FileStorage implements Storage, FileLocking {
  readonly durability: 'power-loss' | 'process-crash'
  readonly #directory: string
  readonly #watchSpace: (directory: string) => Reserve
  #lockFile: LockFile | undefined
  #opened: Opened | undefined

  constructor(
    directory: string,
    durability: 'power-loss' | 'process-crash',
    watchSpace: (directory: string) => Reserve,
  ) {
    this.#directory = directory
    this.durability = durability
    this.#watchSpace = watchSpace
  }

  get full(): boolean {
    return this.#opened?.space.full ?? false
  }

  get room(): Room | undefined {
    return this.#opened?.space.room
  }

  [USE_FILE_LOCK](lockFile: LockFile): void {
    this.#lockFile = lockFile
  }

  async open(): Promise<SegmentInfo[]> {
    const lock = await this.#explain('could not be opened', () => this.#takeOwnership())
    try {
      const segments = await this.#explain('could not be opened', () => this.#listSegments())
      const space = this.#watchSpace(this.#directory)
      await space.check()
      this.#opened = {
        lock,
        space,
        readers: new FileReaders((segment) => this.#pathOf(segment)),
        sizes: new Map(segments.map(({ segment, bytes }) => [segment, bytes])),
        head: undefined,
        appending: undefined,
        failure: undefined,
      }
      OWNING.add(this)
      return segments
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  async append(segment: number, bytes: Uint8Array): Promise<void> {
    const opened = this.#whileOpen('append')
    if (opened.failure !== undefined) throw opened.failure
    if (opened.appending !== undefined) {
      throw new AckboxError(
        'ERR_STORAGE_FAILED',
        `${this.#directory}: expected one append at a time, but another is under way`,
      )
    }
    opened.appending = this.#append(opened, segment, bytes)
    try {
      await opened.appending
    } catch (error) {
      const what = `could not append ${bytes.byteLength} bytes to segment ${segment}`
      throw (opened.failure = this.#failed(what, error))
    } finally {
      opened.appending = undefined
    }
  }

  async read(segment: number, offset: number, length: number): Promise<Uint8Array> {
    const opened = this.#whileOpen('read')
    this.#sizeOf(opened, segment)
    const bytes = await this.#explain(`could not read segment ${segment}`, () =>
      opened.readers.use(segment, (descriptor) => readFully(descriptor, length, offset)),
    )
    if (bytes.byteLength < length) throw shortRead(this.#directory, segment, offset, length, bytes.byteLength)
    return bytes
  }

  async truncate(segment: number, bytes: number): Promise<void> {
    const opened = this.#whileOpen('truncate')
    if (this.#sizeOf(opened, segment) <= bytes) return
    await this.#explain(`could not cut segment ${segment} to ${bytes} bytes`, () =>
      withFile(this.#pathOf(segment), 'r+', async (file) => {
        await file.truncate(bytes)
        await flushWhole(file.fd)
      }),
    )
    if (opened.head?.segment === segment) opened.head.bytes = bytes
    else opened.sizes.set(segment, bytes)
  }

  async remove(segment: number): Promise<void> {
    const opened = this.#whileOpen('remove')
    this.#sizeOf(opened, segment)
    await opened.readers.release(segment)
    await this.#explain(`could not remove segment ${segment}`, async () => {
      if (opened.head?.segment === segment) await this.#leaveHead(opened)
      // What is still live was appended again before. In the weaker mode it may not be on the disk yet: a power cut
      // must not take messages that were safe there for long.
      else if (this.durability === 'process-crash' && opened.head !== undefined) await this.#flushHead(opened.head)
      await unlink(this.#pathOf(segment))
      await flushFolder(this.#directory)
    })
    opened.sizes.delete(segment)
  }

  async close(): Promise<void> {
    const opened = this.#opened
    if (opened === undefined) return
    this.#opened = undefined
    OWNING.delete(this)
    await opened.appending?.catch(() => {})
    if (opened.head !== undefined) await closeHead(opened.head).catch(() => {})
    await opened.readers.releaseAll()
    await opened.space.settled()
    await opened.lock.release()
  }

  async openReader(): Promise<StorageReader> {
    return this.#explain('could not be looked at', () => openSnapshot(this.#directory))
  }

  async #takeOwnership(): Promise<DirectoryLock> {
    const outermost = await mkdir(this.#directory, { recursive: true })
    if (outermost !== undefined) await flushNewFolders(outermost, this.#directory)
    return lockDirectory(this.#directory, this.#lockFile)
  }

  async #listSegments(): Promise<SegmentInfo[]> {
    const segments: SegmentInfo[] = []
    for (const segment of await segmentsIn(this.#directory)) {
      const path = this.#pathOf(segment)
      const file = await stat(path)
      if (!file.isFile()) throw new Error(`expected ${basename(path)} to be a file, but it is not`)
      segments.push({ segment, bytes: file.size })
    }
    const last = segments.at(-1)
    if (last !== undefined) await this.#settle(last.segment)
    return segments
  }

  /**
   * What a dead owner wrote last may be with the operating system only: before it is shown as part of the journal
   * it is made durable, in the weaker mode too, where the next segment says that this one is. Earlier segments were
   * flushed when their successor began.
   */
  async #settle(segment: number): Promise<void> {
    await withFile(this.#pathOf(segment), 'r+', (file) => flush(file.fd))
    await flushFolder(this.#directory)
  }

  async #append(opened: Opened, segment: number, bytes: Uint8Array): Promise<void> {
    const head = opened.head?.segment === segment ? opened.head : await this.#beginHead(opened, segment)
    await writeFully(head.file.fd, bytes, head.bytes)
    if (this.durability === 'power-loss' && SYNCHRONOUS_WRITES === undefined) await flush(head.file.fd)
    head.bytes += bytes.byteLength
    opened.space.took(bytes.byteLength)
  }

  async #beginHead(opened: Opened, segment: number): Promise<Head> {
    await this.#leaveHead(opened)
    const bytes = opened.sizes.get(segment)
    const synchronous = this.durability === 'power-loss' ? (SYNCHRONOUS_WRITES ?? 0) : 0
    const creation = bytes === undefined ? constants.O_CREAT | constants.O_EXCL : 0
    const file = await open(this.#pathOf(segment), constants.O_WRONLY | synchronous | creation, 0o644)
    opened.sizes.delete(segment)
    opened.head = { segment, file, bytes: bytes ?? 0, flushing: new Set() }
    if (bytes === undefined) await flushFolder(this.#directory)
    return opened.head
  }

  /** Nothing more is appended to the head. */
  async #leaveHead(opened: Opened): Promise<void> {
    const head = opened.head
    if (head === undefined) return
    if (this.durability === 'process-crash') await this.#flushHead(head)
    opened.head = undefined
    opened.sizes.set(head.segment, head.bytes)
    await closeHead(head)
  }

  async #flushHead(head: Head): Promise<void> {
    const flushing = flush(head.file.fd)
    head.flushing.add(flushing)
    await flushing.finally(() => head.flushing.delete(flushing))
  }

  #whileOpen(call: string): Opened {
    if (this.#opened === undefined) throw notOpen(this.#directory, call)
    return this.#opened
  }

  #sizeOf(opened: Opened, segment: number): number {
    const bytes = opened.head?.segment === segment ? opened.head.bytes : opened.sizes.get(segment)
    if (bytes === undefined) throw missingSegment(this.#directory, segment)
    return bytes
  }

  #pathOf(segment: number): string {
    return segmentPath(this.#directory, segment)
  }

  async #explain<T>(what: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      throw AckboxError.is(error) ? error : this.#failed(what, error)
    }
  }

  #failed(what: string, cause: unknown): AckboxError<'ERR_STORAGE_FAILED'> {
    const why = cause instanceof Error ? cause.message : String(cause)
    return new AckboxError('ERR_STORAGE_FAILED', `${this.#directory}: ${what}: ${why}`, { cause })
  }
}

/** A descriptor that is closed under a flush may be another file's by then. */
async function closeHead(head: Head): Promise<void> {
  await Promise.allSettled(head.flushing)
  await head.file.close()
}
