/** The storage in a folder keeps the contract; what it leaves in the folder, and what it refuses. */
import {
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

import { fileStorage, type FileStorageOptions } from 'ackbox/file'
import { manualClock, storageSuite } from 'ackbox/testing'
import { describe, expect, test } from 'vitest'

import { temporaryFolder } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'

const bytes = (length: number, value = 7): Uint8Array => new Uint8Array(length).fill(value)

for (const durability of ['power-loss', 'process-crash'] as const) {
  describe(`fileStorage, ${durability}`, () => {
    const made = new WeakMap<object, string>()
    const make = (directory: string) => {
      const storage = fileStorage({ directory, durability })
      made.set(storage, directory)
      return storage
    }
    storageSuite({
      test,
      create: async () => make(await temporaryFolder()),
      reopen: (storage) => make(made.get(storage)!),
    })

    test('promises it', async () => {
      expect(fileStorage({ directory: await temporaryFolder(), durability }).durability).toBe(durability)
    })
  })
}

describe('the folder [A8 fileStorage]', () => {
  test('holds one file a segment with nothing but the bytes appended', async () => {
    const directory = await temporaryFolder()
    const storage = fileStorage({ directory })
    await storage.open()
    await storage.append(1, bytes(10, 1))
    await storage.append(1, bytes(5, 2))
    await storage.append(123456789, bytes(3, 3))
    await storage.close()
    expect(readdirSync(directory).filter((name) => !name.startsWith('lock'))).toEqual([
      '00000001.ackbox',
      '123456789.ackbox',
    ])
    expect([...readFileSync(join(directory, '00000001.ackbox'))]).toEqual([...bytes(10, 1), ...bytes(5, 2)])
  })

  test('is made with all folders above it', async () => {
    const directory = join(await temporaryFolder(), 'a', 'b', 'c')
    const storage = fileStorage({ directory })
    expect(await storage.open()).toEqual([])
    await storage.append(1, bytes(1))
    await storage.close()
    expect(statSync(join(directory, '00000001.ackbox')).size).toBe(1)
  })

  test('keeps files that are not ours, and shows none of them', async () => {
    const directory = await temporaryFolder()
    const foreign = [
      'notes.txt',
      '1.ackbox',
      '00000000.ackbox',
      '00000001.ackbox.bak',
      'x0000001.ackbox',
      '0000000000001.ackbox',
    ]
    for (const name of foreign) writeFileSync(join(directory, name), name)
    const storage = fileStorage({ directory })
    expect(await storage.open()).toEqual([])
    await storage.append(1, bytes(1))
    await storage.remove(1)
    await storage.close()
    for (const name of foreign) expect(readFileSync(join(directory, name), 'utf8')).toBe(name)
  })

  test('is taken as it was when the storage was made, wherever the process goes', async () => {
    const directory = await temporaryFolder()
    const before = process.cwd()
    process.chdir(directory)
    const storage = fileStorage({ directory: 'box' })
    process.chdir(before)
    await storage.open()
    await storage.close()
    expect(readdirSync(directory)).toEqual(['box'])
  })

  test('does not change when a sound box is opened and closed', async () => {
    const directory = await temporaryFolder()
    const storage = fileStorage({ directory })
    await storage.open()
    await storage.append(1, bytes(100))
    await storage.append(2, bytes(100))
    await storage.close()
    const look = () =>
      readdirSync(directory).map((name) => {
        const { size, mtimeNs } = statSync(join(directory, name), { bigint: true })
        return name.startsWith('lock') ? { name, size } : { name, size, mtimeNs }
      })
    const before = look()
    await storage.open()
    await storage.read(1, 0, 100)
    await storage.close()
    expect(look()).toEqual(before)
  })
})

describe('refusals', () => {
  test.each<[string, unknown, RegExp]>([
    ['no options', undefined, /expected an object with options, got undefined/],
    ['a path instead of options', './data', /expected an object with options, got '.\/data'/],
    ['no directory', {}, /expected directory to be the path of a folder, got undefined/],
    ['an empty directory', { directory: '' }, /expected directory to be the path of a folder, got ''/],
    [
      'an unknown option',
      { directory: 'x', durabilty: 'none' },
      /unknown option 'durabilty'; did you mean 'durability'\?/,
    ],
    ['an unknown durability', { directory: 'x', durability: 'none' }, /expected durability to be .*, got 'none'/],
  ])('%s', async (_, options, message) => {
    await refusal(() => fileStorage(options as FileStorageOptions), 'ERR_INVALID_OPTION', message)
  })

  test('a folder that is a file', async () => {
    const directory = join(await temporaryFolder(), 'file')
    writeFileSync(directory, 'mine')
    const error = await refusal(
      fileStorage({ directory }).open(),
      'ERR_STORAGE_FAILED',
      /file: could not be opened: EEXIST/,
    )
    expect(error.cause).toMatchObject({ code: 'EEXIST' })
    expect(readFileSync(directory, 'utf8')).toBe('mine')
  })

  test('a folder below a file', async () => {
    const file = join(await temporaryFolder(), 'file')
    writeFileSync(file, 'mine')
    await refusal(
      fileStorage({ directory: join(file, 'box') }).open(),
      'ERR_STORAGE_FAILED',
      /box: could not be opened: ENOTDIR/,
    )
  })

  test('a folder that cannot be written to, whoever asks', async () => {
    // Nobody can make files in there, not even the administrator, whom permissions do not stop.
    await refusal(fileStorage({ directory: '/proc/self' }).open(), 'ERR_STORAGE_FAILED', /could not be opened: E\w+: /)
  })

  test('a segment that is not a file: nothing is touched and the folder is given up again', async () => {
    const directory = await temporaryFolder()
    mkdirSync(join(directory, '00000002.ackbox'))
    const expectation = /expected 00000002.ackbox to be a file, but it is not/
    await refusal(fileStorage({ directory }).open(), 'ERR_STORAGE_FAILED', expectation)
    await refusal(fileStorage({ directory }).open(), 'ERR_STORAGE_FAILED', expectation)
  })

  test('a segment that is a dangling link', async () => {
    const directory = await temporaryFolder()
    symlinkSync('nowhere', join(directory, '00000001.ackbox'))
    await refusal(fileStorage({ directory }).open(), 'ERR_STORAGE_FAILED', /ENOENT.*00000001.ackbox/)
  })

  test('a read past the end says what was expected and what came', async () => {
    const storage = fileStorage({ directory: await temporaryFolder() })
    await storage.open()
    await storage.append(1, bytes(100))
    await refusal(
      storage.read(1, 90, 20),
      'ERR_STORAGE_FAILED',
      /expected 20 bytes at offset 90 of segment 1, but 10 came/,
    )
    await refusal(storage.read(2, 0, 1), 'ERR_STORAGE_FAILED', /expected segment 2 to exist/)
    await storage.close()
    await refusal(storage.read(1, 0, 1), 'ERR_CLOSED', /expected it to be open for read/)
  })

  test('two appends at once: the second is refused, the first goes through', async () => {
    const storage = fileStorage({ directory: await temporaryFolder() })
    await storage.open()
    const first = storage.append(1, bytes(10))
    await refusal(storage.append(1, bytes(10)), 'ERR_STORAGE_FAILED', /one append at a time/)
    await first
    await storage.append(1, bytes(5))
    expect((await storage.read(1, 0, 15)).byteLength).toBe(15)
    await storage.close()
  })
})

describe('descriptors', () => {
  const inFolder = (directory: string): { name: string; flags: number }[] =>
    readdirSync('/proc/self/fd').flatMap((descriptor) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${descriptor}`)
        const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))
        return path.startsWith(directory)
          ? [{ name: path.slice(directory.length + 1), flags: parseInt(flags![1]!, 8) }]
          : []
      } catch {
        return []
      }
    })

  test.runIf(process.platform === 'linux').each([
    ['power-loss', constants.O_DSYNC],
    ['process-crash', 0],
  ] as const)('%s writes through a descriptor that synchronises accordingly', async (durability, flag) => {
    const directory = await temporaryFolder()
    const storage = fileStorage({ directory, durability })
    await storage.open()
    await storage.append(1, bytes(10))
    const head = inFolder(directory).filter(({ name }) => name === '00000001.ackbox')
    expect(head.map(({ flags }) => flags & constants.O_DSYNC)).toEqual([flag])
    await storage.close()
  })

  test.runIf(process.platform === 'linux')(
    'a journal of many segments is read with few, and none stays open',
    async () => {
      const directory = await temporaryFolder()
      const storage = fileStorage({ directory, durability: 'process-crash' })
      await storage.open()
      for (let segment = 1; segment <= 60; segment += 1) await storage.append(segment, bytes(100, segment))
      const order = Array.from({ length: 240 }, (_, index) => ((index * 37) % 60) + 1)
      const read = await Promise.all(order.map((segment) => storage.read(segment, 10, 50)))
      expect(read.map((chunk) => chunk[0])).toEqual(order)
      for (const segment of order) expect((await storage.read(segment, 0, 1))[0]).toBe(segment)
      expect(inFolder(directory).length).toBeLessThanOrEqual(20)
      await storage.remove(1)
      await storage.close()
      expect(inFolder(directory)).toEqual([])
    },
  )
})

describe('the reserve [S21]', () => {
  const MiB = 1024 * 1024
  const disk = (freeBytes: number, totalBytes: number) => ({
    bsize: 4096,
    blocks: totalBytes / 4096,
    bavail: freeBytes / 4096,
  })

  test.each([
    ['more than 64 MiB free on a large disk', 65 * MiB, 10_000 * MiB, false],
    ['64 MiB free on a large disk', 64 * MiB, 10_000 * MiB, true],
    ['more than 5 % free on a small disk', 6 * MiB, 100 * MiB, false],
    ['5 % free on a small disk', 5 * MiB, 100 * MiB, true],
    ['a file system that does not tell its size', 0, 0, false],
  ])('%s: full is decided when it is opened', async (_, free, total, full) => {
    const storage = fileStorage({ directory: await temporaryFolder(), readSize: async () => disk(free, total) })
    expect(storage.full).toBe(false)
    await storage.open()
    expect(storage.full).toBe(full)
    await storage.append(1, bytes(10))
    await storage.close()
  })

  test('counts what is appended, and asks the file system at most once a second', async () => {
    const clock = manualClock()
    let asked = 0
    let free = 64 * MiB + 8192
    const readSize = async () => {
      asked += 1
      return disk(free, 10_000 * MiB)
    }
    const storage = fileStorage({ directory: await temporaryFolder(), clock, readSize })
    await storage.open()
    await storage.append(1, bytes(4096))
    expect(storage.full).toBe(false)
    await storage.append(1, bytes(4096))
    expect([storage.full, asked]).toEqual([true, 1])

    free = 80 * MiB
    await clock.advance(999)
    expect([storage.full, asked]).toEqual([true, 1])
    await clock.advance(1)
    expect([storage.full, asked]).toEqual([true, 2])
    await clock.advance(0)
    expect([storage.full, asked]).toEqual([false, 2])
    await storage.close()
  })

  test('an append after a second asks again: others fill the disk, too', async () => {
    const clock = manualClock()
    let free = 200 * MiB
    const readSize = async () => disk(free, 10_000 * MiB)
    const storage = fileStorage({ directory: await temporaryFolder(), clock, readSize })
    await storage.open()
    free = 10 * MiB
    await storage.append(1, bytes(1))
    expect(storage.full).toBe(false)
    await clock.advance(1000)
    await storage.append(1, bytes(1))
    await clock.advance(0)
    expect(storage.full).toBe(true)
    await storage.close()
  })

  test('the real file system is asked', async () => {
    const directory = await temporaryFolder()
    const storage = fileStorage({ directory })
    await storage.open()
    const { bsize, blocks, bavail } = statfsSync(directory)
    expect(storage.full).toBe(bavail * bsize <= Math.min(64 * MiB, blocks * bsize * 0.05))
    await storage.close()
  })
})
