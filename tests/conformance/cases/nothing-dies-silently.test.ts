/**
 * Everything that users inject may fail. Each row makes one of these functions fail and says where that comes out: at the
 * call, with the message, as a warning, or as the end of the box. What is no end leaves the worker at work.
 */
import {
  type Box,
  bytes,
  type Clock,
  type DeadLetter,
  httpErrors,
  memoryStorage,
  open,
  type Queue,
  type QueueOptions,
  type Receipt,
  type Storage,
  type Warning,
} from 'ackbox'
import { fileStorage } from 'ackbox/file'
import { faultyStorage } from 'ackbox/testing'
import { describe, expect, it, onTestFinished } from 'vitest'

import { makeInMemory, temporaryFolder } from '../support/boxes.ts'
import { manualClock, turns } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record, type Recorder } from '../support/events.ts'
import { IN_BROWSER, nextWarning } from '../support/platform.ts'

const boom = (): never => {
  throw new Error('boom')
}
const rejecting = async (): Promise<never> => boom()

/** What nobody can look at. */
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** A box with a queue of one worker, whose first message meets what fails. */
interface Scene {
  readonly box: Box
  readonly queue: Queue<unknown>
  readonly seen: Recorder
  readonly warnings: Warning[]
  /** What the handler does with the first message; after that it returns. */
  first: (message: never) => unknown
}

async function scene(options: QueueOptions<never> = {}): Promise<Scene> {
  const { box } = await makeInMemory()
  const queue = box.queue<unknown>('jobs', { maxAttempts: 1, ...(options as object) })
  const made: Scene = { box, queue, seen: record(queue), warnings: [], first: () => {} }
  box.on('warning', (warning) => made.warnings.push(warning))
  let handle = (message: never): unknown => {
    handle = () => {}
    return made.first(message)
  }
  queue.process((message) => handle(message as never) as void)
  return made
}

/** The worker lives: the next message is completed. */
async function goesOn({ queue, seen }: Scene, body: unknown = 'next'): Promise<void> {
  const before = seen.of('completed').length
  await queue.enqueue(body)
  await seen.until('completed', before + 1)
}

const warned = (message: RegExp) => expect.objectContaining({ message: expect.stringMatching(message), cause: expect.objectContaining({ message: 'boom' }) })

describe('the error of the handler', () => {
  const then = { get then() { return boom() } }
  it.each<[string, (message: never) => unknown, object]>([
    ['that throws', boom, { message: 'boom' }],
    ['that rejects', rejecting, { message: 'boom' }],
    ['that gives a thenable which cannot be looked at', () => then, { message: 'boom' }],
    ['that gives a thenable which rejects', () => ({ then: (_: unknown, reject: (e: Error) => void) => reject(new Error('boom')) }), { message: 'boom' }],
    ['that throws nothing', () => { throw undefined }, { message: expect.stringMatching(/threw undefined/) }],
    ['that throws what cannot be looked at', () => { throw revoked() }, { name: 'Error' }],
  ])('%s is in the dead letter', async (_, fails, error) => {
    const made = await scene()
    made.first = fails
    const { id } = await made.queue.enqueue('first')
    await made.seen.until('dead')
    expect(await made.queue.dead.get(id)).toMatchObject({ reason: 'exhausted', error } satisfies Partial<Record<keyof DeadLetter, unknown>>)
    await goesOn(made)
  })

  it.each([
    ['middleware that throws', boom],
    ['middleware that rejects', rejecting],
  ])('%s around it counts as the handler', async (_, deliver) => {
    const made = await scene()
    const off = made.box.use({ deliver })
    await made.queue.enqueue('first')
    expect((await made.seen.until('dead')).error).toMatchObject({ message: 'boom' })
    off()
    await goesOn(made)
  })
})

