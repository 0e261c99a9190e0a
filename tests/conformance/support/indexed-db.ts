/** Databases for the cases: those of the browser, or in Node an IndexedDB in memory. */
import '#indexeddb'
import { indexedDbStorage, type IndexedDbStorageOptions } from 'ackbox/indexeddb'
import type { Storage } from 'ackbox'
import { onTestFinished } from 'vitest'

/** The name of a database that is nobody's yet. */
export function freshName(): string {
  return `ackbox-test-${crypto.randomUUID()}`
}

/** A storage over a database of its own name, closed and deleted when the test ends. */
export function storageOn(name: string, options: Omit<IndexedDbStorageOptions, 'name'> = {}): Storage {
  const storage = indexedDbStorage({ name, ...options })
  onTestFinished(async () => {
    await storage.close()
    await deleteDatabase(name)
  })
  return storage
}

/** What an event of a request stands for. */
export function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** Deletes a database; resolves when it is gone, which takes until nobody holds it open. */
export async function deleteDatabase(name: string): Promise<void> {
  await answerOf(indexedDB.deleteDatabase(name))
}

/** Opens a database by hand, as another program or another version would. */
export async function openByHand(name: string, version?: number, upgrade?: (database: IDBDatabase) => void): Promise<IDBDatabase> {
  const request = indexedDB.open(name, version)
  request.onupgradeneeded = () => upgrade?.(request.result)
  const database = await answerOf(request)
  onTestFinished(() => database.close())
  return database
}

/** Does something in a transaction by hand; resolves when it is complete. */
export async function byHand(name: string, store: string, work: (store: IDBObjectStore) => void): Promise<void> {
  const database = await openByHand(name)
  const transaction = database.transaction(store, 'readwrite')
  work(transaction.objectStore(store))
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve
    transaction.onabort = () => reject(transaction.error)
  })
  database.close()
}

/** What is in the inbox of a box, with its keys. */
export async function rowsOf(name: string): Promise<{ readonly key: number; readonly row: unknown }[]> {
  const database = await openByHand(name)
  const inbox = database.transaction('inbox').objectStore('inbox')
  const [keys, rows] = await Promise.all([answerOf(inbox.getAllKeys()), answerOf(inbox.getAll())])
  database.close()
  return keys.map((key, at) => ({ key: key as number, ...rows[at] }))
}

/** Keeps everybody else out of a store, by a transaction that does not end; resolves when it has begun, with what ends it. */
export async function occupy(name: string, store: string): Promise<() => Promise<void>> {
  const database = await openByHand(name)
  const transaction = database.transaction(store, 'readwrite')
  const ended = new Promise((resolve) => (transaction.oncomplete = resolve))
  let isOver = false
  const goOn = (): void => {
    if (!isOver) transaction.objectStore(store).count().onsuccess = goOn
  }
  await new Promise<void>((begun) => {
    transaction.objectStore(store).count().onsuccess = () => {
      begun()
      goOn()
    }
  })
  return async () => {
    isOver = true
    await ended
    database.close()
  }
}
