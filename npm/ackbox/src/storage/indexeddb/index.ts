/**
 * Storage in a browser: the segments of a journal as rows of an IndexedDB database.
 *
 * `durability: 'strict'` (default): the browser has flushed a transaction to the disk before `append` resolves; the storage
 * promises `'power-loss'`. `'relaxed'`: the operating system has the bytes, which a crash of the browser leaves alone and a
 * power cut does not; they are flushed when the next segment begins; it promises `'process-crash'`. One append is one
 * transaction, so nothing is ever torn.
 *
 * What a browser stores it may also delete: under pressure for space it evicts whole origins, least recently used first, and
 * some delete what a site stored when nobody came for days (Safari: seven days without a visit). `persist: true` asks it not
 * to; `box.health().storage.persisted` tells the answer, once there is one: a box that is opened waits for no user. In private windows everything goes when the last one is closed, and
 * some browsers deny IndexedDB there.
 *
 * @module ackbox/indexeddb
 */

import { messageOf } from '../../error-info.js'
import { AckboxError, invalidOption } from '../../errors.js'
import { checkNames, choice, flag } from '../../validate.js'
import { missingSegment, notOpen, shortRead } from '../refusals.js'
import type { Reserve } from '../reserve.js'
import { type OwnedInbox, type Room, type SegmentInfo, SHARE, type Shareable, type Sharing, type Storage, type StorageReader } from '../storage.js'
import { Ballast } from './ballast.js'
import { addChunk, cutChunks, readChunks, removeChunks } from './chunks.js'
import { connect } from './database.js'
import { type OwnedJournal, ownJournal, type Strictness } from './owned-journal.js'
import type { Hold } from './held-lock.js'
import { ownedInbox } from './inbox.js'
import { own, owned, type Ownership } from './ownership.js'
import { openSnapshot } from './reader.js'
import { isQuotaError, KeepingPromise, noRoom, quotaReserve } from './room.js'
import { sharingOf, surroundings } from './sharing.js'

/** Options of `indexedDbStorage`. */
export interface IndexedDbStorageOptions {
  /** The name of the database, made if it does not exist; it is the box's alone. */
  name: string
  /** What a transaction waits for: the disk, or the operating system. Default `'strict'`. */
  durability?: 'strict' | 'relaxed' | undefined
  /**
   * Asks the browser, when the box is opened, never to evict what this origin stores. Some browsers ask their user in
   * turn: the box does not wait, and `health().storage.persisted` is absent until there is an answer. Default false: only looks whether that was granted before.
   */
  persist?: boolean | undefined
}

/** Keeps a journal in an IndexedDB database. */
export function indexedDbStorage(options: IndexedDbStorageOptions): Storage {
  const where = 'indexedDbStorage'
  checkNames(options, ['name', 'durability', 'persist'], where)
  const { name, durability = 'strict', persist = false } = options
  if (typeof name !== 'string' || name === '') throw invalidOption('name to be the name of a database', name, where)
  choice(durability, ['strict', 'relaxed'], 'durability', where)
  flag(persist, 'persist', where)
  return new IndexedDbStorage(name, durability, persist)
}

/** State from `open` to `close`. */
interface Opened {
  readonly ownership: Ownership
  readonly journal: OwnedJournal
  readonly reserve: Reserve
  readonly ballast: Ballast
  readonly inbox: OwnedInbox
  readonly sizes: Map<number, number>
  /** The append under way. */
  appending: Promise<void> | undefined
  /** What ended all writing. */
  failure: AckboxError | undefined
}

class IndexedDbStorage implements Storage, Shareable {
  readonly durability: 'power-loss' | 'process-crash'
  readonly #name: string
  readonly #what: string
  readonly #strictness: Strictness
  readonly #promise: KeepingPromise
  /** Those of the place where it was made. */
  readonly #locks = globalThis.navigator?.locks as LockManager | undefined
  readonly #surroundings = surroundings()
  /** The lock, if somebody who shares the database got it before the opening. */
  #granted: Hold | undefined
  #opened: Opened | undefined

  constructor(name: string, strictness: Strictness, persist: boolean) {
    this.#name = name
    this.#what = `database '${name}'`
    this.#strictness = strictness
    this.#promise = new KeepingPromise(persist)
    this.durability = strictness === 'strict' ? 'power-loss' : 'process-crash'
  }

  get full(): boolean {
    const opened = this.#opened
    return opened !== undefined && (opened.ballast.isShort || opened.reserve.full)
  }

  get room(): Room | undefined {
    // What the browser tells is not what just ran out.
    return this.#opened?.ballast.isShort === true ? undefined : this.#opened?.reserve.room
  }

  get persisted(): boolean | undefined {
    return this.#opened === undefined ? undefined : this.#promise.answer
  }

  async open(): Promise<SegmentInfo[]> {
    this.#checkSupported()
    let lost: string | undefined
    const onLost = (why: string): void => {
      lost ??= why
      const opened = this.#opened
      if (opened !== undefined) opened.failure ??= this.#failed('can be written no more', why)
    }
    const ownership = await this.#own(() => onLost('another tab took the lock'))
    if (ownership === undefined) throw this.#locked()
    try {
      const opened = await this.#openJournal(ownership, onLost)
      if (lost !== undefined) throw this.#failed('could not be opened', lost)
      this.#opened = opened
      return opened.journal.segments
    } catch (error) {
      await ownership.release()
      throw AckboxError.is(error) ? error : this.#failed('could not be opened', error)
    }
  }

