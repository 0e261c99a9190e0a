/**
 * The storage contract: what a host does to persist the embedded engine.
 *
 * A storage keeps numbered segments of opaque bytes. It knows nothing of what is in them, and every storage holds
 * the same bytes: a journal can be copied from one to another. `storageSuite` of `ackbox/testing` checks an
 * implementation against everything that is said here.
 *
 * The engine keeps to these rules, so that an implementation may rely on them:
 * - `open` comes first, `close` last; after `close`, `open` may come again. Who failed to open does not close.
 * - One `append` at a time: the next begins after the promise of the one before has settled. Reads and removals
 *   of other segments may run beside it.
 * - Appends go to the segment with the highest number. A number that was never seen begins a new segment; numbers
 *   are whole, from 1, and only grow.
 * - `truncate` comes before the first `append`. The oldest segments are removed, or right after `open` the youngest.
 */

/** What bytes survive once `append` resolved: a power cut, a crash of the process, or neither. */
export type Durability = 'power-loss' | 'process-crash' | 'none'

/** How much room there is in all, and how much of it is free, in bytes. */
export interface Room {
  readonly bytes: number
  readonly freeBytes: number
}

/** A segment that exists. */
export interface SegmentInfo {
  /** Its number. */
  segment: number
  /** How many bytes it holds. */
  bytes: number
}

/** Host callbacks that keep the bytes of a journal. */
export interface Storage {
  /** The promise that `append` makes. */
  readonly durability: Durability

  /**
   * True while the space left is a reserve: new messages are refused with `ERR_STORAGE_FULL`, settlements and
   * cleaning go on. Read before every enqueue, so it must be cheap. Absent: never.
   */
  readonly full?: boolean

  /** How much room there is, as far as that is known: told to those whose messages are refused for lack of it. */
  readonly room?: Room | undefined

  /**
   * Whether the platform promised to keep the bytes until somebody removes them: browsers may evict what a site stores.
   * Absent where that is no question.
   */
  readonly persisted?: boolean | undefined

  /**
   * Takes exclusive ownership and lists the segments, oldest first. Rejects with `ERR_LOCKED` while another owner
   * has it, in this process or in any other. Changes no segment.
   */
  open(): Promise<SegmentInfo[]>

  /**
   * Adds bytes at the end of a segment; resolves when they are durable as promised. The bytes stay unchanged until
   * the promise settles, and not longer: a storage that keeps them copies them.
   *
   * A rejection is final: nothing is appended any more before the storage was closed and opened again, and what
   * the failed append left behind may be any part of its bytes. The one exception is an error with `clean: true`
   * (see `CleanFailure`).
   */
  append(segment: number, bytes: Uint8Array): Promise<void>

  /** Exactly `length` bytes from `offset`, as a copy that belongs to the caller. Rejects if there are not as many. */
  read(segment: number, offset: number, length: number): Promise<Uint8Array>

  /** Cuts a segment to its first `bytes` bytes; durable as promised when it resolves. */
  truncate(segment: number, bytes: number): Promise<void>

  /** Removes a segment: nothing in it is live. */
  remove(segment: number): Promise<void>

  /** Waits for what is under way and gives up ownership. Idempotent. */
  close(): Promise<void>

  /**
   * Optional: looks at the segments as they are now, without ownership, beside an owner in this process or any other.
   * Takes no lock and changes nothing. Needed for `open` with `readOnly`. Works whether or not `open` was called, and
   * neither disturbs nor is ended by `close`.
   */
  openReader?(): Promise<StorageReader>
}

/** Segments as they were at one moment, while their owner goes on. */
export interface StorageReader {
  /**
   * What there was, oldest first. The last one may end in the middle of an append. What is listed can be read until the
   * reader is closed, whatever the owner removes.
   */
  readonly segments: readonly SegmentInfo[]
  /** Like that of the storage, of what is listed. */
  read(segment: number, offset: number, length: number): Promise<Uint8Array>
  /** Idempotent. */
  close(): Promise<void>
}

/**
 * An append that rejects with such an error wrote nothing at all (a transaction that was aborted for lack of
 * quota, say): the storage lives, and messages of this append are refused with `ERR_STORAGE_FULL`. Settlements are tried
 * again at once, and should find room in a reserve: if they alone find none, the box ends. Everything else waits for room,
 * with a `warning`, and is tried again with the next enqueue or settlement and once a second: no delivery begins, and a
 * pause, a purge or another change resolves when it was written. So does a transaction that settles and enqueues, and
 * what `message.enqueue` sends with an `ack`; settlements in one append with those wait with them. The box ends too if such
 * a transaction got a duplicate of a message that is refused in the same append.
 */
