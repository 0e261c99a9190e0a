/**
 * One owner at a time over real processes, and a dead owner is never in the way. Kernels, hosts and containers that
 * are not at hand are played by lock files as they would have left them.
 */
import { once } from 'node:events'
import { readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

import { fileStorage } from 'ackbox/file'
import { describe, expect, onTestFinished, test } from 'vitest'

import { temporaryFolder } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { start } from './support/child.ts'
import { forgeLock, readLock, systemLock } from './support/lock-files.ts'

const USE_FILE_LOCK = Symbol.for('ackbox.use-file-lock')

/** A storage on the folder, closed when the test ends; with `systemLock` as the native engine would use it. */
function at(directory: string, lock?: typeof systemLock) {
  const storage = fileStorage({ directory })
  if (lock !== undefined) {
    ;(storage as unknown as Record<symbol, (lock: typeof systemLock) => void>)[USE_FILE_LOCK]!(lock)
  }
  onTestFinished(() => storage.close())
  return storage
}

/** At least as many calls to the file system as taking over takes. */
const TAKE_OVER_CALLS = 25

/** When a process started, as the kernel counts. */
function startOf(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19]!
}

function lockFiles(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith('lock'))
    .sort()
}

describe('a living owner [S22]', () => {
  test('in this process is named, and keeps the folder', async () => {
    const directory = await temporaryFolder()
    const before = Date.now()
    const first = at(directory)
    await first.open()
    const error = await refusal(at(directory).open(), 'ERR_LOCKED', /open in this process since .*lock file .*lock\)/)
    expect(error.details).toEqual({ pid: process.pid, since: expect.any(Number), sameProcess: true })
    expect((error.details as { since: number }).since).toBeGreaterThanOrEqual(before)
    await refusal(first.open(), 'ERR_LOCKED')
    await first.append(1, new Uint8Array(1))
  })

  test('in another process is named by pid and time; when it closes, the next one opens', async () => {
    const directory = await temporaryFolder()
    const owner = start('own.mjs', [directory, 'append'])
    expect(await owner.line()).toEqual({ opened: [] })
    const { pid, since } = readLock(directory)
    expect(pid).toBe(owner.pid)
    const error = await refusal(at(directory).open(), 'ERR_LOCKED', new RegExp(`owned by process ${owner.pid} on host`))
    expect(error.details).toEqual({ pid: owner.pid, since, sameProcess: false })
    await owner.finish()
    expect(await at(directory).open()).toEqual([{ segment: 1, bytes: 100 }])
  })

  test('keeps the folder when a person removed its lock file and another one came', async () => {
    const directory = await temporaryFolder()
    const first = at(directory)
    await first.open()
    unlinkSync(join(directory, 'lock'))
    const second = at(directory)
    await second.open()
    await first.close()
    await refusal(at(directory).open(), 'ERR_LOCKED')
  })
})