  async append(segment: number, bytes: Uint8Array): Promise<void> {
    const opened = this.#whileOpen('append')
    if (opened.failure !== undefined) throw opened.failure
    if (opened.appending !== undefined) {
      const message = `${this.#what}: expected one append at a time, but another is under way`
      throw new AckboxError('ERR_STORAGE_FAILED', message)
    }
    opened.appending = this.#append(opened, segment, bytes)
    try {
      await opened.appending
    } catch (error) {
      if (isQuotaError(error)) throw await noRoom(this.#name, bytes.byteLength, error)
      const what = `could not append ${bytes.byteLength} bytes to segment ${segment}`
      throw (opened.failure ??= AckboxError.is(error) ? error : this.#failed(what, error))
    } finally {
      opened.appending = undefined
    }
  }

  async read(segment: number, offset: number, length: number): Promise<Uint8Array> {
    const opened = this.#whileOpen('read')
    const bytes = this.#sizeOf(opened, segment)
    if (offset + length > bytes) throw shortRead(this.#what, segment, offset, length, Math.max(0, bytes - offset))
    return this.#explain(`could not read segment ${segment}`, () =>
      opened.journal.read((journal) => readChunks(journal, segment, offset, length)),
    )
  }

  async truncate(segment: number, bytes: number): Promise<void> {
    const opened = this.#whileOpen('truncate')
    if (this.#sizeOf(opened, segment) <= bytes) return
    await this.#explain(`could not cut segment ${segment} to ${bytes} bytes`, () =>
      opened.journal.rewrite(this.#strictness, (journal) => cutChunks(journal, segment, bytes)),
    )
    opened.sizes.set(segment, bytes)
  }

  async remove(segment: number): Promise<void> {
    const opened = this.#whileOpen('remove')
    this.#sizeOf(opened, segment)
    await this.#explain(`could not remove segment ${segment}`, () =>
      opened.journal.discard(this.#strictness, (journal) => removeChunks(journal, segment)),
    )
    opened.sizes.delete(segment)
  }

  async close(): Promise<void> {
    const opened = this.#opened
    if (opened === undefined) return
    this.#opened = undefined
    await opened.appending?.catch(() => {})
    await Promise.all([opened.ballast.settled(), opened.reserve.settled()])
    opened.journal.close()
    await opened.ownership.release()
  }

  async openReader(): Promise<StorageReader> {
    this.#checkSupported()
    return this.#explain('could not be looked at', () => openSnapshot(this.#name, this.#what))
  }

  [SHARE](): Sharing | undefined {
    if (this.#surroundings === undefined) return undefined
    return sharingOf(this.#name, this.#surroundings, this.#promise, {
      granted: (hold) => (this.#granted = hold),
      inbox: () => this.#whileOpen('owned').inbox,
    })
  }

  async #own(onLost: () => void): Promise<Ownership | undefined> {
    const granted = this.#granted
    if (granted === undefined) return own(this.#name, this.#locks, onLost)
    this.#granted = undefined
    return owned(this.#name, granted)
  }

  async #openJournal(ownership: Ownership, onLost: (why: string) => void): Promise<Opened> {
    const database = await connect(this.#name, onLost)
    try {
      // A claim would fence the next owner off.
      if (!ownership.isHeld) throw this.#failed('could not be opened', 'another tab took the lock')
      const journal = await ownJournal(database, this.#name, ownership.since)
      const reserve = quotaReserve(this.#name)
      const ballast = new Ballast(database, journal)
      await Promise.all([this.#promise.ask(), reserve.check(), ballast.take()])
      const sizes = new Map(journal.segments.map(({ segment, bytes }) => [segment, bytes]))
      const inbox = ownedInbox(database, this.#name, journal)
      return { ownership, journal, reserve, ballast, inbox, sizes, appending: undefined, failure: undefined }
    } catch (error) {
      database.close()
      throw error
    }
  }

  async #append(opened: Opened, segment: number, bytes: Uint8Array): Promise<void> {
    const begin = opened.sizes.get(segment)
    const end = (begin ?? 0) + bytes.byteLength
    // A segment that says that the one before it is stable must not be on the disk without it.
    const strictness = begin === undefined ? 'strict' : this.#strictness
    const write = (): Promise<void> => opened.journal.write(strictness, (journal) => addChunk(journal, segment, end, bytes))
    if (end !== begin) {
      await write().catch(async (error: unknown) => {
        if (!isQuotaError(error) || !(await opened.ballast.makeRoom(bytes.byteLength))) throw error
        await write()
      })
    }
    opened.sizes.set(segment, end)
    opened.reserve.took(bytes.byteLength)
  }

  #whileOpen(call: string): Opened {
    if (this.#opened === undefined) throw notOpen(this.#what, call)
    return this.#opened
  }

  #sizeOf(opened: Opened, segment: number): number {
    const bytes = opened.sizes.get(segment)
    if (bytes === undefined) throw missingSegment(this.#what, segment)
    return bytes
  }

  #checkSupported(): void {
    if (globalThis.indexedDB !== undefined) return
    throw new AckboxError('ERR_UNSUPPORTED', `${this.#what}: this place has no IndexedDB`)
  }

  #locked(): AckboxError<'ERR_LOCKED'> {
    const message = `${this.#what}: another tab or worker of this site has it open`
    return new AckboxError('ERR_LOCKED', message, { details: { sameProcess: false } })
  }

  async #explain<T>(what: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      throw AckboxError.is(error) ? error : this.#failed(what, error)
    }
  }

  #failed(what: string, cause: unknown): AckboxError<'ERR_STORAGE_FAILED'> {
    const why = typeof cause === 'string' ? cause : messageOf(cause)
    return new AckboxError('ERR_STORAGE_FAILED', `${this.#what}: ${what}: ${why}`, { cause })
  }
}