describe('what decides about a retry', () => {
  it.each<[string, () => unknown]>([
    ['throws', boom],
    ['gives no number', () => NaN],
    ['gives a time before now', () => -1],
    ['gives a promise', () => Promise.resolve(1)],
  ])('a backoff function that %s gives way to the default, with a warning', async (_, backoff) => {
    const made = await scene({ backoff: backoff as () => number, maxAttempts: 2 })
    made.first = boom
    await made.queue.enqueue('first')
    expect((await made.seen.until('retry')).delayMs).toBeGreaterThanOrEqual(1_000)
    expect(made.warnings).toEqual([expect.objectContaining({ message: expect.stringMatching(/backoff/), queue: 'jobs', cause: expect.any(Error) })])
    await goesOn(made)
  })

  it.each<[string, () => unknown]>([
    ['throws', boom],
    ['gives no verdict', () => 'maybe'],
    ['gives a promise that rejects', rejecting],
  ])('classify that %s is as if it were not there, with a warning', async (_, classify) => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs', { maxAttempts: 2 })
    const warnings: Warning[] = []
    box.on('warning', (warning) => warnings.push(warning))
    await queue.enqueue(1)
    expect(await queue.drain(boom, { classify: classify as () => undefined })).toMatchObject({ retried: 1 })
    expect(warnings).toEqual([expect.objectContaining({ message: expect.stringMatching(/classify/), cause: expect.any(Error) })])
  })
})

describe('the clock of httpErrors', () => {
  const refused = { status: 429, headers: { 'retry-after': 'Fri, 07 Nov 2031 08:49:37 GMT' } }
  it.each<[string, () => unknown]>([
    ['throws', boom],
    ['gives no time', () => NaN],
  ])('that %s: as if httpErrors were not there, with a warning', async (_, now) => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs', { maxAttempts: 2 })
    const warnings: Warning[] = []
    box.on('warning', (warning) => warnings.push(warning))
    await queue.enqueue(1)
    const classify = httpErrors({ clock: { now: now as () => number } })
    expect(await queue.drain(() => { throw Object.assign(new Error('too many'), refused) }, { classify })).toMatchObject({ retried: 1 })
    expect(warnings).toEqual([expect.objectContaining({ message: expect.stringMatching(/classify/), cause: expect.any(Error) })])
  })
})

describe('what is called for an enqueue rejects it', () => {
  const standard = (validate: () => unknown): never => ({ '~standard': { version: 1, vendor: 'test', validate } }) as never
  it.each<[string, QueueOptions<never>]>([
    ['codec.encode that throws', { codec: { encode: boom, decode: boom } }],
    ['codec.encode that gives no bytes', { codec: { encode: () => 'text' as never, decode: boom } }],
    ['a schema that throws', { schema: standard(boom) }],
    ['a schema that rejects', { schema: standard(rejecting) }],
    ['a schema that throws what cannot be looked at', { schema: standard(() => { throw revoked() }) }],
    ['id that throws', { id: boom }],
    ['group that throws', { group: boom }],
    ['destination that throws', { destination: boom }],
  ])('%s', async (_, options) => {
    const made = await scene(options)
    await refusal(made.queue.enqueue('first'), 'ERR_INVALID_BODY')
    await refusal(made.queue.enqueueMany([{ body: 'first' }]), 'ERR_INVALID_BODY')
    expect(await made.queue.stats()).toMatchObject({ enqueued: 0 })
  })

  it.each<[string, (made: Scene) => Promise<Receipt | Receipt[]>]>([
    ['middleware that throws', ({ box, queue }) => (box.use({ enqueue: boom }), queue.enqueue('first'))],
    ['middleware that rejects', ({ box, queue }) => (box.use({ enqueue: rejecting }), queue.enqueueMany([{ body: 'first' }]))],
    ['an iterable that throws', ({ queue }) => queue.enqueueMany({ [Symbol.iterator]: boom })],
    ['toJSON that throws', ({ queue }) => queue.enqueue({ toJSON: boom })],
  ])('%s', async (_, enqueue) => {
    const made = await scene()
    await expect(enqueue(made)).rejects.toThrow('boom')
    expect(await made.queue.stats()).toMatchObject({ enqueued: 0 })
  })
})