describe('a dead owner [S22]', () => {
  test('that was killed is not in the way', async () => {
    const directory = await temporaryFolder()
    for (let round = 1; round <= 3; round += 1) {
      const owner = start('own.mjs', [directory, 'append'])
      expect(await owner.line()).toHaveProperty('opened')
      await owner.kill()
      expect(readLock(directory).pid).toBe(owner.pid)
    }
    expect(await at(directory).open()).toEqual([{ segment: 1, bytes: 300 }])
  })

  test('has one successor, however many processes want to be it at once', async () => {
    const openers = Array.from({ length: 4 }, () => start('race.mjs', []))
    await Promise.all(openers.map((opener) => opener.line()))
    for (let round = 0; round < 50; round += 1) {
      const directory = await temporaryFolder()
      await forgeLock(directory, { pid: 1, processStart: '1', nonce: String(round).padStart(32, '0') })
      for (const opener of openers) opener.tell(directory)
      const outcomes = await Promise.all(openers.map((opener) => opener.line()))
      const codes = outcomes.map(({ opened, code }) => (opened ? 'opened' : code)).sort()
      expect(codes).toEqual(['ERR_LOCKED', 'ERR_LOCKED', 'ERR_LOCKED', 'opened'])
    }
  })

  test('has one successor among openers in one process, with and without the lock of the system', async () => {
    for (const lock of [undefined, systemLock]) {
      const directory = await temporaryFolder()
      const owner = start('own.mjs', [directory])
      await owner.line()
      await owner.kill()
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => at(directory, lock).open()))
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ERR_LOCKED' })
      }
    }
  })

  test('that died as it took over, at whatever step, leaves nothing behind for good', { timeout: 60_000 }, async () => {
    const directory = await temporaryFolder()
    for (let step = 1; ; step += 1) {
      await forgeLock(directory, { pid: 1, processStart: '1', nonce: String(step).padStart(32, '0') })
      const outcome = await start('die.mjs', [directory, String(step)]).ended()
      const storage = at(directory)
      await storage.open()
      expect(lockFiles(directory)).toEqual(['lock', 'lock.spare'])
      await storage.close()
      if (outcome === undefined) continue
      expect(outcome['calls']).toBeLessThanOrEqual(TAKE_OVER_CALLS)
      break
    }
  })

  test(
    'of whom there are many, one at every step of taking over from the one before, are not in the way',
    { timeout: 60_000 },
    async () => {
      const directory = await temporaryFolder()
      await forgeLock(directory, { pid: 1, processStart: '1' })
      for (let step = TAKE_OVER_CALLS; step > 0; step -= 1) await start('die.mjs', [directory, String(step)]).ended()
      await at(directory).open()
      expect(lockFiles(directory)).toEqual(['lock', 'lock.spare'])
    },
  )

  test('whose successor died while it took over is replaced all the same', async () => {
    const directory = await temporaryFolder()
    const dead = { pid: 1, processStart: '1' }
    const guard = join(directory, `lock.takeover-${'a'.repeat(32)}`)
    await forgeLock(directory, { ...dead, nonce: 'b'.repeat(32) })
    renameSync(join(directory, 'lock'), guard)
    await forgeLock(directory, { ...dead, nonce: 'a'.repeat(32) })
    await at(directory).open()
    expect(lockFiles(directory)).toEqual(['lock', 'lock.spare'])
  })

  test('whose successor is still at it is left to that one', async () => {
    const directory = await temporaryFolder()
    const successor = start('own.mjs', [await temporaryFolder()])
    await successor.line()
    await forgeLock(directory, { pid: successor.pid, processStart: startOf(successor.pid), nonce: 'b'.repeat(32) })
    renameSync(join(directory, 'lock'), join(directory, `lock.takeover-${'a'.repeat(32)}`))
    await forgeLock(directory, { pid: 1, processStart: '1', nonce: 'a'.repeat(32) })
    const error = await refusal(at(directory).open(), 'ERR_LOCKED', /lock.takeover-aaaa/)
    expect(error.details).toMatchObject({ pid: successor.pid, sameProcess: false })
  })

  test('whose pid was given to another process is dead', async () => {
    const directory = await temporaryFolder()
    const other = start('own.mjs', [await temporaryFolder()])
    await other.line()
    await forgeLock(directory, { pid: other.pid, processStart: '12345' })
    await at(directory).open()
  })

  test('that was a thread of this process is dead once the thread is', async () => {
    const directory = await temporaryFolder()
    const thread = new Worker(new URL('./programs/thread.mjs', import.meta.url), { workerData: directory })
    await once(thread, 'message')
    await refusal(at(directory).open(), 'ERR_LOCKED', /open in this process/)
    await thread.terminate()
    await at(directory).open()
  })
})

