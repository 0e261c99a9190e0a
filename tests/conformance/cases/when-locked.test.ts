/** `whenLocked: 'wait'`: a box opens as soon as its owner is done with it, and says who has it when the time is up. */
import { AckboxError, memoryStorage, open, type Box, type OpenOptions, type Storage } from 'ackbox'
import { fileStorage } from 'ackbox/file'
import { describe, expect, it, onTestFinished } from 'vitest'

import { openOn, temporaryFolder } from '../support/boxes.ts'
import { isPending, manualClock, turns } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { InjectedStorage } from '../support/injected-storage.ts'
import { start } from '../storage/support/child.ts'

type Place = () => Promise<() => Storage>

const PLACES: [string, Place][] = [
  [
    'memoryStorage',
    async () => {
      const storage = memoryStorage()
      return () => storage
    },
  ],
  [
    'fileStorage',
    async () => {
      const directory = await temporaryFolder()
      return () => fileStorage({ directory })
    },
  ],
]

/** Opens; what came of it is closed when the test ends. */
function waitFor(storage: Storage, options: OpenOptions): Promise<Box> {
  const opening = open(storage, { whenLocked: 'wait', ...options })
  onTestFinished(() => opening.then((box) => box.close()).then(() => {}, () => {}))
  return opening
}

describe.each(PLACES)('waiting for a box of this process, %s', (_, place) => {
  it('ends at once when it is closed, without any time passing', async () => {
    const storage = await place()
    const clock = manualClock()
    const owner = await openOn(storage(), { clock })
    await owner.queue('jobs').enqueue(1, { id: 'a' })
    const opening = waitFor(storage(), { clock })
    await clock.advance()
    const before = clock.now()
    await owner.close()
    const box = await opening
    expect(clock.now()).toBe(before)
    expect(await box.queue('jobs').get('a')).toMatchObject({ state: 'ready' })
  })

  it('ends after 30 seconds with who has it', async () => {
    const storage = await place()
    const clock = manualClock()
    const owner = await openOn(storage(), { clock })
    const opening = waitFor(storage(), { clock })
    await clock.advance(29_999)
    expect(await isPending(opening)).toBe(true)
    const refused = refusal(opening, 'ERR_LOCKED', /waited for it for 30000 ms/)
    await clock.advance(1)
    const { details, cause } = await refused
    expect(details).toMatchObject({ pid: process.pid, since: expect.any(Number), sameProcess: true })
    expect(AckboxError.is(cause, 'ERR_LOCKED')).toBe(true)
    expect(await owner.queue('jobs').enqueue(1)).toMatchObject({ status: 'accepted' })
  })

  it('takes turns: one owner at a time', async () => {
    const storage = await place()
    const clock = manualClock()
    const owner = await openOn(storage(), { clock })
    let owners = 0
    const turnsTaken = [1, 2, 3].map(async (n) => {
      const box = await waitFor(storage(), { clock })
      owners += 1
      expect(owners).toBe(1)
      await box.queue('jobs').enqueue(n)
      owners -= 1
      await box.close()
    })
    await clock.advance()
    await owner.close()
    await Promise.all(turnsTaken)
    const last = await openOn(storage(), { clock })
    expect((await last.queue<number>('jobs').peek()).map(({ body }) => body).sort()).toEqual([1, 2, 3])
  })

  it('ends with the reason of its signal, and takes nothing later', async () => {
    const storage = await place()
    const clock = manualClock()
    const owner = await openOn(storage(), { clock })
    const controller = new AbortController()
    const opening = waitFor(storage(), { clock, signal: controller.signal })
    await clock.advance(500)
    const reason = new Error('no patience')
    controller.abort(reason)
    await expect(opening).rejects.toBe(reason)
    await owner.close()
    await clock.advance(30_000)
    await openOn(storage(), { clock })
  })
})

describe('waiting for a box of another process', () => {
  it.each(['kill', 'finish'] as const)('ends soon after its %s', async (end) => {
    const directory = await temporaryFolder()
    const owner = start('own.mjs', [directory])
    await owner.line()
    const clock = manualClock()
    const opening = waitFor(fileStorage({ directory }), { clock })
    await clock.advance(5_000)
    expect(await isPending(opening)).toBe(true)
    await owner[end]()
    await clock.advance(1_000)
    expect(await isPending(opening)).toBe(false)
    expect((await opening).health().ok).toBe(true)
  })

  it('ends with its pid when the time is up [A1 lockWaitMs]', async () => {
    const directory = await temporaryFolder()
    const owner = start('own.mjs', [directory])
    await owner.line()
    const clock = manualClock()
    const refused = refusal(waitFor(fileStorage({ directory }), { clock, lockWaitMs: 100 }), 'ERR_LOCKED', /100 ms/)
    await clock.advance(100)
    expect((await refused).details).toMatchObject({ pid: owner.pid, sameProcess: false })
  })
})