describe('what is called for a delivery makes a dead letter of it', () => {
  const schema = (validate: () => unknown): never => ({ '~standard': { version: 1, vendor: 'test', validate } }) as never
  it.each<[string, string, QueueOptions<never>]>([
    ['codec.decode that throws', 'invalid', { codec: { encode: boom, decode: boom } }],
    ['a schema that throws, when attempts ran out', 'exhausted', { schema: schema(boom) }],
    ['a schema that rejects, when attempts ran out', 'exhausted', { schema: schema(rejecting) }],
  ])('%s', async (_, reason, options) => {
    const made = await scene()
    await made.queue.pause()
    const { id } = await made.queue.enqueue('first')
    made.box.queue('jobs', options)
    await made.queue.resume()
    await made.seen.until('dead')
    expect(await made.queue.dead.get(id)).toMatchObject({ reason, error: { message: expect.stringMatching(/boom/) } })
    made.box.queue('jobs', { codec: bytes as never, schema: schema(() => ({ value: 1 })) })
    await goesOn(made, new Uint8Array())
  })
})

describe('who only listens or looks is told of by a warning [A1 reports]', () => {
  it.each<[string, (made: Scene) => unknown, RegExp]>([
    ['a listener that throws', ({ queue }) => queue.on('started', boom), /listener of 'started'/],
    ['a listener that rejects', ({ queue }) => queue.on('completed', rejecting as never), /listener of 'completed'/],
    ['a subscriber of a watch', ({ queue }) => queue.watch().subscribe(boom), /watch.*listener/],
  ])('%s', async (_, listen, message) => {
    const made = await scene()
    listen(made)
    await goesOn(made)
    await turns()
    expect(made.warnings).toContainEqual(warned(message))
    await goesOn(made)
  })

  it('a listener of a worker', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    const warning = new Promise<Warning>((resolve) => box.on('warning', resolve))
    queue.process(() => {}).on('finished', boom)
    await queue.enqueue(1)
    expect(await warning).toEqual(warned(/listener of 'finished'/))
    await queue.idle()
  })

  it('a result that cannot be encoded', async () => {
    const made = await scene()
    made.first = () => ({ toJSON: boom })
    await goesOn(made)
    expect(made.warnings).toEqual([expect.objectContaining({ message: expect.stringMatching(/results/) })])
    await goesOn(made)
  })

  it('a listener of warnings goes to process.emitWarning', async () => {
    const made = await scene()
    made.box.on('warning', boom)
    const told = nextWarning()
    made.queue.on('enqueued', boom)
    await goesOn(made)
    expect((await told).message).toMatch(/listener of 'warning' failed: boom/)
    await goesOn(made)
  })
})