describe('an owner that cannot be judged from here', () => {
  const unclear = /whether it still runs cannot be told from here; if it does not, remove the lock file .*lock/

  test('in another pid namespace keeps the folder', async () => {
    const directory = await temporaryFolder()
    const { since } = await forgeLock(directory, { pidNamespace: 'pid:[1]', pid: 999_999_999, processStart: '1' })
    const error = await refusal(at(directory).open(), 'ERR_LOCKED', unclear)
    expect(error.details).toEqual({ pid: 999_999_999, since, sameProcess: false })
  })

  test('on another host keeps the folder', async () => {
    const directory = await temporaryFolder()
    await forgeLock(directory, { bootId: 'another', host: `not-${hostname()}` })
    await refusal(at(directory).open(), 'ERR_LOCKED', unclear)
  })

  test('of an earlier run of this host is dead, whatever runs under its pid now', async () => {
    const directory = await temporaryFolder()
    await forgeLock(directory, { bootId: 'before' })
    await at(directory).open()
  })

  test.each([
    ['nothing', ''],
    ['something else', '{"pid": 1}'],
    ['an owner whose checksum is wrong', `${JSON.stringify({ pid: 1, nonce: 'a'.repeat(32), check: 'no' })}`],
    ['a nonce that is a path', JSON.stringify({ pid: 1, nonce: '../../x' })],
  ])('because its lock file holds %s keeps the folder, and the file is named', async (_, content) => {
    const directory = await temporaryFolder()
    writeFileSync(join(directory, 'lock'), content)
    const error = await refusal(
      at(directory).open(),
      'ERR_LOCKED',
      /lock file .*lock names no owner that can be read; if no process/,
    )
    expect(error.details).toEqual({ sameProcess: false })
    expect(readdirSync(directory)).toEqual(['lock'])
  })
})

describe.runIf(process.platform === 'linux')('the lock of the operating system', () => {
  test('is held while the folder is owned, and said to be', async () => {
    const directory = await temporaryFolder()
    const storage = at(directory, systemLock)
    await storage.open()
    expect(readLock(directory).locksFile).toBe(true)
    expect(systemLock(join(directory, 'lock'))).toBeNull()
    await refusal(at(directory, systemLock).open(), 'ERR_LOCKED', /open in this process/)
    await refusal(at(directory).open(), 'ERR_LOCKED', /open in this process/)
    await storage.close()
    await at(directory, systemLock).open()
  })

  test('free, it shows that an owner in another container is dead; held, that it lives', async () => {
    const directory = await temporaryFolder()
    await forgeLock(directory, { pidNamespace: 'pid:[1]', pid: 999_999_999, locksFile: true })
    await refusal(at(directory).open(), 'ERR_LOCKED', /cannot be told from here/)
    const held = systemLock(join(directory, 'lock'))
    await refusal(at(directory, systemLock).open(), 'ERR_LOCKED', /cannot be told from here/)
    held!.release()
    await at(directory, systemLock).open()
  })

  test('says nothing about an owner that never held it', async () => {
    const directory = await temporaryFolder()
    const owner = start('own.mjs', [directory])
    await owner.line()
    expect(readLock(directory).locksFile).toBe(false)
    await refusal(at(directory, systemLock).open(), 'ERR_LOCKED', new RegExp(`process ${owner.pid}`))
    await owner.kill()
    await at(directory, systemLock).open()
  })

  test('is done without where the file system has none', async () => {
    const directory = await temporaryFolder()
    const storage = at(directory, () => {
      throw new Error('EOPNOTSUPP')
    })
    await storage.open()
    expect(readLock(directory).locksFile).toBe(false)
  })
})

describe('a full disk', () => {
  const inode = (directory: string, name: string): number => statSync(join(directory, name)).ino

  test('is no hindrance: the lock file is a file that was there before', async () => {
    const directory = await temporaryFolder()
    const storage = at(directory)
    await storage.open()
    await storage.close()
    const spare = inode(directory, 'lock.spare')
    const blocks = statSync(join(directory, 'lock.spare')).blocks
    await storage.open()
    expect(inode(directory, 'lock')).toBe(spare)
    expect(statSync(join(directory, 'lock')).blocks).toBe(blocks)
  })

  test('is no hindrance after a kill either: the spare is used, and the dead one is the next spare', async () => {
    const directory = await temporaryFolder()
    const owner = start('own.mjs', [directory])
    await owner.line()
    await owner.kill()
    const [dead, spare] = [inode(directory, 'lock'), inode(directory, 'lock.spare')]
    await at(directory).open()
    expect([inode(directory, 'lock'), inode(directory, 'lock.spare')]).toEqual([spare, dead])
  })

  test('a refused opener gives the spare back', async () => {
    const directory = await temporaryFolder()
    await at(directory).open()
    const spare = inode(directory, 'lock.spare')
    await refusal(at(directory).open(), 'ERR_LOCKED')
    expect(inode(directory, 'lock.spare')).toBe(spare)
  })
})
