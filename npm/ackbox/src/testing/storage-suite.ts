/**
 * The storage contract as tests, for any storage and any test runner.
 *
 * ```ts
 * storageSuite({
 *   test,                                                  // (name, fn) of your runner
 *   create: () => myStorage({ directory: freshFolder() }),
 *   reopen: (storage) => myStorage({ directory: storage.directory }),
 * })
 * ```
 */

import { AckboxError } from '../errors.js'
import { checkStorage } from '../storage/check-storage.js'
import type { SegmentInfo, Storage } from '../storage/storage.js'
import { callable, checkNames } from '../validate.js'

/** What the suite needs. */
export interface StorageSuiteOptions<S extends Storage = Storage> {
  /** Registers one test, as the `test` of Vitest, Jest or `node:test` does. */
  test: (name: string, run: () => Promise<void>) => unknown
  /** A new, empty storage that is not open. */
  create: () => S | Promise<S>
  /**
   * Another handle on the same bytes, as the next process would make it; it is not open. A storage that exists only in
   * its own object returns it again.
   */
  reopen: (storage: S) => S | Promise<S>
}

type Run = (storage: Storage, again: () => Promise<Storage>) => Promise<void>

/** Registers a test for each promise of the contract. */
export function storageSuite<S extends Storage>(options: StorageSuiteOptions<S>): void {
  checkNames(options, ['test', 'create', 'reopen'], 'storageSuite')
  const { test, create, reopen } = options
  for (const name of ['test', 'create', 'reopen'] as const) callable(options[name], name, 'storageSuite')
  for (const [name, run] of Object.entries(PROMISES)) {
    test(name, async () => {
      const handles: Storage[] = []
      const storage = await create()
      checkStorage(storage, 'create to give a storage', 'storageSuite')
      handles.push(storage)
      const again = async (): Promise<Storage> => {
        const handle = await reopen(storage)
        checkStorage(handle, 'reopen to give a storage', 'storageSuite')
        handles.push(handle)
        return handle
      }
      try {
        await run(storage, again)
      } finally {
        for (const handle of handles) await handle.close()
      }
    })
  }
}