describe('whenLocked [A1 whenLocked]', () => {
  /** Notes when it was asked. */
  class AskedStorage extends InjectedStorage {
    readonly asked: number[] = []
    readonly #now: () => number

    constructor(now: () => number) {
      super()
      this.#now = now
    }

    override async open(): Promise<{ segment: number; bytes: number }[]> {
      this.asked.push(this.#now())
      return super.open()
    }
  }

  it("'wait' asks by the clock that it was given: ever more seldom, at last once a second [A1 lockWaitMs]", async () => {
    const clock = manualClock({ start: 0 })
    const storage = new AskedStorage(() => clock.now())
    await storage.open()
    const refused = refusal(waitFor(storage, { clock, lockWaitMs: 4_000 }), 'ERR_LOCKED')
    await turns(100)
    expect(storage.asked).toEqual([0, 0])
    await clock.advance(4_000)
    await refused
    expect(storage.asked.slice(1)).toEqual([0, 25, 75, 175, 375, 775, 1_575, 2_575, 3_575, 4_000])
  })

  it.each<[string, (storage: AskedStorage, abort: () => void) => void]>([
    ['between two questions', (_, abort) => setImmediate(abort)],
    [
      'during a question',
      (storage, abort) => {
        const ask = storage.open.bind(storage)
        storage.open = () => {
          abort()
          return ask()
        }
      },
    ],
  ])("'wait' asks no more once it was given up %s", async (_, prepare) => {
    const clock = manualClock()
    const storage = new AskedStorage(() => 0)
    await storage.open()
    const controller = new AbortController()
    prepare(storage, () => controller.abort(new Error('gone')))
    await expect(waitFor(storage, { clock, signal: controller.signal })).rejects.toThrow('gone')
    await clock.advance(30_000)
    expect(storage.asked).toHaveLength(2)
  })

  it("'wait' with no time to wait asks once", async () => {
    const clock = manualClock()
    const storage = new AskedStorage(() => 0)
    await storage.open()
    await refusal(waitFor(storage, { clock, lockWaitMs: 0 }), 'ERR_LOCKED', /waited for it for 0 ms/)
    expect(storage.asked).toHaveLength(2)
  })

  it("'wait' passes on what is no lock at once", async () => {
    const storage = new InjectedStorage()
    storage.open = () => Promise.reject(new Error('disk on fire'))
    await refusal(waitFor(storage, { clock: manualClock() }), 'ERR_STORAGE_FAILED', /disk on fire/)
  })

  it("'wait' hears of an owner that closes while the storage is being asked", async () => {
    const clock = manualClock()
    const storage = new InjectedStorage()
    const owner = await openOn(storage, { clock })
    const ask = storage.open.bind(storage)
    let closed: Promise<unknown> | undefined
    storage.open = async () => {
      if (closed !== undefined) return ask()
      const answer = ask()
      closed = owner.close()
      await closed
      return answer
    }
    const before = clock.now()
    await waitFor(storage, { clock })
    expect(clock.now()).toBe(before)
  })

  it("'wait' given up while the storage is being asked gives the storage back", async () => {
    const clock = manualClock()
    const storage = new InjectedStorage()
    const ask = storage.open.bind(storage)
    const controller = new AbortController()
    storage.open = async () => {
      controller.abort(new Error('gone'))
      await turns()
      return ask()
    }
    await expect(waitFor(storage, { clock, signal: controller.signal })).rejects.toThrow('gone')
    await turns(20)
    storage.open = ask
    await openOn(storage, { clock })
  })

  it("'reject' is what it does by default", async () => {
    const storage = memoryStorage()
    await openOn(storage, {})
    await refusal(open(storage), 'ERR_LOCKED')
    await refusal(open(storage, { whenLocked: 'reject', lockWaitMs: 5 }), 'ERR_LOCKED')
  })

  it.each<[OpenOptions | Record<string, unknown>, RegExp]>([
    [{ lockWaitMs: -1 }, /lockWaitMs.*-1/],
    [{ lockWaitMs: Number.NaN }, /lockWaitMs.*NaN/],
    [{ lockWaitMs: '5' }, /lockWaitMs.*'5'/],
    [{ whenLocked: 'steal' }, /'reject' or 'wait' or 'share', got 'steal'/],
  ])('%j is refused', async (options, message) => {
    await refusal(open(memoryStorage(), options as OpenOptions), 'ERR_INVALID_OPTION', message)
  })
})
