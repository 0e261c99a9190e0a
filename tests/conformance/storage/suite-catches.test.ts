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
    what: 'holds something from the beginning',
    caughtBy: 'is empty at first',
    wrap: (storage) => ({ open: async () => [{ segment: 7, bytes: 0 }, ...(await storage.open())] }),
  },
  {
    what: 'reads from the beginning, whatever it is asked for',
    caughtBy: 'reads back what was appended, from any offset',
    wrap: (storage) => ({ read: (segment, _offset, length) => storage.read(segment, 0, length) }),
  },
  {
    what: 'fills up to blocks',
    caughtBy: 'appends at the end, whatever the length',
    wrap: (storage) => ({
      append(segment, bytes) {
        const blocks = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4)
        blocks.set(bytes)
        return storage.append(segment, blocks)
      },
    }),
  },
  {
    what: 'takes one mebibyte at most',
    caughtBy: 'takes three mebibytes at once',
    wrap: (storage) => ({ append: (segment, bytes) => storage.append(segment, bytes.subarray(0, 1 << 20)) }),
  },
  {
    what: 'knows only one segment',
    caughtBy: 'keeps segments apart',
    wrap: (storage) => ({
      append: (_segment, bytes) => storage.append(1, bytes),
      read: (_segment, offset, length) => storage.read(1, offset, length),
    }),
  },
  {
    what: 'does not read while it appends',
    caughtBy: 'reads older segments while an append is under way',
    wrap: (storage) => {
      let appending = false
      return {
        async append(segment, bytes) {
          appending = true
          await storage.append(segment, bytes)
          appending = false
        },
        read: (segment, offset, length) =>
          appending ? Promise.reject(new Error('busy')) : storage.read(segment, offset, length),
      }
    },
  },
  {
    what: 'makes up segments',
    caughtBy: 'rejects a read of a segment that does not exist',
    wrap: (storage) => ({
      read: (segment, offset, length) =>
        storage.read(segment, offset, length).catch((error: Error) => {
          if (/to exist/.test(error.message)) return new Uint8Array(length)
          throw error
        }),
    }),
  },
  {
    what: 'begins the last segment anew after opening',
    caughtBy: 'goes on with the last segment after opening',
    wrap: (storage) => {
      let fresh = false
      return {
        open() {
          fresh = true
          return storage.open()
        },
        async append(segment, bytes) {
          if (fresh) await storage.truncate(segment, 0).catch(() => {})
          fresh = false
          await storage.append(segment, bytes)
        },
      }
    },
  },
  {
    what: 'fills a cut up again',
    caughtBy: 'cuts a tail, and appends behind the cut',
    wrap: (storage) => ({
      async truncate(segment, bytes) {
        await storage.truncate(segment, bytes)
        await storage.append(segment, new Uint8Array(8))
      },
    }),
  },
  {
    what: 'keeps its last segment',
    caughtBy: 'can remove all segments',
    wrap: (storage) => {
      const known = new Set<number>()
      return {
        append(segment, bytes) {
          known.add(segment)
          return storage.append(segment, bytes)
        },
        async remove(segment) {
          if (known.size > 1) await storage.remove(segment)
        },
      }
    },
  },
  {
    what: 'closes once',
    caughtBy: 'closes as often as it is asked to',
    wrap: (storage) => {
      let isOpen = false
      return {
        async open() {
          const segments = await storage.open()
          isOpen = true
          return segments
        },
        async close() {
          if (!isOpen) throw new Error('not open')
          isOpen = false
          await storage.close()
        },
      }
    },
  },
  {
    what: 'closes over an append',
    caughtBy: 'waits for the append under way when it is closed',
    wrap: (storage) => {
      let isOpen = false
      return {
        async open() {
          isOpen = true
          return storage.open()
        },
        async append(segment, bytes) {
          await new Promise((resolve) => setImmediate(resolve))
          if (isOpen) await storage.append(segment, bytes)
        },
        async close() {
          isOpen = false
          await storage.close()
        },
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

type Test = [name: string, run: () => Promise<void>]

function suiteOf(wrap: Wrap): Test[] {
  const tests: Test[] = []
  storageSuite({
    test: (name, run) => tests.push([name, run]),
    create: () => wrapped(wrap),
    reopen: (storage) => storage,
  })
  return tests
}

async function failures(wrap: Wrap): Promise<string[]> {
  const failed: string[] = []
  for (const [name, run] of suiteOf(wrap)) await run().catch(() => failed.push(name))
  return failed
}

test('each test of the suite has a storage that it catches', () => {
  const caught = new Set(WRONG.map(({ caughtBy }) => caughtBy))
  expect(suiteOf(() => ({})).map(([name]) => name).filter((name) => !caught.has(name))).toEqual([])
})

test('a storage that is right passes through the wrapper [A8 storageSuite]', async () => {
  expect(await failures(() => ({}))).toEqual([])
})

test.each(WRONG)('a storage that $what fails the suite [A8 storageSuite]', async ({ caughtBy, wrap }) => {
  expect(await failures(wrap)).toContain(caughtBy)
})