const PROMISES: Record<string, Run> = {
  'names the durability that it promises': async (storage) => {
    const known = ['power-loss', 'process-crash', 'none']
    if (!known.includes(storage.durability)) throw fault(`durability to be one of ${known}`, storage.durability)
  },

  'is empty at first': async (storage) => {
    sameList(await storage.open(), [])
  },

  'reads back what was appended, from any offset': async (storage) => {
    await storage.open()
    const bytes = sample(1000)
    await storage.append(1, bytes)
    sameBytes(await storage.read(1, 0, 1000), bytes)
    sameBytes(await storage.read(1, 17, 400), bytes.subarray(17, 417))
    sameBytes(await storage.read(1, 1000, 0), new Uint8Array(0))
  },

  'appends at the end, whatever the length': async (storage) => {
    await storage.open()
    const parts = [1, 8, 4096, 3, 70_000, 1].map(sample)
    for (const part of parts) await storage.append(1, part)
    sameBytes(await storage.read(1, 0, 74_109), joined(parts))
  },

  'takes three mebibytes at once': async (storage) => {
    await storage.open()
    const bytes = sample(3 << 20)
    await storage.append(1, bytes)
    sameBytes(await storage.read(1, 0, bytes.byteLength), bytes)
  },

  'takes a view into a larger buffer': async (storage) => {
    await storage.open()
    const buffer = sample(300)
    await storage.append(1, buffer.subarray(101, 149))
    sameBytes(await storage.read(1, 0, 48), buffer.subarray(101, 149))
  },

  'keeps its own copy: the buffer is used again after an append': async (storage) => {
    await storage.open()
    const buffer = sample(64)
    const before = buffer.slice()
    await storage.append(1, buffer)
    buffer.fill(0xee)
    await storage.append(1, buffer)
    sameBytes(await storage.read(1, 0, 128), joined([before, buffer]))
  },

  'gives away copies: what was read belongs to the reader': async (storage) => {
    await storage.open()
    const bytes = sample(64)
    await storage.append(1, bytes)
    ;(await storage.read(1, 0, 64)).fill(0xee)
    sameBytes(await storage.read(1, 0, 64), bytes)
  },

  'keeps segments apart': async (storage) => {
    await storage.open()
    await storage.append(1, sample(100))
    await storage.append(2, sample(60))
    sameBytes(await storage.read(1, 0, 100), sample(100))
    sameBytes(await storage.read(2, 0, 60), sample(60))
  },

  'reads older segments while an append is under way': async (storage) => {
    await storage.open()
    await storage.append(1, sample(5000))
    const appended = storage.append(2, sample(100_000))
    const reads = [0, 1000, 2000, 3000].map((offset) => storage.read(1, offset, 1000))
    const bytes = joined(await Promise.all(reads))
    await appended
    sameBytes(bytes, sample(5000).subarray(0, 4000))
  },

  'rejects a read past the end': async (storage) => {
    await storage.open()
    await storage.append(1, sample(10))
    await rejects('a read of 11 bytes of 10', storage.read(1, 0, 11))
    await rejects('a read behind the end', storage.read(1, 11, 1))
    sameBytes(await storage.read(1, 0, 10), sample(10))
  },

  'rejects a read of a segment that does not exist': async (storage) => {
    await storage.open()
    await storage.append(2, sample(10))
    await rejects('a read of segment 1', storage.read(1, 0, 1))
  },

  'keeps everything over closing and opening': async (storage, again) => {
    await storage.open()
    await storage.append(1, sample(500))
    await storage.append(2, sample(70))
    await storage.append(2, sample(7))
    await storage.close()
    const reopened = await again()
    sameList(await reopened.open(), [
      { segment: 1, bytes: 500 },
      { segment: 2, bytes: 77 },
    ])
    sameBytes(await reopened.read(1, 0, 500), sample(500))
    sameBytes(await reopened.read(2, 0, 77), joined([sample(70), sample(7)]))
  },

  'goes on with the last segment after opening': async (storage, again) => {
    await storage.open()
    await storage.append(1, sample(30))
    await storage.close()
    const reopened = await again()
    await reopened.open()
    await reopened.append(1, sample(40))
    sameBytes(await reopened.read(1, 0, 70), joined([sample(30), sample(40)]))
  },

  'lists segments by number, oldest first': async (storage, again) => {
    await storage.open()
    for (const segment of [8, 9, 10, 11, 100]) await storage.append(segment, sample(segment))
    await storage.close()
    const listed = await (await again()).open()
    sameList(
      listed,
      [8, 9, 10, 11, 100].map((segment) => ({ segment, bytes: segment })),
    )
  },

  'cuts a tail, and appends behind the cut': async (storage, again) => {
    await storage.open()
    await storage.append(1, sample(100))
    await storage.close()
    const reopened = await again()
    await reopened.open()
    await reopened.truncate(1, 60)
    await rejects('a read behind the cut', reopened.read(1, 50, 11))
    await reopened.append(1, sample(20))
    sameBytes(await reopened.read(1, 0, 80), joined([sample(100).subarray(0, 60), sample(20)]))
  },

  'remembers a cut': async (storage, again) => {
    await storage.open()
    await storage.append(1, sample(100))
    await storage.truncate(1, 33)
    await storage.close()
    sameList(await (await again()).open(), [{ segment: 1, bytes: 33 }])
  },

  'forgets a removed segment, and no other': async (storage, again) => {
    await storage.open()
    for (const segment of [1, 2, 3]) await storage.append(segment, sample(segment * 10))
    await storage.remove(1)
    await rejects('a read of a removed segment', storage.read(1, 0, 1))
    sameBytes(await storage.read(2, 0, 20), sample(20))
    await storage.append(3, sample(5))
    await storage.close()
    sameList(await (await again()).open(), [
      { segment: 2, bytes: 20 },
      { segment: 3, bytes: 35 },
    ])
  },

  'can remove all segments': async (storage, again) => {
    await storage.open()
    await storage.append(1, sample(10))
    await storage.remove(1)
    await storage.append(2, sample(20))
    await storage.remove(2)
    await storage.close()
    sameList(await (await again()).open(), [])
  },

  'has one owner at a time': async (storage, again) => {
    await storage.open()
    await storage.append(1, sample(10))
    const second = await again()
    const error = await rejects('a second open', second.open())
    if (!AckboxError.is(error, 'ERR_LOCKED')) throw fault('a second open to reject with ERR_LOCKED', error)
    await storage.append(1, sample(10))
    sameBytes(await storage.read(1, 0, 20), joined([sample(10), sample(10)]))
  },

  'gives up ownership when it is closed': async (storage, again) => {
    await storage.open()
    await storage.close()
    const second = await again()
    await second.open()
    await second.append(1, sample(10))
    await second.close()
    sameList(await storage.open(), [{ segment: 1, bytes: 10 }])
  },

  'rejects calls before open and after close': async (storage) => {
    await rejects('an append before open', storage.append(1, sample(10)))
    await rejects('a read before open', storage.read(1, 0, 0))
    await storage.open()
    await storage.append(1, sample(10))
    await storage.close()
    await rejects('an append after close', storage.append(1, sample(10)))
    await rejects('a read after close', storage.read(1, 0, 10))
    await rejects('a removal after close', storage.remove(1))
    sameList(await storage.open(), [{ segment: 1, bytes: 10 }])
  },

  'closes as often as it is asked to': async (storage) => {
    await storage.close()
    await storage.open()
    await storage.close()
    await storage.close()
  },

  'can be looked at beside its owner, who goes on': async (storage, again) => {
    await storage.open()
    await storage.append(1, sample(100))
    const other = await again()
    if (other.openReader === undefined) return
    const reader = await other.openReader()
    try {
      sameList(reader.segments, [{ segment: 1, bytes: 100 }])
      await storage.append(1, sample(50))
      await storage.append(2, sample(10))
      sameBytes(await reader.read(1, 20, 80), sample(100).subarray(20))
    } finally {
      await reader.close()
      await reader.close()
    }
    sameBytes(await storage.read(1, 0, 150), joined([sample(100), sample(50)]))
  },

  'shows who looks at it what there was, and no more': async (storage) => {
    await storage.open()
    await storage.append(9, sample(90))
    await storage.append(10, sample(100))
    if (storage.openReader === undefined) return
    const reader = await storage.openReader()
    try {
      await storage.append(10, sample(50))
      sameList(reader.segments, [
        { segment: 9, bytes: 90 },
        { segment: 10, bytes: 100 },
      ])
      await rejects('a read past what was listed', reader.read(10, 60, 41))
      await rejects('a read of a segment that was not listed', reader.read(11, 0, 1))
    } finally {
      await reader.close()
    }
    await rejects('a read after close', reader.read(9, 0, 10))
  },

  'keeps for who looks at it what its owner removes': async (storage, again) => {
    await storage.open()
    for (const segment of [1, 2, 3]) await storage.append(segment, sample(segment * 10))
    const other = await again()
    if (other.openReader === undefined) return
    const reader = await other.openReader()
    try {
      await storage.remove(1)
      sameBytes(await reader.read(1, 0, 10), sample(10))
      sameBytes(await reader.read(3, 0, 30), sample(30))
    } finally {
      await reader.close()
    }
  },

  'has no owner because somebody looks at it': async (storage, again) => {
    await storage.open()
    await storage.append(1, sample(10))
    await storage.close()
    if (storage.openReader === undefined) return
    const reader = await storage.openReader()
    try {
      const owner = await again()
      sameList(await owner.open(), [{ segment: 1, bytes: 10 }])
      await owner.append(1, sample(5))
    } finally {
      await reader.close()
    }
  },

  'waits for the append under way when it is closed': async (storage, again) => {
    await storage.open()
    const appended = storage.append(1, sample(50_000))
    await storage.close()
    await appended
    sameList(await (await again()).open(), [{ segment: 1, bytes: 50_000 }])
  },
}