describe('what a box cannot live without ends it [A1 closed]', () => {
  const closing = { read: async () => new Uint8Array(), close: async () => {} }

  /** A storage or clock of which one call fails from now on. */
  interface Fragile {
    broken: string | undefined
    readonly storage: Storage
    readonly clock: Clock
  }

  function fragile(how: () => unknown, beneath: Storage = memoryStorage()): Fragile {
    const made: { broken: string | undefined } = { broken: undefined }
    const failing = <T extends object>(target: T): T =>
      new Proxy(target, {
        get(_, name) {
          const value: unknown = Reflect.get(target, name)
          if (typeof value !== 'function') return value
          return (...args: unknown[]): unknown => (made.broken === name ? how() : (value as (...args: unknown[]) => unknown).apply(target, args))
        },
      })
    return Object.assign(made, { storage: failing(beneath), clock: failing(manualClock() as Clock) })
  }

  /** Everything that tells the end of a box, and that its calls come back. */
  async function end(made: Fragile, code: string, cause: unknown = 'boom'): Promise<void> {
    const box = await open(made.storage, { clock: made.clock, segmentBytes: 4_096, maxMemoryBytes: 0 })
    onTestFinished(async () => {
      made.broken = undefined
      await box.close({ timeoutMs: 0 }).catch(() => {})
    })
    const errors: unknown[] = []
    box.on('error', (error) => errors.push(error))
    const [queue, worked] = [box.queue<string>('jobs'), box.queue<string>('worked')]
    const worker = worked.process(() => {})
    await queue.enqueueMany(Array.from({ length: 20 }, () => ({ body: 'x'.repeat(500) })))
    await queue.enqueue('later', { delayMs: 1_000 })
    const listening = [queue.events().next(), queue.consume().next().then(() => queue.consume({ prefetch: 1 }).next())]
    made.broken = made.broken ?? wanted
    const pending = [box.closed, worker.closed, queue.events().next(), worked.dequeue({ waitMs: 1_000 }), queue.drain(() => {})]
    // Everything at once: storage is written, read and cleaned, and the clock is asked.
    const provoked = [queue.enqueue('last'), queue.enqueue('soon', { delayMs: 10 }), queue.purge(), queue.peek(), queue.finished('never')]
    for (const rejected of [...pending, ...provoked, ...listening]) rejected.catch(() => {})
    const reason = await box.closed.then(() => undefined, (error: unknown) => error)
    expect(reason).toMatchObject({ code, cause: expect.objectContaining({ message: cause }) })
    expect(await Promise.allSettled([worker.closed, queue.finished('never')])).toEqual(
      Array(2).fill({ status: 'rejected', reason: expect.objectContaining({ code: expect.stringMatching(/^ERR_(STORAGE_FAILED|ENGINE)$/) }) }),
    )
    await Promise.allSettled([...pending, ...provoked, ...listening])
    await turns()
    expect(errors).toEqual([reason])
    expect(box.health()).toMatchObject({ ok: false, reason: expect.any(String), workers: 0 })
  }

  let wanted = ''

  it.each(['append', 'read', 'remove'])('storage.%s', async (name) => {
    for (const how of [boom, rejecting]) {
      wanted = name
      await end(fragile(how), 'ERR_STORAGE_FAILED')
    }
  })

  it('storage.read that gives something else', async () => {
    wanted = 'read'
    for (const how of [() => null, async () => new ArrayBuffer(8), async () => new Uint8Array(1)]) {
      await end(fragile(how), 'ERR_STORAGE_FAILED', expect.stringMatching(/storage\.read: expected \d+ bytes/))
    }
  })

  it.each(['now', 'setTimeout', 'clearTimeout'])('clock.%s', async (name) => {
    wanted = name
    await end(fragile(boom), 'ERR_ENGINE')
  })

  it('clock.now that gives no time, clock.setTimeout that gives no timer', async () => {
    for (const nothing of [undefined, NaN, 'now', -1]) {
      wanted = 'now'
      await end(fragile(() => nothing), 'ERR_ENGINE', expect.stringMatching(/milliseconds since 1970/))
    }
    wanted = 'setTimeout'
    await end(fragile(() => 5), 'ERR_ENGINE', expect.stringMatching(/handle with ref and unref, got 5/))
  })

  it.each<[string, () => unknown, string, RegExp]>([
    ['storage.open that throws', boom, 'open', /boom/],
    ['storage.open that rejects', rejecting, 'open', /boom/],
    ['storage.open that gives no list', async () => 'none', 'open', /storage\.open: expected a list.*'none'/],
    ['storage.openReader that throws', boom, 'openReader', /boom/],
    ['storage.openReader that rejects', rejecting, 'openReader', /boom/],
    ['storage.openReader that gives nothing', async () => undefined, 'openReader', /cannot be opened/],
    ['storage.openReader that gives no list', async () => ({ ...closing, segments: 'none' }), 'openReader', /expected a list.*'none'/],
    ['storage.open that gives other things', async () => [{ segment: 1 }], 'open', /storage\.open: expected a list.*an object/],
  ])('%s: open rejects', async (_, how, broken, message) => {
    const made = fragile(how)
    made.broken = broken
    const readOnly = broken === 'openReader'
    await refusal(open(made.storage, { clock: made.clock, readOnly }), 'ERR_STORAGE_FAILED', message)
  })

  it.each<[string, () => unknown]>([['throws', boom], ['rejects', rejecting]])('storage.truncate that %s: open rejects', async (_, how) => {
    const beneath = memoryStorage()
    const torn = faultyStorage(beneath, { faults: [{ append: 2, kind: 'torn' }] })
    const box = await open(torn)
    box.on('error', () => {})
    const queue = box.queue<number>('jobs')
    await queue.enqueue(1)
    await refusal(queue.enqueue(2), 'ERR_STORAGE_FAILED')
    await box.close()
    const made = fragile(how, beneath)
    made.broken = 'truncate'
    await refusal(open(made.storage, { clock: made.clock }), 'ERR_STORAGE_FAILED', /boom|maintenance|cut/)
    made.broken = undefined
    const again = await open(made.storage, { clock: made.clock })
    expect(await again.queues()).toMatchObject([{ name: 'jobs', depth: 1 }])
    await again.close()
  })

  it.each<[string, () => unknown, string | RegExp]>([
    ['throws', boom, 'boom'],
    ['rejects', rejecting, 'boom'],
    ['gives too little', async () => new Uint8Array(1), /expected \d+ bytes/],
  ])('reader.read that %s ends the box that looks', async (_, how, message) => {
    const beneath = memoryStorage()
    const owner = await open(beneath)
    onTestFinished(async () => void (await owner.close()))
    await owner.queue<string>('jobs').enqueue('x'.repeat(500))
    const made: { broken: boolean } = { broken: false }
    const storage = Object.assign(Object.create(beneath) as Storage, {
      openReader: async () => {
        const reader = await beneath.openReader!()
        const read = (...args: [number, number, number]) => (made.broken ? (how() as Promise<Uint8Array>) : reader.read(...args))
        return { segments: reader.segments, read, close: () => reader.close() }
      },
    })
    const box = await open(storage, { readOnly: true, maxMemoryBytes: 0 })
    onTestFinished(async () => void (await box.close().catch(() => {})))
    const errors: unknown[] = []
    box.on('error', (error) => errors.push(error))
    made.broken = true
    const looked = await box.queue('jobs').peek().catch((error: unknown) => error)
    const reason = await box.closed.then(() => undefined, (error: unknown) => error)
    expect(reason).toMatchObject({ code: 'ERR_STORAGE_FAILED', cause: { message: typeof message === 'string' ? message : expect.stringMatching(message) } })
    expect(looked).toMatchObject({ code: 'ERR_STORAGE_FAILED' })
    expect(errors).toEqual([reason])
  })

  it('reader.close: close rejects', async () => {
    const beneath = memoryStorage()
    const owner = await open(beneath)
    await owner.queue('jobs').enqueue(1)
    const openReader = async () => {
      const reader = await beneath.openReader!()
      return { segments: reader.segments, read: reader.read.bind(reader), close: rejecting }
    }
    const box = await open(Object.assign(Object.create(beneath) as Storage, { openReader }), { readOnly: true })
    await expect(box.close()).rejects.toThrow('boom')
    await owner.close()
  })

  it('a clock that fails before the box is open: open rejects', async () => {
    const made = fragile(boom)
    made.broken = 'now'
    await refusal(open(made.storage, { clock: made.clock }), 'ERR_ENGINE', /clock\.now.*boom/)
  })

  it('storage.close: close rejects', async () => {
    const made = fragile(rejecting)
    const box = await open(made.storage, { clock: made.clock })
    made.broken = 'close'
    await expect(box.close()).rejects.toThrow('boom')
  })
})

