/** The storage in an IndexedDB database keeps the contract: in Node over an IndexedDB in memory, in browsers over theirs. */
import { open } from 'ackbox'
import { indexedDbStorage } from 'ackbox/indexeddb'
import { storageSuite } from 'ackbox/testing'
import { describe, expect, onTestFinished, test } from 'vitest'

import { refusal } from '../support/errors.ts'
import { answerOf, byHand, deleteDatabase, freshName, openByHand, storageOn } from '../support/indexed-db.ts'

const BYTES = Uint8Array.from({ length: 100 }, (_, index) => index)

for (const durability of ['strict', 'relaxed'] as const) {
  describe(`indexedDbStorage, ${durability} [A8 indexedDbStorage]`, () => {
    const names = new WeakMap<object, string>()
    const storageNamed = (name: string) => {
      const storage = storageOn(name, { durability })
      names.set(storage, name)
      return storage
    }
    storageSuite({
      test,
      create: () => storageNamed(freshName()),
      reopen: (storage) => storageNamed(names.get(storage)!),
    })
  })
}

describe('what it promises [A8 indexedDbStorage]', () => {
  test('strict outlives a power cut, relaxed a crash', () => {
    expect(indexedDbStorage({ name: 'a' }).durability).toBe('power-loss')
    expect(indexedDbStorage({ name: 'a', durability: 'strict' }).durability).toBe('power-loss')
    expect(indexedDbStorage({ name: 'a', durability: 'relaxed' }).durability).toBe('process-crash')
  })

  test.each([
    [{}, /name of a database, got undefined/],
    [{ name: '' }, /name of a database, got ''/],
    [{ name: 'a', durability: 'power-loss' }, /durability to be one of 'strict', 'relaxed'|durability.*'strict'/],
    [{ name: 'a', persist: 'yes' }, /persist/],
    [{ name: 'a', nmae: 1 }, /unknown option 'nmae'/],
  ])('refuses %j', (options, message) => {
    expect(() => indexedDbStorage(options as never)).toThrow(message)
  })

  test('every transaction is asked for what was promised; the first of a segment is strict', async () => {
    const asked: unknown[] = []
    const { transaction } = IDBDatabase.prototype
    IDBDatabase.prototype.transaction = function (stores, mode, options) {
      if (mode === 'readwrite' && String(stores).includes('journal')) asked.push(options?.durability)
      return transaction.call(this, stores, mode, options)
    }
    onTestFinished(() => void (IDBDatabase.prototype.transaction = transaction))
    for (const durability of ['strict', 'relaxed'] as const) {
      const storage = storageOn(freshName(), { durability })
      await storage.open()
      for (const segment of [1, 1, 2, 2]) await storage.append(segment, BYTES)
      await storage.close()
    }
    const opening = 'strict'
    expect(asked).toEqual([
      ...[opening, 'strict', 'strict', 'strict', 'strict'],
      ...[opening, 'strict', 'relaxed', 'strict', 'relaxed'],
    ])
  })

  test('one append is one transaction', async () => {
    const storage = storageOn(freshName())
    await storage.open()
    let transactions = 0
    const { transaction } = IDBDatabase.prototype
    IDBDatabase.prototype.transaction = function (...given) {
      transactions++
      return transaction.apply(this, given)
    }
    onTestFinished(() => void (IDBDatabase.prototype.transaction = transaction))
    await storage.append(1, BYTES)
    expect(transactions).toBe(1)
  })
})