/** Bytes that differ from place to place and from length to length, so that no mix-up goes unnoticed. */
function sample(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = length + 1
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[index] = state >>> 24
  }
  return bytes
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.byteLength
  }
  return whole
}

function sameBytes(got: Uint8Array, wanted: Uint8Array): void {
  if (!(got instanceof Uint8Array)) throw fault('a Uint8Array', got)
  if (got.byteLength !== wanted.byteLength) throw fault(`${wanted.byteLength} bytes`, got.byteLength)
  const index = wanted.findIndex((byte, at) => got[at] !== byte)
  if (index >= 0) throw fault(`byte ${index} to be ${wanted[index]}`, got[index])
}

function sameList(got: readonly SegmentInfo[], wanted: readonly SegmentInfo[]): void {
  const text = (list: readonly SegmentInfo[]): string =>
    `[${list.map(({ segment, bytes }) => `${segment}: ${bytes} bytes`).join(', ')}]`
  if (text(got) !== text(wanted)) throw fault(`segments ${text(wanted)}`, text(got))
}

async function rejects(what: string, promise: Promise<unknown>): Promise<unknown> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw fault(`${what} to reject`, `a promise that resolved with ${String(value)}`)
}

function fault(wanted: string, got: unknown): Error {
  return new Error(`storage contract: expected ${wanted}, got ${String(got)}`)
}
