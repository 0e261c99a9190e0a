/**
 * The database of a box: its stores, and how it is opened.
 *
 * | store | key | value |
 * |---|---|---|
 * | `journal` | `[segment, end]`: where the chunk ends in its segment, in bytes | the bytes of one append |
 * | `owner` | `'owner'` | who owns the journal: an `OwnerRow` |
 * | `owner` | the number of an epoch that is over | who came next: the fence against its owner |
 * | `reserve` | `'ballast'` | bytes without a meaning: room for settlements |
 * | `inbox` | counted up | what tabs that do not own the journal leave for the one that does |
 * | `inbox` | the same, below 0 | what the owner could not read of that, and set aside |
 */

import { type DBSchema, type IDBPDatabase, type IDBPObjectStore, openDB, type OpenDBCallbacks } from 'idb'

import { messageOf } from '../../error-info.js'
import { AckboxError } from '../../errors.js'
import { denied } from './denied.js'

/** What the database looks like. */
export interface Schema extends DBSchema {
  journal: { key: [segment: number, end: number]; value: Uint8Array }
  owner: { key: string | number; value: OwnerRow }
  inbox: { key: number; value: InboxRow }
  reserve: { key: string; value: Uint8Array }
}

/** Who owns the journal. Each owner counts up: a transaction that meets another epoch than its own does nothing. */
export interface OwnerRow {
  readonly epoch: number
  /** Since when, in milliseconds since 1970. */
  readonly since: number
}

/** What a tab left for the owner. */
export interface InboxRow {
  readonly row: unknown
  /** It is the owner's: who left it does not take it back any more. */
  readonly claimed?: true
}

/** The key of the owner in the store `owner`. */
export const OWNER = 'owner'
/** The one key of the store `reserve`. */
export const BALLAST = 'ballast'

export type Database = IDBPDatabase<Schema>

type StoreOf<Name extends 'journal' | 'owner', Mode extends IDBTransactionMode> = IDBPObjectStore<
  Schema,
  ('journal' | 'owner')[],
  Name,
  Mode
>
/** The store `journal` in a transaction. */
export type Journal<Mode extends IDBTransactionMode = 'readwrite'> = StoreOf<'journal', Mode>
/** The store `owner` in a transaction. */
export type Owner<Mode extends IDBTransactionMode = 'readwrite'> = StoreOf<'owner', Mode>

/** The stores that every transaction on the journal covers. */
export const JOURNAL_STORES: ('journal' | 'owner')[] = ['owner', 'journal']

/** Counts up with every change of the stores. */
const VERSION = 1
const STORES = ['inbox', 'journal', 'owner', 'reserve'] as const

/** Whoever has the database open is told when it cannot stay open; it is closed by then. */
export type Closed = (why: string) => void

/** Opens the database, which is made if there is none. */
export async function connect(name: string, onClosed: Closed): Promise<Database> {
  return (await attempt(name, onClosed, true)) as Database
}

/** Opens the database if there is one. */
export async function connectToExisting(name: string, onClosed: Closed): Promise<Database | undefined> {
  return attempt(name, onClosed, false)
}

async function attempt(name: string, onClosed: Closed, mayCreate: boolean): Promise<Database | undefined> {
  let isAbsent = false
  let refused: AckboxError | undefined
  let refuse: (error: AckboxError) => void = () => {}
  const blocked = new Promise<never>((_, reject) => (refuse = reject))
  const callbacks: OpenDBCallbacks<Schema> = {
    upgrade(database, oldVersion, _newVersion, transaction) {
      isAbsent = oldVersion === 0
      if (!isAbsent || mayCreate) return createStores(database)
      transaction.done.catch(() => {})
      transaction.abort()
    },
    blocked() {
      refuse((refused = lockedByOlder(name)))
    },
    // Whoever wants to delete or change the database waits until it is closed everywhere.
    blocking(_currentVersion, blockedVersion, event) {
      ;(event.target as IDBDatabase).close()
      onClosed(blockedVersion === null ? 'the database was deleted' : 'a newer version of ackbox changed the database')
    },
    terminated() {
      onClosed('the browser closed the database (site data were cleared, or are damaged)')
    },
  }
  try {
    const opening = openDB(name, VERSION, callbacks)
    // An opening that was given up may still succeed.
    void opening.then((database) => (refused === undefined ? undefined : database.close())).catch(() => {})
    const database = await Promise.race([opening, blocked])
    checkStores(database, name)
    return database
  } catch (error) {
    if (isAbsent && !mayCreate) return undefined
    throw AckboxError.is(error) ? error : refusalOf(name, error)
  }
}

function createStores(database: Database): void {
  database.createObjectStore('journal')
  database.createObjectStore('owner')
  database.createObjectStore('reserve')
  database.createObjectStore('inbox', { autoIncrement: true })
}

/** A database of this name may be somebody else's. */
function checkStores(database: Database, name: string): void {
  if (STORES.every((store) => database.objectStoreNames.contains(store))) return
  const found = [...database.objectStoreNames].join(', ') || 'none'
  database.close()
  const message = `database '${name}': expected the stores ${STORES.join(', ')}, found ${found}: another program uses this name`
  throw new AckboxError('ERR_STORAGE_FAILED', message)
}

function lockedByOlder(name: string): AckboxError<'ERR_LOCKED'> {
  const message = `database '${name}': another tab holds it open in an older version and does not let go; close that tab`
  return new AckboxError('ERR_LOCKED', message, { details: { sameProcess: false } })
}

function refusalOf(name: string, cause: unknown): AckboxError {
  switch (cause instanceof Error || cause instanceof DOMException ? cause.name : '') {
    case 'VersionError': {
      const message = `database '${name}': a newer version of ackbox made it; load the page again to get that version`
      return new AckboxError('ERR_NEWER_FORMAT', message, { cause })
    }
    case 'QuotaExceededError':
      return new AckboxError('ERR_STORAGE_FULL', `database '${name}': no room to make it: ${messageOf(cause)}`, { cause })
    case 'SecurityError':
    case 'InvalidStateError':
      return denied(name, cause)
    default:
      return new AckboxError('ERR_STORAGE_FAILED', `database '${name}': cannot be opened: ${messageOf(cause)}`, { cause })
  }
}
