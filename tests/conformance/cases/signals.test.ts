/**
 * Every call that takes a signal: one that was aborted before keeps it from beginning, one that aborts later ends the
 * waiting, and both reject with the very reason of the signal. Whatever ends a call, it lets go of the signal.
 */
import { type Box, memoryStorage, open, type Queue, type Storage } from 'ackbox'
import { describe, expect, it, onTestFinished } from 'vitest'

import { makeInMemory, openOn } from '../support/boxes.ts'
import { gate, type Gate, isPending, manualClock } from '../support/clock.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

/** A signal that counts who listens to it. */
class CountingController extends AbortController {
  listeners = 0

  constructor() {
    super()
    const { signal } = this
    const { addEventListener, removeEventListener } = signal
    const listening = new Set<unknown>()
    signal.addEventListener = (type: string, listener: never, ...rest: never[]) => {
      listening.add(listener)
      this.listeners = listening.size
      addEventListener.call(signal, type, listener, ...rest)
    }
    signal.removeEventListener = (type: string, listener: never, ...rest: never[]) => {
      listening.delete(listener)
      this.listeners = listening.size
      removeEventListener.call(signal, type, listener, ...rest)
    }
  }
}

interface Place {
  readonly box: Box
  readonly queue: Queue<number>
  readonly storage: InjectedStorage
  readonly slow: Gate
}

async function place(): Promise<Place> {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  return { box, queue: box.queue<number>('jobs'), storage, slow: gate() }
}

/** A call that waits, until `finish` lets it come to its end. */
interface Case {
  readonly call: (place: Place, signal: AbortSignal) => Promise<unknown>
  readonly finish: (place: Place) => unknown
  /** What the call needs. */
  readonly given?: (place: Place) => unknown
}

const enqueueOne = ({ queue }: Place): Promise<unknown> => queue.enqueue(1)

const CASES: Record<string, Case> = {
  enqueue: {
    given: ({ storage }) => storage.hold(),
    call: ({ queue }, signal) => queue.enqueue(1, { signal }),
    finish: ({ storage }) => storage.release(),
  },
  'enqueue through middleware': {
    given: ({ storage, box }) => {
      storage.hold()
      box.use({ enqueue: (_, next) => next() })
    },
    call: ({ queue }, signal) => queue.enqueue(1, { signal }),
    finish: ({ storage }) => storage.release(),
  },
  enqueueMany: {
    given: ({ storage }) => storage.hold(),
    call: ({ queue }, signal) => queue.enqueueMany([{ body: 1 }, { body: 2, signal }]),
    finish: ({ storage }) => storage.release(),
  },
  'enqueueMany through middleware': {
    given: ({ storage, box }) => {
      storage.hold()
      box.use({ enqueue: (_, next) => next() })
    },
    call: ({ queue }, signal) => queue.enqueueMany([{ body: 1, signal }, { body: 2, signal }]),
    finish: ({ storage }) => storage.release(),
  },
  dequeue: { call: ({ queue }, signal) => queue.dequeue({ waitMs: 60_000, signal }), finish: enqueueOne },
  dequeueMany: { call: ({ queue }, signal) => queue.dequeueMany(5, { waitMs: 60_000, signal }), finish: enqueueOne },
  finished: {
    call: ({ queue }, signal) => queue.finished('a', { signal }),
    finish: async ({ queue }) => {
      await queue.enqueue(1, { id: 'a' })
      await queue.drain(() => {})
    },
  },
  idle: { given: enqueueOne, call: ({ queue }, signal) => queue.idle({ signal }), finish: ({ queue }) => queue.drain(() => {}) },
  drain: {
    given: enqueueOne,
    call: ({ queue, slow }, signal) => queue.drain(() => slow.promise, { signal }),
    finish: ({ slow }) => slow.open(),
  },
  'consume().next': {
    call: async ({ queue }, signal) => {
      const messages = queue.consume({ signal })
      await messages.next()
      await messages.return!()
    },
    finish: enqueueOne,
  },
  'events().next': {
    call: async ({ queue }, signal) => {
      const events = queue.events({ signal })
      await events.next()
      await events.return!()
    },
    finish: enqueueOne,
  },
}

