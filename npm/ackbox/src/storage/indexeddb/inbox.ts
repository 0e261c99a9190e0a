/**
 * The inbox: what tabs that do not own the journal leave for the one that does, each row under a key that counts up. Rows
 * are written in strict transactions, so what was left survives what the journal survives. The owner makes sure in every
 * transaction of its own that it is the owner, as it does for the journal.
 *
 * What is known when a transaction begins is committed at once, so that a tab that is frozen then holds nobody up.
 */

import type { IDBPObjectStore } from 'idb'

import { isCleanFailure, type OwnedInbox, type SharedInbox } from '../storage.js'
import { type Database, OWNER, type Schema } from './database.js'
import type { OwnedJournal } from './owned-journal.js'
import { isQuotaError, noRoom } from './room.js'

/** Rows that an owner reads at once. */
const ROWS_AT_ONCE = 128
/** What is told of the room that a row needed, where nobody measured it. */
const UNKNOWN_BYTES = 0

/** The store in a transaction of its owner. */
type Inbox = IDBPObjectStore<Schema, ('owner' | 'inbox')[], 'inbox', 'readwrite'>

/** The inbox for everybody. The connection is its own. */
export function sharedInbox(database: Database, name: string): SharedInbox {
  return {
    async add(rows) {
      try {
        const transaction = database.transaction('inbox', 'readwrite', { durability: 'strict' })
        const keys = rows.map((row) => transaction.store.add({ row }))
        transaction.commit()
        const [added] = await Promise.all([Promise.all(keys), transaction.done])
        return added
      } catch (error) {
        throw isQuotaError(error) ? await noRoom(name, UNKNOWN_BYTES, error) : error
      }
    },

    async takeBack(key, epoch) {
      const transaction = database.transaction(['owner', 'inbox'], 'readwrite', { durability: 'strict' })
      const inbox = transaction.objectStore('inbox')
      const [owner, found] = await Promise.all([transaction.objectStore('owner').get(OWNER), inbox.get(key)])
      const isFree = owner?.epoch === epoch && found !== undefined && found.claimed === undefined
      if (isFree) await inbox.delete(key)
      await transaction.done
      return isFree
    },

    close: () => database.close(),
  }
}

/** The inbox for the owner. */
export function ownedInbox(database: Database, name: string, journal: OwnedJournal): OwnedInbox {
  const begin = (durability: 'strict' | 'relaxed') => database.transaction(['owner', 'inbox'], 'readwrite', { durability })

  /** What is asked for in one go. */
  const ask = async (durability: 'strict' | 'relaxed', work: (inbox: Inbox) => readonly Promise<unknown>[]): Promise<void> => {
    const transaction = begin(durability)
    await settled(transaction, name, async () => {
      const asked = [journal.pass(transaction.objectStore('owner')), ...work(transaction.objectStore('inbox'))]
      transaction.commit()
      await Promise.all(asked)
    })
  }

  /** The same for what looks before it writes. */
  const look = async <T>(durability: 'strict' | 'relaxed', work: (inbox: Inbox) => Promise<T>): Promise<T> => {
    const transaction = begin(durability)
    return settled(transaction, name, async () => {
      await journal.check(transaction.objectStore('owner'))
      return work(transaction.objectStore('inbox'))
    })
  }

  return {
    epoch: journal.epoch,

    // A key that is put by hand is one that is counted on from.
    begin: (moved) => ask('strict', (inbox) => [inbox.put({ row: null }, moved), inbox.delete(upTo(moved))]),

    async rows(after) {
      const transaction = database.transaction(['owner', 'inbox'], 'readonly')
      const inbox = transaction.objectStore('inbox')
      const range = IDBKeyRange.lowerBound(after, true)
      const asked = [inbox.getAllKeys(range, ROWS_AT_ONCE), inbox.getAll(range, ROWS_AT_ONCE)] as const
      const checked = journal.check(transaction.objectStore('owner'))
      transaction.commit()
      const [keys, rows] = await Promise.all([...asked, checked])
      return keys.map((key, index) => ({ key, row: rows[index]!.row }))
    },

    claim: (key) =>
      look('strict', async (inbox) => {
        const found = await inbox.get(key)
        if (found !== undefined && found.claimed === undefined) await inbox.put({ ...found, claimed: true }, key)
        return found !== undefined
      }),

    // The journal says that they were moved: that they are gone may be forgotten.
    async remove(moved) {
      try {
        await ask('relaxed', (inbox) => [inbox.delete(upTo(moved))])
      } catch (error) {
        if (!isCleanFailure(error)) throw error
        // The fence takes room, which is what this makes.
        await look('relaxed', (inbox) => inbox.delete(upTo(moved)))
      }
    },

    setAside: (key) =>
      look('strict', async (inbox) => {
        const found = await inbox.get(key)
        if (found !== undefined) await Promise.all([inbox.put(found, -key), inbox.delete(key)])
      }),
  }
}

/** All keys up to this one; what is set aside is before them. */
function upTo(key: number): IDBKeyRange {
  return IDBKeyRange.bound(0, key)
}

/** Does all of it or nothing; resolves when the transaction is complete. */
async function settled<T>(
  transaction: { readonly done: Promise<void>; abort(): void },
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const done = transaction.done.then(
    () => undefined,
    (error: unknown) => error ?? new Error('the transaction was aborted'),
  )
  try {
    const result = await work()
    const undone = await done
    if (undone !== undefined) throw undone
    return result
  } catch (error) {
    try {
      transaction.abort()
    } catch {
      // It is over already.
    }
    const reason = (await done) ?? error
    throw isQuotaError(error) || isQuotaError(reason) ? await noRoom(name, UNKNOWN_BYTES, error) : error
  }
}
