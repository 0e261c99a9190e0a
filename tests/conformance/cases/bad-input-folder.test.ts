/** Folders that cannot be opened: an error that names the reason, and nothing in them is changed. */
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

import { memoryStorage, open } from 'ackbox'
import { fileStorage } from 'ackbox/file'
import { describe, expect, it } from 'vitest'

import { start } from '../../support/programs.ts'
import { temporaryFolder } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

const HEADER_BYTES = 128
const VERSION_OFFSET = 8

async function folderWithBox(): Promise<{ folder: string; segment: string }> {
  const folder = join(await temporaryFolder(), 'box')
  const box = await open(folder)
  for (let n = 0; n < 5; n += 1) await box.queue('jobs').enqueue({ n }, { id: `id-${n}` })
  await box.close()
  return { folder, segment: await segmentOf(folder) }
}

/** The segment is the one file that begins with the journal's magic number. */
async function segmentOf(folder: string): Promise<string> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    if ((await readFile(path)).subarray(1, 7).toString('latin1') === 'ACKBOX') return path
  }
  throw new Error(`no segment in ${folder}`)
}

async function journalOf(segment: string): Promise<Buffer> {
  return readFile(segment)
}

async function expectUsable(folder: string): Promise<void> {
  const box = await open(folder)
  expect((await box.queue('jobs').peek()).map(({ id }) => id)).toEqual([0, 1, 2, 3, 4].map((n) => `id-${n}`))
  await box.close()
}

/** A header as a later version would write it: its own number, and a checksum that fits. */
function asNewerVersion(journal: Buffer): Buffer {
  const newer = Buffer.from(journal)
  newer.writeUInt32LE(2, VERSION_OFFSET)
  newer.writeUInt32LE(crc32(newer.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4)
  return newer
}

describe('a second opener [A1 whenLocked, S22]', () => {
  it('in the same process is told who has the box', async () => {
    const { folder } = await folderWithBox()
    const before = Date.now()
    const box = await open(folder)
    const error = await refusal(open(folder), 'ERR_LOCKED', /box|folder|lock/)
    expect(error.details).toMatchObject({ pid: process.pid, sameProcess: true })
    const { since } = error.details as { since: number }
    expect(since).toBeGreaterThanOrEqual(before - 1_000)
    expect(since).toBeLessThanOrEqual(Date.now() + 1_000)
    expect(await box.queue('jobs').enqueue(1)).toMatchObject({ status: 'accepted' })
    await box.close()
    await (await open(folder)).close()
  })

  it('of one memory storage is refused as well', async () => {
    const storage = memoryStorage()
    const box = await open(storage)
    await refusal(open(storage), 'ERR_LOCKED')
    expect(await box.queue('jobs').enqueue(1)).toMatchObject({ status: 'accepted' })
    await box.close()
  })
})

describe('a damaged journal', () => {
  it('before intact frames is ERR_CORRUPT with its place, and stays as it is [S18]', async () => {
    const { folder, segment } = await folderWithBox()
    const good = await journalOf(segment)
    const bad = Buffer.from(good)
    const offset = Math.floor(good.byteLength / 3)
    bad[offset]! ^= 0xff
    await writeFile(segment, bad)
    const error = await refusal(open(folder), 'ERR_CORRUPT', /segment.*\d/)
    const place = error.details as { segment: number; offset: number }
    expect(place.segment).toBe(1)
    expect(place.offset).toBeLessThanOrEqual(offset)
    expect(place.offset).toBeGreaterThan(0)
    expect((await journalOf(segment)).equals(bad)).toBe(true)
    await writeFile(segment, good)
    await expectUsable(folder)
  })

  it('with a damaged header is ERR_CORRUPT, and stays as it is', async () => {
    const { folder, segment } = await folderWithBox()
    const good = await journalOf(segment)
    const bad = Buffer.from(good)
    bad[40]! ^= 0xff
    await writeFile(segment, bad)
    await refusal(open(folder), 'ERR_CORRUPT')
    expect((await journalOf(segment)).equals(bad)).toBe(true)
    await writeFile(segment, good)
    await expectUsable(folder)
  })

  it('is found at any byte that matters, or cut as a torn tail; never read wrong', async () => {
    const { segment } = await folderWithBox()
    const good = await journalOf(segment)
    const outcomes = new Set<string>()
    for (let offset = 0; offset < good.byteLength; offset += 5) {
      const bad = Buffer.from(good)
      bad[offset]! ^= 0x10
      const storage = new InjectedStorage([[1, [bad]]])
      try {
        const box = await open(storage)
        const bodies = (await box.queue<{ n: number }>('jobs').peek()).map(({ body }) => body?.n)
        // All five messages, or all but the last one, which was in the torn tail.
        expect([0, 1, 2, 3, 4]).toEqual(expect.arrayContaining(bodies))
        expect(bodies.length).toBeGreaterThanOrEqual(4)
        outcomes.add('opened')
        await box.close()
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/ERR_CORRUPT|ERR_NEWER_FORMAT/) })
        expect(storage.content(1).equals(bad)).toBe(true)
        outcomes.add('refused')
      }
    }
    expect([...outcomes].sort()).toEqual(['opened', 'refused'])
  })

  it('of a missing segment in the middle is ERR_CORRUPT [S19]', async () => {
    const storage = new InjectedStorage()
    const box = await open(storage, { segmentBytes: 64 * 1024 })
    for (let n = 0; n < 30; n += 1) await box.queue('jobs').enqueue('x'.repeat(10_000))
    await box.close()
    expect(storage.segments.length).toBeGreaterThan(2)
    const missing = new InjectedStorage(
      storage.segments
        .filter((segment) => segment !== storage.segments[1])
        .map((segment) => [segment, [storage.content(segment)]]),
    )
    await refusal(open(missing), 'ERR_CORRUPT', /segment/)
  })
})