describe.each(Object.entries(CASES))('%s', (_, { call, finish, given }) => {
  it('does not begin when the signal is aborted', async () => {
    const here = await place()
    await given?.(here)
    const reason = { why: 'before' }
    const stop = new CountingController()
    stop.abort(reason)
    expect(await call(here, stop.signal).then(() => undefined, (error: unknown) => error)).toBe(reason)
    expect(here.box.health()).toMatchObject({ workers: 0, running: 0, waiting: 0 })
    expect(stop.listeners).toBe(0)
  })

  it('ends with the reason of the signal [A10 abort]', async () => {
    const here = await place()
    await given?.(here)
    const reason = { why: 'meanwhile' }
    const stop = new CountingController()
    const called = call(here, stop.signal).then(() => undefined, (error: unknown) => error)
    expect(await isPending(called)).toBe(true)
    stop.abort(reason)
    expect(await called).toBe(reason)
    expect(stop.listeners).toBe(0)
  })

  it('lets go of the signal when it is done', async () => {
    const here = await place()
    await given?.(here)
    const stop = new CountingController()
    const called = call(here, stop.signal)
    expect(await isPending(called)).toBe(true)
    expect(stop.listeners).toBeGreaterThan(0)
    await finish(here)
    await called
    expect(stop.listeners).toBe(0)
  })

  it('lets go of the signal when its box ends', async () => {
    const here = await place()
    await given?.(here)
    here.box.on('error', () => {})
    const stop = new CountingController()
    const called = call(here, stop.signal)
    called.catch(() => {})
    expect(await isPending(called)).toBe(true)
    here.storage.release()
    here.storage.failNext(new Error('the disk is gone'))
    await here.queue.enqueue(1).catch(() => {})
    await here.queue.pause().catch(() => {})
    await here.box.close({ timeoutMs: 0 })
    await Promise.allSettled([called])
    expect(stop.listeners).toBe(0)
  })
})

describe('open [A1 signal]', () => {
  const opened = (storage: Storage, signal: AbortSignal): Promise<Box> => open(storage, { clock: manualClock(), signal })

  it('does not begin when the signal is aborted', async () => {
    const storage = memoryStorage()
    await expect(opened(storage, AbortSignal.abort('before'))).rejects.toBe('before')
    const box = await open(storage)
    await box.close()
  })

  it.each(['open', 'read'] as const)('ends while the storage is at %s, and leaves it free', async (at) => {
    const memory = memoryStorage()
    const first = await open(memory, { clock: manualClock() })
    await first.queue('jobs').enqueue(1, { id: 'kept' })
    await first.close()

    const held = gate()
    const reached = gate()
    const storage: Storage = Object.create(memory, {
      durability: { value: memory.durability },
      [at]: {
        value: async (...args: never[]): Promise<unknown> => {
          reached.open()
          await held.promise
          return (memory[at] as (...args: never[]) => unknown)(...args)
        },
      },
    }) as Storage
    for (const call of ['open', 'append', 'read', 'truncate', 'remove', 'close'] as const) {
      if (call !== at) Object.defineProperty(storage, call, { value: (...args: never[]) => (memory[call] as (...args: never[]) => unknown)(...args) })
    }
    const stop = new CountingController()
    const opening = opened(storage, stop.signal)
    await reached.promise
    stop.abort('enough')
    await expect(opening).rejects.toBe('enough')
    held.open()
    await isPending(opening)
    const box = await open(memory, { clock: manualClock() })
    onTestFinished(async () => void (await box.close()))
    expect(await box.queue('jobs').get('kept')).toMatchObject({ state: 'ready' })
    expect(stop.listeners).toBe(0)
  })

  it('lets go of the signal when it is done', async () => {
    const stop = new CountingController()
    const box = await opened(memoryStorage(), stop.signal)
    expect(stop.listeners).toBe(0)
    stop.abort()
    await box.queue('jobs').enqueue(1)
    await box.close()
  })
})

it('close is not refused by its signal: it ends the waiting for handlers, and lets go of the signal', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const worker = queue.process(() => new Promise<void>(() => {}))
  await queue.enqueueMany([{ body: 1 }])
  const stops = [new CountingController(), new CountingController()]
  const closings = [worker.close({ signal: stops[0]!.signal }), box.close({ signal: stops[1]!.signal })]
  expect(await Promise.all(closings.map(isPending))).toEqual([true, true])
  expect(stops.map(({ listeners }) => listeners)).toEqual([1, 1])
  stops[1]!.abort('now')
  expect(await Promise.all(closings)).toEqual([{ returned: 1 }, { returned: 1 }])
  expect(stops.map(({ listeners }) => listeners)).toEqual([0, 0])
  await box.closed
  const aborted = await (await makeInMemory()).box.close({ signal: AbortSignal.abort('before') })
  expect(aborted).toEqual({ returned: 0 })
})

it('a listener lets go of its signal when it is taken away, or had its one event', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const stop = new CountingController()
  const off = queue.on('enqueued', () => {}, { signal: stop.signal })
  queue.on('enqueued', () => {}, { signal: stop.signal, once: true })
  expect(stop.listeners).toBe(2)
  off()
  await queue.enqueue(1)
  await isPending(queue.idle())
  expect(stop.listeners).toBe(0)
  queue.on('enqueued', () => {}, { signal: AbortSignal.abort() })()
})
