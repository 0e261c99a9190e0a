/** `readOnly`: looking at a box beside its owner, without taking part in anything and without changing a byte. */
import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { bytes, memoryStorage, open, PermanentError, type Box, type DeadLetters, type OpenOptions, type Queue, type Storage } from 'ackbox'
import { fileStorage } from 'ackbox/file'
import { faultyStorage } from 'ackbox/testing'
import { describe, expect, it, onTestFinished } from 'vitest'

import { start } from '../../support/programs.ts'
import { openOn, temporaryFolder } from '../support/boxes.ts'
import { gate, manualClock, turns, type ManualClock } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

/** Where a box is kept, and another handle on the same place. */
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
  [
    'faultyStorage',
    async () => {
      const directory = await temporaryFolder()
      return () => faultyStorage(fileStorage({ directory }))
    },
  ],
]

async function lookAt(storage: Storage | string, options: OpenOptions = {}): Promise<Box> {
  const box = await open(storage, { readOnly: true, ...options })
  onTestFinished(async () => void (await box.close()))
  return box
}

interface Job {
  n: number
}

/** A box at work: a message is being handled, one waits, one waits for its time, one is dead. */
async function atWork(storage: Storage, clock: ManualClock): Promise<{ owner: Box; queue: Queue<Job, object>; finish: () => void }> {
  const owner = await openOn(storage, { clock })
  const queue = owner.queue<Job, object>('jobs')
  const seen = record(queue)
  const held = gate()
  queue.process(async ({ id, body }) => {
    if (id === 'dead') throw new PermanentError('no such card')
    if (id === 'leased') await held.promise
    return { charged: body.n }
  })
  await queue.enqueue({ n: 1 }, { id: 'dead', headers: { trace: 't' } })
  await seen.until('dead')
  await queue.enqueue({ n: 2 }, { id: 'leased', priority: 7 })
  await seen.until('started', 2)
  await queue.enqueue({ n: 3 }, { id: 'ready', group: 'g' })
  await queue.enqueue({ n: 4 }, { id: 'scheduled', delayMs: 60_000 })
  return { owner, queue, finish: held.open }
}

describe.each(PLACES)('a box that is looked at beside its owner, %s', (_, place) => {
  it('shows what its owner sees', async () => {
    const storage = await place()
    const clock = manualClock()
    const { owner, queue } = await atWork(storage(), clock)
    const box = await lookAt(storage(), { clock })
    const seen = box.queue<Job>('jobs')
    expect(await seen.peek()).toEqual(await queue.peek())
    expect((await seen.peek()).map(({ id, state }) => [id, state])).toEqual([
      ['leased', 'leased'],
      ['ready', 'ready'],
      ['scheduled', 'scheduled'],
      ['dead', 'dead'],
    ])
    for (const id of ['dead', 'leased', 'ready', 'scheduled']) {
      expect(await seen.get(id)).toEqual(await queue.get(id))
    }
    expect(await seen.get('dead')).toMatchObject({ body: { n: 1 }, state: 'dead', error: { message: 'no such card' } })
    const letters = []
    for await (const letter of seen.dead.list()) letters.push(letter)
    expect(letters).toEqual([await queue.dead.get('dead')])
    expect(await seen.dead.get('dead')).toEqual(letters[0])
    expect([await seen.dead.count(), await seen.dead.count({ reason: 'expired' })]).toEqual([1, 0])
    const depths = ({ ready, scheduled, leased, deadLetters, bytes }: Awaited<ReturnType<Queue['stats']>>) => [
      ready, scheduled, leased, deadLetters, bytes,
    ]
    expect(depths(await seen.stats())).toEqual(depths(await queue.stats()))
    expect(await box.queues()).toEqual(await owner.queues())
    const { queues, messages, deadLetters } = await box.stats()
    expect([queues, messages, deadLetters]).toEqual([1, 3, 1])
    expect(box.health()).toMatchObject({ ok: true, running: 0, workers: 0 })
  })

  it('stays as it was when it was opened, while its owner goes on', async () => {
    const storage = await place()
    const clock = manualClock()
    const { queue, finish } = await atWork(storage(), clock)
    const done = record(queue)
    const before = await lookAt(storage(), { clock, maxMemoryBytes: 0 })
    finish()
    await done.until('completed', 2)
    await queue.dead.remove({})
    await queue.enqueue({ n: 5 }, { id: 'late', delayMs: 1_000_000 })
    await clock.advance(120_000)
    const seen = before.queue<Job>('jobs')
    expect((await seen.peek()).map(({ id, body, state }) => [id, body?.n, state])).toEqual([
      ['leased', 2, 'leased'],
      ['ready', 3, 'ready'],
      ['scheduled', 4, 'scheduled'],
      ['dead', 1, 'dead'],
    ])
    expect(await seen.dead.count()).toBe(1)
    const after = (await lookAt(storage(), { clock })).queue<Job, object>('jobs')
    expect((await after.peek()).map(({ id }) => id)).toEqual(['late'])
    expect(await after.get('leased')).toEqual(await queue.get('leased'))
    expect(await after.get('leased')).toMatchObject({ state: 'completed', result: { charged: 2 } })
  })

  it('can be looked at by many, and opened meanwhile', async () => {
    const storage = await place()
    const clock = manualClock()
    const first = await atWork(storage(), clock)
    await first.owner.close({ timeoutMs: 0 })
    const lookers = await Promise.all([1, 2, 3].map(() => lookAt(storage(), { clock })))
    const next = await openOn(storage(), { clock })
    await next.queue<Job>('jobs').enqueue({ n: 6 }, { id: 'six' })
    for (const looker of lookers) expect(await looker.queue('jobs').peek()).toHaveLength(4)
    for (const looker of lookers) await looker.close()
    expect(await next.queue<Job>('jobs').peek()).toHaveLength(5)
  })

  it('is not there if there is none', async () => {
    const storage = await place()
    await refusal(open(storage(), { readOnly: true }), 'ERR_NOT_FOUND', /readOnly/)
    await openOn(storage(), {})
  })
})

