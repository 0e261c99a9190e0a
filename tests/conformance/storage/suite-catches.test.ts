/** The storage suite is worth its name only if it fails for storages that break the contract. */
import { memoryStorage, type Storage, type StorageReader } from 'ackbox'
import { storageSuite } from 'ackbox/testing'
import { expect, test } from 'vitest'

type Wrap = (storage: Storage) => Partial<Storage>

/** One way to be wrong, and a test of the suite that must notice. */
const WRONG: readonly { what: string; caughtBy: string; wrap: Wrap }[] = [
  {
    what: 'promises something else',
    caughtBy: 'names the durability that it promises',
    wrap: () => ({ durability: 'mostly' as 'none' }),
  },
  {
    what: 'keeps the buffer of an append',
    caughtBy: 'keeps its own copy: the buffer is used again after an append',
    wrap: () => {
      let kept: Uint8Array | undefined
      return {
        append: async (_segment, bytes) => void (kept ??= bytes),
        read: async (_segment, offset, length) => new Uint8Array([...kept!, ...kept!]).slice(offset, offset + length),
      }
    },
  },
  {
    what: 'gives away what it keeps',
    caughtBy: 'gives away copies: what was read belongs to the reader',
    wrap: (storage) => {
      let kept: Uint8Array | undefined
      return {
        read: async (segment, offset, length) => (kept ??= await storage.read(segment, offset, length)),
      }
    },
  },
  {
    what: 'ignores where a view begins',
    caughtBy: 'takes a view into a larger buffer',
    wrap: (storage) => ({
      append: (segment, bytes) => storage.append(segment, new Uint8Array(bytes.buffer, 0, bytes.byteLength)),
    }),
  },
  {
    what: 'reads short',
    caughtBy: 'rejects a read past the end',
    wrap: (storage) => ({
      read: (segment, offset, length) =>
        storage.read(segment, offset, length).catch(() => storage.read(segment, offset, length - 1)),
    }),
  },
  {
    what: 'lists by name',
    caughtBy: 'lists segments by number, oldest first',
    wrap: (storage) => ({
      open: async () => (await storage.open()).sort((a, b) => (String(a.segment) < String(b.segment) ? -1 : 1)),
    }),
  },
  {
    what: 'does not cut',
    caughtBy: 'remembers a cut',
    wrap: () => ({ truncate: async () => {} }),
  },
  {
    what: 'does not remove',
    caughtBy: 'forgets a removed segment, and no other',
    wrap: () => ({ remove: async () => {} }),
  },
  {
    what: 'lets a second owner in',
    caughtBy: 'has one owner at a time',
    wrap: (storage) => ({
      async open() {
        await storage.close()
        return storage.open()
      },
    }),
  },
  {
    what: 'refuses a second owner without saying why',
    caughtBy: 'has one owner at a time',
    wrap: (storage) => ({
      open: () => storage.open().catch(() => Promise.reject(new Error('no'))),
    }),
  },
  {
    what: 'never gives up ownership',
    caughtBy: 'gives up ownership when it is closed',
    wrap: () => ({ close: async () => {} }),
  },
  {
    what: 'forgets when it is closed',
    caughtBy: 'keeps everything over closing and opening',
    wrap: (storage) => ({
      async close() {
        await storage.remove(1).catch(() => {})
        await storage.close()
      },
    }),
  },
  {
    what: 'works without being open',
    caughtBy: 'rejects calls before open and after close',
    wrap: (storage) => {
      const ready = storage.open()
      return {
        open: () => ready,
        close: async () => {},
        append: (segment, bytes) => ready.then(() => storage.append(segment, bytes)),
      }
    },
  },
  {
    what: 'is looked at through its owner',
    caughtBy: 'shows who looks at it what there was, and no more',
    wrap: (storage) => looking(storage, () => ({ read: (...place) => storage.read(...place) })),
  },
  {
    what: 'lists too late who looks at it',
    caughtBy: 'can be looked at beside its owner, who goes on',
    wrap: (storage) => looking(storage, () => ({ segments: [] })),
  },
  {
    what: 'loses for who looks at it what its owner removes',
    caughtBy: 'keeps for who looks at it what its owner removes',
    wrap: (storage) => looking(storage, () => ({ read: (...place) => storage.read(...place) })),
  },
  {
    what: 'is owned by who looks at it',
    caughtBy: 'has no owner because somebody looks at it',
    wrap: (storage) => ({
      async openReader() {
        await storage.open()
        return storage.openReader!()
      },
    }),
  },
]

/** A look at a storage that is wrong in one way. */
function looking(storage: Storage, wrong: (reader: StorageReader) => Partial<StorageReader>): Partial<Storage> {
  return {
    async openReader() {
      const reader = await storage.openReader!()
      const right = {
        segments: reader.segments,
        read: reader.read.bind(reader),
        close: reader.close.bind(reader),
      }
      return { ...right, ...wrong(reader) }
    },
  }
}

function wrapped(wrap: Wrap): Storage {
  const storage = memoryStorage()
  return {
    durability: storage.durability,
    open: () => storage.open(),
    append: (segment, bytes) => storage.append(segment, bytes),
    read: (segment, offset, length) => storage.read(segment, offset, length),
    truncate: (segment, length) => storage.truncate(segment, length),
    remove: (segment) => storage.remove(segment),
    close: () => storage.close(),
    openReader: () => storage.openReader!(),
    ...wrap(storage),
  }
}

async function failures(wrap: Wrap): Promise<string[]> {
  const tests: [name: string, run: () => Promise<void>][] = []
  storageSuite({
    test: (name, run) => tests.push([name, run]),
    create: () => wrapped(wrap),
    reopen: (storage) => storage,
  })
  const failed: string[] = []
  for (const [name, run] of tests) await run().catch(() => failed.push(name))
  return failed
}

test('a storage that is right passes through the wrapper', async () => {
  expect(await failures(() => ({}))).toEqual([])
})

test.each(WRONG)('a storage that $what fails the suite', async ({ caughtBy, wrap }) => {
  expect(await failures(wrap)).toContain(caughtBy)
})
