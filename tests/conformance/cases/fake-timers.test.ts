/** Fake timers of test runners hold no box up, neither one with a clock of its own nor one that lives by the system's. */
import { setImmediate as realTurn } from 'node:timers'

import FakeTimers from '@sinonjs/fake-timers'
import { constant, memoryStorage, open, type Box, type Clock, type Storage } from 'ackbox'
import { fileStorage } from 'ackbox/file'
import { manualClock } from 'ackbox/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { temporaryFolder } from '../support/boxes.ts'
import { record } from '../support/events.ts'

/** What Vitest and Jest replace when they are asked to, and all that their library can. */
const FAKES: [string, () => () => void][] = [
  [
    'vi.useFakeTimers()',
    () => {
      vi.useFakeTimers()
      return () => vi.useRealTimers()
    },
  ],
  [
    'vi.useFakeTimers of everything',
    () => {
      vi.useFakeTimers({ toFake: [...EVERYTHING] })
      return () => vi.useRealTimers()
    },
  ],
  [
    'the fake timers of Jest',
    () => {
      const installed = FakeTimers.install({ toFake: [...EVERYTHING], now: 0 })
      return () => installed.uninstall()
    },
  ],
]

/** Without `process.nextTick`, on which Node's own streams live, those of the test runner too. */
const EVERYTHING = [
  'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'Date', 'performance',
  'queueMicrotask', 'hrtime',
] as const

const STORAGES: [string, () => Promise<Storage>][] = [
  ['memoryStorage', async () => memoryStorage()],
  ['fileStorage', async () => fileStorage({ directory: await temporaryFolder() })],
]

describe.each(FAKES)('under %s', (_, install) => {
  let uninstall = (): void => {}
  beforeEach(() => {
    uninstall = install()
  })
  afterEach(() => uninstall())

  it('timers are fake indeed', async () => {
    let fired = false
    setTimeout(() => (fired = true), 0)
    await new Promise<void>((resolve) => realTurnOf(resolve))
    await new Promise<void>((resolve) => realTurnOf(resolve))
    expect(fired).toBe(false)
  })

  describe.each(STORAGES)('a box over %s', (_, place) => {
    it('with a manual clock retries, waits and closes as the clock is moved', async () => {
      const clock = manualClock()
      const box = await open(await place(), { clock })
      const queue = await failsOnce(box, 5_000)
      await queue.retried
      await clock.advance(4_999)
      expect(queue.attempts).toEqual([1])
      await clock.advance(1)
      await queue.completed
      expect(queue.attempts).toEqual([1, 2])
      const waiting = box.queue('empty').dequeue({ waitMs: 1_000 })
      await clock.next()
      expect(await waiting).toBeUndefined()
      await box.close()
    })

    it('by the system’s clock retries, waits and closes by itself', async () => {
      const box = await open(await place())
      const queue = await failsOnce(box, 2)
      await queue.completed
      expect(queue.attempts).toEqual([1, 2])
      expect(await box.queue('empty').dequeue({ waitMs: 2 })).toBeUndefined()
      await box.close()
    })
  })

  it('a box that another one has is waited for', async () => {
    const storage = memoryStorage()
    const owner = await open(storage)
    const waiting = open(storage, { whenLocked: 'wait' })
    await owner.close()
    await (await waiting).close()
    const other = await open(storage)
    await expect(open(storage, { whenLocked: 'wait', lockWaitMs: 2 })).rejects.toMatchObject({ code: 'ERR_LOCKED' })
    await other.close()
  })

  it('a clock that lives by the fake timers moves with them', async () => {
    const clock: Clock = {
      now: () => Date.now(),
      setTimeout: (fn, ms) => {
        const id = setTimeout(fn, ms)
        return Object.assign({ id, ref() {}, unref() {} })
      },
      clearTimeout: (handle) => clearTimeout((handle as { id?: NodeJS.Timeout }).id),
    }
    const box = await open(memoryStorage(), { clock })
    const queue = await failsOnce(box, 60_000)
    await queue.retried
    await moveFakeTimers(60_000)
    await queue.completed
    expect(queue.attempts).toEqual([1, 2])
    await box.close()
  })
})

const realTurnOf = realTurn

/** Vitest's are moved by Vitest, those that were installed by hand by their own clock. */
async function moveFakeTimers(ms: number): Promise<void> {
  const { clock } = setTimeout as unknown as { clock: { tickAsync(ms: number): Promise<number> } }
  await clock.tickAsync(ms)
}

async function failsOnce(box: Box, delayMs: number) {
  const queue = box.queue<number>('jobs', { backoff: constant(delayMs) })
  const seen = record(queue)
  const attempts: number[] = []
  queue.process(({ attempt }) => {
    attempts.push(attempt)
    if (attempt === 1) throw new Error('once')
  })
  await queue.enqueue(1)
  return { attempts, retried: seen.until('retry'), completed: seen.until('completed') }
}