type Methods<T> = { [K in keyof T & string]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T & string]
/** Each method: `'works'`, or a call that is refused. */
type Calls<T> = Record<Methods<T>, 'works' | (() => unknown)>

describe('a box that is looked at [A1 readOnly]', () => {
  it('refuses everything that would change something, or wait for a change', async () => {
    const storage = memoryStorage()
    await atWork(storage, manualClock())
    const box = await lookAt(storage)
    const queue = box.queue<Job>('jobs')
    const { dead } = queue
    const nothing = (): void => {}
    const boxCalls: Calls<Box> = {
      queue: 'works',
      queues: 'works',
      stats: 'works',
      health: 'works',
      on: 'works',
      close: 'works',
      use: () => box.use({}),
      transaction: () => box.transaction(nothing),
      producer: () => box.producer('importer'),
    }
    const queueCalls: Calls<Queue<Job>> = {
      get: 'works',
      peek: 'works',
      stats: 'works',
      enqueue: () => queue.enqueue({ n: 1 }),
      enqueueMany: () => queue.enqueueMany([{ body: { n: 1 } }]),
      process: () => queue.process(nothing),
      drain: () => queue.drain(nothing),
      consume: () => queue.consume().next(),
      dequeue: () => queue.dequeue(),
      dequeueMany: () => queue.dequeueMany(2),
      finished: () => queue.finished('leased'),
      cancel: () => queue.cancel('ready'),
      retryNow: () => queue.retryNow('scheduled'),
      purge: () => queue.purge(),
      forget: () => queue.forget('dead'),
      pause: () => queue.pause(),
      resume: () => queue.resume(),
      idle: () => queue.idle(),
      events: () => queue.events(),
      watch: () => queue.watch(),
      on: () => queue.on('enqueued', nothing),
    }
    const deadCalls: Calls<DeadLetters<Job>> = {
      list: 'works',
      get: 'works',
      count: 'works',
      redrive: () => dead.redrive({}),
      edit: () => dead.edit('dead', { headers: {} }),
      remove: () => dead.remove({}),
    }
    for (const calls of [boxCalls, queueCalls, deadCalls]) {
      for (const [name, call] of Object.entries(calls)) {
        if (call === 'works') continue
        await refusal(async () => call(), 'ERR_UNSUPPORTED', /readOnly/).catch((cause) => {
          throw new Error(`${name} is not refused as it should be`, { cause })
        })
      }
    }
    expect(await queue.peek()).toHaveLength(4)
  })

  it('checks options of queues, and changes none', async () => {
    const storage = memoryStorage()
    const owner = await openOn(storage, {})
    owner.queue('jobs', { maxDepth: 1 })
    const warnings: unknown[] = []
    const box = await lookAt(storage)
    box.on('warning', (warning) => warnings.push(warning))
    await refusal(() => box.queue('jobs', { maxDepth: 0 }), 'ERR_INVALID_OPTION', /maxDepth/)
    box.queue('jobs', { maxDepth: 100 })
    await owner.queue('jobs').enqueue(1)
    await refusal(owner.queue('jobs').enqueue(2), 'ERR_QUEUE_FULL')
    await turns()
    expect(warnings).toEqual([])
  })

  it('has the queues of its journal, and no others', async () => {
    const storage = memoryStorage()
    await atWork(storage, manualClock())
    const box = await lookAt(storage)
    await refusal(() => box.queue('job'), 'ERR_NOT_FOUND', /'job'.*readOnly/)
    expect((await box.queues()).map(({ name }) => name)).toEqual(['jobs'])
  })

  it('decodes bodies as the queue is declared', async () => {
    const storage = memoryStorage()
    const owner = await openOn(storage, {})
    await owner.queue('frames', { codec: bytes }).enqueue(new Uint8Array([1, 2]))
    const box = await lookAt(storage)
    expect((await box.queue('frames', { codec: bytes }).peek())[0]?.body).toEqual(new Uint8Array([1, 2]))
  })

  it('ends with ERR_CLOSED, and closes as often as it is asked to', async () => {
    const storage = memoryStorage()
    await atWork(storage, manualClock())
    const box = await lookAt(storage)
    const queue = box.queue('jobs')
    expect(await box.close()).toEqual({ returned: 0 })
    expect(await box.close()).toEqual({ returned: 0 })
    await box.closed
    await refusal(queue.peek(), 'ERR_CLOSED')
    await refusal(() => box.queue('jobs'), 'ERR_CLOSED')
  })

  it('whose owner died is not taken over: what it handled is still leased, and a suspect for the next owner', async () => {
    const storage = new LookableStorage()
    const clock = manualClock()
    const owner = await openOn(storage, { clock })
    await owner.queue<Job>('jobs').enqueue({ n: 1 }, { id: 'a' })
    await owner.queue<Job>('jobs').dequeue()
    const left = storage.copy()
    const looker = await lookAt(new LookableStorage(left), { clock })
    expect(await looker.queue('jobs').get('a')).toMatchObject({ state: 'leased', attempt: 1, history: [] })
    const next = await openOn(left, { clock })
    expect(await next.queue('jobs').get('a')).toMatchObject({ state: 'ready', history: [{ reason: 'owner-died' }] })
  })

  it('needs a storage that can be looked at', async () => {
    const storage = new InjectedStorage()
    await openOn(storage, {})
    await refusal(open(storage, { readOnly: true }), 'ERR_UNSUPPORTED', /readOnly.*openReader/)
  })

  it('lets go of a storage that could be looked at too late', async () => {
    const storage = new LookableStorage()
    const owner = await openOn(storage, {})
    await owner.queue('jobs').enqueue(1)
    const controller = new AbortController()
    storage.onLook = () => controller.abort(new Error('no time'))
    await expect(open(storage, { readOnly: true, signal: controller.signal })).rejects.toThrow('no time')
    expect(storage.looks).toBe(1)
    await turns(20)
    expect(storage.readers).toBe(0)
  })

  it('with a flag that is none is refused', async () => {
    await refusal(open(memoryStorage(), { readOnly: 'yes' as never }), 'ERR_INVALID_OPTION', /readOnly.*'yes'/)
  })
})