describe.skipIf(IN_BROWSER)('what a file storage asks how much space is left', () => {
  const size = { bsize: 4_096, blocks: 0, bavail: 0 }
  it.each<[string, { readonly readSize?: () => never; readonly clock?: { now(): number } }, RegExp]>([
    ['readSize that throws', { readSize: boom }, /boom/],
    ['readSize that rejects', { readSize: rejecting as never }, /boom/],
    ['readSize that gives no promise', { readSize: () => 'much' as never }, /expected \{ bsize, blocks, bavail \}, got 'much'/],
    ['readSize that gives other things', { readSize: async () => ({ ...size, bavail: NaN }) }, /expected \{ bsize, blocks, bavail \}/],
    ['a clock that throws', { clock: { now: boom } }, /boom/],
  ] as never)('%s is told once by process.emitWarning, and there is no reserve', async (_, options, message) => {
    const told: Error[] = []
    const listen = (warning: Error): void => void told.push(warning)
    process.on('warning', listen)
    onTestFinished(() => void process.off('warning', listen))
    const box = await open(fileStorage({ directory: await temporaryFolder(), ...options }))
    const queue = box.queue<number>('jobs')
    for (const body of [1, 2, 3]) await queue.enqueue(body)
    expect(await queue.drain(() => {})).toMatchObject({ completed: 3 })
    expect(box.health()).toMatchObject({ ok: true, storage: { full: false } })
    await box.close()
    await turns()
    expect(told.map(({ message }) => message)).toEqual([expect.stringMatching(/how much space is left/)])
    expect(told[0]!.message).toMatch(message)
  })
})