export interface CleanFailure extends Error {
  readonly clean: true
}

/** True for the rejection of an append that wrote nothing. */
export function isCleanFailure(error: unknown): error is CleanFailure {
  return typeof error === 'object' && error !== null && 'clean' in error && error.clean === true
}

/** Messages between those who share a storage. What one sends, all others get. */
export interface Channel {
  send(message: unknown): void
  /** Nothing comes any more. Idempotent. */
  close(): void
}

/** What others leave for the owner of a storage; keys only grow. */
export interface SharedInbox {
  /** Keeps these; gives their keys. They are on the disk when it resolves; a rejection for lack of room has `clean: true`. */
  add(rows: readonly unknown[]): Promise<number[]>
  /**
   * Takes one back that the owner of this epoch has refused: false if it is not there any more, is the owner's by now, or if
   * somebody else owns the storage, who may accept it.
   */
  takeBack(key: number, epoch: number): Promise<boolean>
  close(): void
}

/**
 * The inbox as its owner sees it; every call rejects if somebody else owns the storage by now. What finds no room rejects with
 * `clean: true`.
 */
export interface OwnedInbox {
  /** Counts up with each owner. */
  readonly epoch: number
  /**
   * Removes all up to a key, and makes sure that others leave nothing under those any more: the key is of the journal, which
   * may have been copied here from where keys had come further.
   */
  begin(moved: number): Promise<void>
  /** Some rows behind a key, in their order. */
  rows(after: number): Promise<{ readonly key: number; readonly row: unknown }[]>
  /** Makes a row the owner's: nobody takes it back any more. False if it is not there. */
  claim(key: number): Promise<boolean>
  /** Removes all up to a key. */
  remove(upTo: number): Promise<void>
  /** Keeps what is under a key where nobody sees it. */
  setAside(key: number): Promise<void>
}

/** Who owns a storage that several may share. */
export interface StorageOwner {
  /** A name for the tab or worker; `undefined` if there is none, or the browser does not say. */
  readonly client: string | undefined
  /** It shares with nobody. */
  readonly isExclusive: boolean
}

/** How those who share a storage find each other, and decide who owns it. */
export interface Sharing {
  channel(onMessage: (message: unknown) => void): Channel
  /**
   * Waits in turn for the ownership, or takes it away from its owner. From then on `open` of the storage succeeds, and its
   * `close` gives the ownership up. `onLost` is called if it is taken away.
   */
  own(options: { readonly steal: boolean; readonly signal: AbortSignal; readonly onLost: () => void }): Promise<void>
  /** Who owns it now. */
  owner(): Promise<StorageOwner>
  /** Tells that this one lives, until what it gives is called or the tab ends, however it ends. */
  live(who: string): Promise<() => void>
  /** Resolves when somebody who lived does not any more. */
  gone(who: string, signal: AbortSignal): Promise<void>
  /** `onClosed` is called if the browser takes it away. */
  connect(onClosed: (why: string) => void): Promise<SharedInbox>
  /** What the browser promised; `undefined` while it has not answered. */
  readonly persisted: boolean | undefined
  /** Of an owner whose storage is open. */
  owned(): OwnedInbox
}

/** Errors that say that somebody else owns the storage by now. */
const fenced = new WeakSet<object>()

/** Marks such an error. */
export function markFenced<E extends Error>(error: E): E {
  fenced.add(error)
  return error
}

/** Whether an error, or what caused it, says that somebody else owns the storage by now. */
export function isFenced(error: unknown): boolean {
  for (let at = error; typeof at === 'object' && at !== null; at = (at as { cause?: unknown }).cause) {
    if (fenced.has(at)) return true
  }
  return false
}

/** Under this key a storage that several may share says how; `undefined` where the platform has not what it needs. */
export const SHARE: unique symbol = Symbol.for('ackbox.share') as never

/** A storage that several may share. */
export interface Shareable {
  [SHARE](): Sharing | undefined
}

/** The operating system's exclusive lock on a file, held until it is released or the process ends. */
export interface FileLock {
  release(): void
}

/** Tries to lock a file that exists exclusively; null if another holder has it. The native engine brings one. */
export type LockFile = (path: string) => FileLock | null

/**
 * Under this key a storage that has files accepts the lock of the operating system, if the engine that runs it has
 * one. Called before `open`.
 */
export const USE_FILE_LOCK: unique symbol = Symbol.for('ackbox.use-file-lock') as never

/** A storage that accepts the operating system's lock. */
export interface FileLocking {
  [USE_FILE_LOCK](lockFile: LockFile): void
}