/** A storage of the test's own that can be looked at, and counts who does. */
class LookableStorage extends InjectedStorage {
  readers = 0
  looks = 0
  onLook = (): void => {}
  readonly #from: InjectedStorage

  constructor(from?: InjectedStorage) {
    super()
    this.#from = from ?? this
  }

  async openReader() {
    this.looks += 1
    this.onLook()
    await turns()
    const copy = this.#from.copy()
    const segments = await copy.open()
    this.readers += 1
    return {
      segments,
      read: copy.read.bind(copy),
      close: async () => {
        this.readers -= 1
      },
    }
  }
}

/** Everything that is in a folder, and when it was last written. */
async function imprint(folder: string): Promise<Record<string, unknown>> {
  const files: Record<string, unknown> = {}
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const { mtimeMs, ctimeMs, size, ino } = await stat(path)
    files[name] = { mtimeMs, ctimeMs, size, ino, hash: createHash('sha256').update(await readFile(path)).digest('hex') }
  }
  const { mtimeMs } = await stat(folder)
  return { ...files, '.': mtimeMs }
}

describe('a folder that is looked at [A1 readOnly]', () => {
  async function folderWithBox(): Promise<string> {
    const directory = await temporaryFolder()
    const clock = manualClock()
    const { owner } = await atWork(fileStorage({ directory }), clock)
    await owner.close({ timeoutMs: 0 })
    return directory
  }

  it('is not written, not even where its tail is torn or time has passed', async () => {
    const directory = await folderWithBox()
    const segment = join(directory, (await readdir(directory)).find((name) => name.endsWith('.ackbox'))!)
    await writeFile(segment, Buffer.concat([await readFile(segment), Buffer.from('half a frame')]))
    const before = await imprint(directory)
    const clock = manualClock()
    const box = await lookAt(directory, { clock })
    expect(await box.queue('jobs').peek()).toHaveLength(4)
    await clock.advance(1_000_000_000)
    expect(await box.queue('jobs').dead.count()).toBe(1)
    await box.close()
    expect(await imprint(directory)).toEqual(before)
  })

  it('may be one that nobody can write', async () => {
    const directory = await folderWithBox()
    for (const name of await readdir(directory)) await chmod(join(directory, name), 0o444)
    await chmod(directory, 0o555)
    const asNobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    const program = new URL('../programs/look-and-report.mjs', import.meta.url)
    const { lines, stderr } = await start(program, [directory], { cwd: tmpdir(), ...asNobody }).ending
    expect(stderr).toBe('')
    expect(JSON.parse(lines.at(-1)!)).toEqual({ ids: ['leased', 'ready', 'scheduled', 'dead'] })
  })

  it('is not made', async () => {
    const folder = join(await temporaryFolder(), 'box')
    await refusal(open(folder, { readOnly: true }), 'ERR_NOT_FOUND')
    await expect(stat(folder)).rejects.toThrow('ENOENT')
    const file = join(await temporaryFolder(), 'file')
    await writeFile(file, 'x')
    await refusal(open(file, { readOnly: true }), 'ERR_STORAGE_FAILED', /file/)
  })

  it('is told to be damaged where it is', async () => {
    const directory = await folderWithBox()
    const segment = join(directory, (await readdir(directory)).find((name) => name.endsWith('.ackbox'))!)
    const content = await readFile(segment)
    content[200]! ^= 1
    await writeFile(segment, content)
    await refusal(open(directory, { readOnly: true }), 'ERR_CORRUPT')
  })

  it('of which a segment in the middle is missing is damaged', async () => {
    const directory = await temporaryFolder()
    const owner = await openOn(fileStorage({ directory }), { segmentBytes: 16 << 10 })
    for (let n = 0; n < 20; n += 1) await owner.queue<string>('jobs').enqueue('x'.repeat(4_000))
    await owner.close()
    await rm(join(directory, '00000002.ackbox'))
    await refusal(open(directory, { readOnly: true }), 'ERR_CORRUPT', /segment/)
  })

  it('may be cleaned by its owner: what was listed is read to the end', async () => {
    const directory = await temporaryFolder()
    const owner = await openOn(fileStorage({ directory, durability: 'process-crash' }), { segmentBytes: 16 << 10 })
    const queue = owner.queue<string>('jobs')
    for (let n = 0; n < 20; n += 1) await queue.enqueue(`${n} `.padEnd(4_000, '.'))
    const box = await lookAt(directory, { maxMemoryBytes: 0 })
    const listed = await readdir(directory)
    await queue.purge()
    for (let n = 0; n < 20; n += 1) await queue.enqueue('y'.repeat(4_000))
    expect(await readdir(directory)).not.toEqual(expect.arrayContaining(listed))
    const bodies = (await box.queue<string>('jobs').peek()).map(({ body }) => body?.slice(0, 2).trim())
    expect(bodies).toEqual(Array.from({ length: 20 }, (_, n) => String(n)))
  })

  it('may be worked and cleaned at the very moment', async () => {
    const directory = await temporaryFolder()
    const owner = await openOn(fileStorage({ directory, durability: 'process-crash' }), { segmentBytes: 8 << 10 })
    const queue = owner.queue<number>('jobs')
    let last = 0
    let working = true
    const work = (async () => {
      while (working) {
        await queue.enqueue((last += 1), { headers: { padding: '.'.repeat(1_000) } })
        await (await queue.dequeue())?.ack()
      }
    })()
    for (let look = 0; look < 40; look += 1) {
      await queue.enqueue(-1, { id: `look-${look}`, delayMs: 1_000_000 })
      const from = last
      const box = await open(directory, { readOnly: true, maxMemoryBytes: 0 })
      const shown = await box.queue<number>('jobs').peek({ limit: 1_000 })
      expect(shown.filter(({ body }) => body === -1)).toHaveLength(look + 1)
      for (const { body } of shown) if (body !== -1) expect(body).toBeGreaterThanOrEqual(from)
      await box.close()
    }
    working = false
    await work
  })

  it('whose files vanish again and again is given up', async () => {
    const directory = await temporaryFolder()
    await mkdir(directory, { recursive: true })
    await symlink(join(directory, 'nowhere'), join(directory, '00000001.ackbox'))
    await refusal(open(directory, { readOnly: true }), 'ERR_STORAGE_FAILED', /changed 100 times/)
  })
})