describe('what is read [A8 indexedDbStorage]', () => {
  test('any part of many appends', async () => {
    const storage = storageOn(freshName())
    await storage.open()
    const lengths = [1, 7, 3, 20, 1, 1, 5]
    const whole = BYTES.subarray(0, lengths.reduce((sum, length) => sum + length))
    let at = 0
    for (const length of lengths) await storage.append(1, whole.subarray(at, (at += length)))
    for (let from = 0; from <= whole.length; from++) {
      for (let to = from; to <= whole.length; to++) {
        expect(await storage.read(1, from, to - from)).toEqual(whole.slice(from, to))
      }
    }
  })

  test.each([0, 1, 8, 10, 11, 29, 30])('what is left of three appends of ten bytes after a cut to %i', async (bytes) => {
    const name = freshName()
    const storage = storageOn(name)
    await storage.open()
    for (const begin of [0, 10, 20]) await storage.append(1, BYTES.subarray(begin, begin + 10))
    await storage.truncate(1, bytes)
    expect(await storage.read(1, 0, bytes)).toEqual(BYTES.slice(0, bytes))
    await storage.append(1, BYTES.subarray(90))
    await storage.close()
    expect(await storage.open()).toEqual([{ segment: 1, bytes: bytes + 10 }])
    expect(await storage.read(1, bytes, 10)).toEqual(BYTES.slice(90))
  })

  test('a segment that was cut to nothing is there, and empty', async () => {
    const storage = storageOn(freshName())
    await storage.open()
    await storage.append(3, BYTES)
    await storage.truncate(3, 0)
    await storage.close()
    expect(await storage.open()).toEqual([{ segment: 3, bytes: 0 }])
  })

  test('a gap in the rows is an error, and no other bytes', async () => {
    const name = freshName()
    const storage = storageOn(name)
    await storage.open()
    for (const begin of [0, 10, 20]) await storage.append(1, BYTES.subarray(begin, begin + 10))
    await storage.close()
    await byHand(name, 'journal', (journal) => journal.delete([1, 20]))
    await storage.open()
    const error = await refusal(storage.read(1, 0, 30), 'ERR_STORAGE_FAILED')
    expect(error.message).toMatch(/could not read segment 1: expected a chunk of segment 1 at 10, found 20 to 30/)
  })
})

describe('who owns it [A8 indexedDbStorage]', () => {
  test('a second box is told since when this page has it', async () => {
    const name = freshName()
    await storageOn(name).open()
    const error = await refusal(storageOn(name).open(), 'ERR_LOCKED', /open in this process since/)
    expect(error.details).toMatchObject({ since: expect.any(Number), sameProcess: true })
  })

  test('an owner whose epoch is over writes nothing, and says why', async () => {
    const name = freshName()
    const storage = storageOn(name)
    await storage.open()
    await storage.append(1, BYTES)
    // What the next owner does, after a lock that was taken away while the tab was frozen.
    const next = { epoch: 2, since: 0 }
    await byHand(name, 'owner', (owner) => void [owner.put(next, 'owner'), owner.put(next, 1)])
    for (let attempt = 0; attempt < 2; attempt++) {
      await refusal(storage.append(1, BYTES), 'ERR_STORAGE_FAILED', /another tab owns it by now; nothing was written/)
    }
    await refusal(storage.truncate(1, 5), 'ERR_STORAGE_FAILED', /another tab owns it by now; nothing was written/)
    await refusal(storage.remove(1), 'ERR_STORAGE_FAILED', /another tab owns it by now; nothing was written/)
    await storage.close()
    expect(await storage.open()).toEqual([{ segment: 1, bytes: 100 }])
  })

  test('each opening begins an epoch', async () => {
    const name = freshName()
    const epochs: number[] = []
    for (let round = 0; round < 3; round++) {
      const storage = storageOn(name)
      await storage.open()
      await storage.close()
      const database = await openByHand(name)
      epochs.push((await answerOf<{ epoch: number }>(database.transaction('owner').objectStore('owner').get('owner'))).epoch)
      database.close()
    }
    expect(epochs).toEqual([1, 2, 3])
  })
})

describe('no room at all [A8 indexedDbStorage, S21]', () => {
  /** Nothing can be put into the stores that an opening writes to, until the returned function is called. */
  function fillUp(): () => void {
    const { put } = IDBObjectStore.prototype
    IDBObjectStore.prototype.put = function (...given) {
      if (this.name === 'owner' || this.name === 'reserve') throw new DOMException('full', 'QuotaExceededError')
      return put.apply(this, given)
    }
    const empty = (): void => void (IDBObjectStore.prototype.put = put)
    onTestFinished(empty)
    return empty
  }

  async function withBytes(): Promise<string> {
    const name = freshName()
    const storage = storageOn(name)
    await storage.open()
    await storage.append(1, BYTES)
    await storage.close()
    return name
  }

  const epochOf = async (name: string): Promise<number> => {
    const database = await openByHand(name)
    const { epoch } = await answerOf<{ epoch: number }>(database.transaction('owner').objectStore('owner').get('owner'))
    database.close()
    return epoch
  }

  test('opens all the same, refuses new messages, and becomes the owner when it writes', async () => {
    const name = await withBytes()
    const empty = fillUp()
    const storage = storageOn(name)
    expect(await storage.open()).toEqual([{ segment: 1, bytes: 100 }])
    expect(await epochOf(name)).toBe(1)
    empty()
    await storage.append(1, BYTES)
    expect(await epochOf(name)).toBe(2)
    await storage.append(1, BYTES)
    expect(await storage.read(1, 200, 100)).toEqual(BYTES)
  })

  test('writes nothing if the owner before wrote on meanwhile', async () => {
    const name = await withBytes()
    const empty = fillUp()
    const storage = storageOn(name)
    await storage.open()
    empty()
    await byHand(name, 'journal', (journal) => journal.add(BYTES, [1, 200]))
    await refusal(storage.append(1, BYTES), 'ERR_STORAGE_FAILED', /another tab owns it by now; nothing was written/)
    await storage.close()
    expect(await storage.open()).toEqual([{ segment: 1, bytes: 200 }])
  })

  test('an append without room is clean: the next one goes on where it was', async () => {
    const storage = storageOn(freshName())
    await storage.open()
    await storage.append(1, BYTES)
    const { add } = IDBObjectStore.prototype
    onTestFinished(() => void (IDBObjectStore.prototype.add = add))
    IDBObjectStore.prototype.add = () => {
      throw new DOMException('full', 'QuotaExceededError')
    }
    const error = await refusal(storage.append(1, BYTES), 'ERR_STORAGE_FULL', /no room for 100 bytes/)
    expect(error).toMatchObject({ clean: true })
    expect(storage.full).toBe(true)
    IDBObjectStore.prototype.add = add
    await storage.append(1, BYTES)
    await storage.close()
    expect(await storage.open()).toEqual([{ segment: 1, bytes: 200 }])
  })
})