describe('a foreign file', () => {
  it('in place of a segment is ERR_CORRUPT that says so, and is not touched', async () => {
    const { folder, segment } = await folderWithBox()
    const foreign = Buffer.from('PK\u0003\u0004 this is somebody else’s file, not a journal'.padEnd(4_000, '.'))
    await writeFile(segment, foreign)
    await refusal(open(folder), 'ERR_CORRUPT', /not|no /)
    expect((await journalOf(segment)).equals(foreign)).toBe(true)
  })

  it('beside the segments is left alone', async () => {
    const { folder } = await folderWithBox()
    await writeFile(join(folder, 'notes.txt'), 'mine')
    await mkdir(join(folder, 'photos'))
    await expectUsable(folder)
    expect(await readFile(join(folder, 'notes.txt'), 'utf8')).toBe('mine')
    expect((await stat(join(folder, 'photos'))).isDirectory()).toBe(true)
  })

  it('of another box among the segments is ERR_CORRUPT', async () => {
    const boxes = await Promise.all(
      [0, 1].map(async () => {
        const storage = new InjectedStorage()
        const box = await open(storage, { segmentBytes: 64 * 1024 })
        for (let n = 0; n < 30; n += 1) await box.queue('jobs').enqueue('x'.repeat(10_000))
        await box.close()
        return storage
      }),
    )
    const [own, other] = [boxes[0]!, boxes[1]!]
    const mixed = new InjectedStorage(
      own.segments.map((segment, index) => [segment, [(index === 1 ? other : own).content(segment)]]),
    )
    await refusal(open(mixed), 'ERR_CORRUPT', /box/)
  })
})

describe('a journal of a newer format [A10 errors]', () => {
  it('is ERR_NEWER_FORMAT that names the version, and is not touched [S17]', async () => {
    const { folder, segment } = await folderWithBox()
    const newer = asNewerVersion(await journalOf(segment))
    await writeFile(segment, newer)
    await refusal(open(folder), 'ERR_NEWER_FORMAT', /\b2\b/)
    expect((await journalOf(segment)).equals(newer)).toBe(true)
  })
})

describe('a place where no box can be', () => {
  it('below a file is refused with its path', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'file'), 'x')
    await refusal(open(join(folder, 'file', 'box')), 'ERR_STORAGE_FAILED', /file/)
    await refusal(open(join(folder, 'file')), 'ERR_STORAGE_FAILED', /file/)
  })

  it('in a folder that may not be written is refused with its path', async () => {
    // Root may write everywhere: then the program below runs as nobody.
    const folder = await temporaryFolder()
    const sealed = join(folder, 'sealed')
    await chmod(folder, 0o755)
    await mkdir(sealed, { mode: 0o555 })
    const asNobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    const program = new URL('../programs/open-and-report.mjs', import.meta.url)
    const { lines, stderr } = await start(program, [sealed], { cwd: tmpdir(), ...asNobody }).ending
    expect(stderr).toBe('')
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({
      code: 'ERR_STORAGE_FAILED',
      message: expect.stringContaining(sealed),
    })
    expect(await readdir(sealed)).toEqual([])
  })

  it('is refused with an empty name', async () => {
    await refusal(open(''), 'ERR_INVALID_OPTION')
    await refusal(() => fileStorage({ directory: '' }), 'ERR_INVALID_OPTION', /directory/)
    await refusal(() => fileStorage({} as never), 'ERR_INVALID_OPTION', /directory/)
  })
})
