/**
 * The inbox: what tabs that do not own the journal leave for the one that does, each row under a key that counts up. Rows
 * are written in strict transactions, so what was left survives what the journal survives. The owner makes sure in every
 * transaction of its own that it is the owner, as it does for the journal.
 *
 * What is known when a transaction begins is committed at once, so that a tab that is frozen then holds nobody up.
 */

import type { OwnedInbox, SharedInbox } from '../storage.js'
import { type Database, OWNER } from './database.js'
import type { OwnedJournal } from './owned-journal.js'
import { isQuotaError, noRoom } from './room.js'

/** Rows that an owner reads at once. */
const ROWS_AT_ONCE = 128
/** What is told of the room that a row needed, where nobody measured it. */
const UNKNOWN_BYTES = 0

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
export function ownedInbox(database: Database, journal: OwnedJournal): OwnedInbox {
  return {
    epoch: journal.epoch,

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

    async claim(key) {
      const transaction = database.transaction(['owner', 'inbox'], 'readwrite', { durability: 'strict' })
      return settled(transaction, async () => {
        const inbox = transaction.objectStore('inbox')
        const [found] = await Promise.all([inbox.get(key), journal.check(transaction.objectStore('owner'))])
        if (found === undefined) return false
        await inbox.put({ ...found, claimed: true }, key)
        return true
      })
    },

    async remove(upTo) {
      // The journal says that they were moved: that they are gone may be forgotten.
      const transaction = database.transaction(['owner', 'inbox'], 'readwrite', { durability: 'relaxed' })
      await settled(transaction, async () => {
        const asked = [
          journal.pass(transaction.objectStore('owner')),
          transaction.objectStore('inbox').delete(IDBKeyRange.upperBound(upTo)),
        ]
        transaction.commit()
        await Promise.all(asked)
      })
    },
  }
}

/** Does all of it or nothing; resolves when the transaction is complete. */
async function settled<T>(transaction: { readonly done: Promise<void>; abort(): void }, work: () => Promise<T>): Promise<T> {
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
    await done
    throw error
  }
}