describe('bad luck [A8 indexedDbStorage]', () => {
  test('deleted while it is open: the deletion goes on, the box ends and says why', async () => {
    const name = freshName()
    const box = await open(indexedDbStorage({ name }))
    const queue = box.queue('jobs')
    await queue.enqueue(1, { id: 'a' })
    await deleteDatabase(name)
    await refusal(queue.enqueue(2, { id: 'b' }), 'ERR_STORAGE_FAILED', /./)
    const ended = await refusal(box.closed, 'ERR_STORAGE_FAILED')
    expect(String((ended.cause as Error | undefined)?.message ?? ended.message)).toMatch(/the database was deleted/)
    await box.close().catch(() => {})
    const again = await open(storageOn(name))
    onTestFinished(() => again.close().then(() => {}))
    expect(await again.queues()).toEqual([])
  })

  test('a newer version in another tab goes ahead; this one refuses what it does not know', async () => {
    const name = freshName()
    const storage = storageOn(name)
    await storage.open()
    await storage.append(1, BYTES)
    const newer = await openByHand(name, 1000)
    await refusal(storage.append(1, BYTES), 'ERR_STORAGE_FAILED', /a newer version of ackbox changed the database/)
    await storage.close()
    await refusal(storage.open(), 'ERR_NEWER_FORMAT', /a newer version of ackbox made it/)
    newer.close()
  })

  test('a tab of an older version that does not let go is named, and once it is closed the storage opens', async () => {
    const name = freshName()
    const older = await openByHand(name, 1)
    // As the next version of the package opens it.
    const { open: openAt } = IDBFactory.prototype
    IDBFactory.prototype.open = function (this: IDBFactory, at: string) {
      return openAt.call(this, at, 2)
    }
    onTestFinished(() => void (IDBFactory.prototype.open = openAt))
    const storage = storageOn(name)
    await refusal(storage.open(), 'ERR_LOCKED', /another tab holds it open in an older version and does not let go; close that tab/)
    older.close()
    expect(await storage.open()).toEqual([])
    await storage.append(1, BYTES)
  })

  test('a database of another program is left alone', async () => {
    const name = freshName()
    const database = await openByHand(name, 1, (made) => made.createObjectStore('customers'))
    database.close()
    await refusal(storageOn(name).open(), 'ERR_STORAGE_FAILED', /expected the stores inbox, journal, owner, reserve, found customers/)
  })

  test('IndexedDB that is denied is an error that says so', async () => {
    const { open: allowed } = IDBFactory.prototype
    IDBFactory.prototype.open = () => {
      throw new DOMException('The user denied permission', 'SecurityError')
    }
    onTestFinished(() => void (IDBFactory.prototype.open = allowed))
    const storage = indexedDbStorage({ name: freshName() })
    await refusal(storage.open(), 'ERR_STORAGE_FAILED', /the browser denies IndexedDB here .*: The user denied permission/)
    await refusal(open(storage), 'ERR_STORAGE_FAILED', /the browser denies IndexedDB here/)
  })

  test('looking at a database that does not exist makes none', async () => {
    const name = freshName()
    await refusal(open(indexedDbStorage({ name }), { readOnly: true }), 'ERR_NOT_FOUND')
    expect((await indexedDB.databases()).map((database) => database.name)).not.toContain(name)
  })
})
