/** Watching: a list that is there at once, the same while nothing changed, and new after every change. */
import { bytes, type MessageInfo, type Queue, type Warning, type Watch } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory, openOn } from '../support/boxes.ts'
import { manualClock, turns } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

/** Follows a watch, so that a test can wait for what it shows. */
class Follower<T = unknown> {
  readonly watch: Watch<T>
  /** Snapshots that were told, each once. */
  readonly told: (readonly MessageInfo<T>[])[] = []
  readonly off: () => void
  #wake: () => void = () => {}

  constructor(watch: Watch<T>) {
    this.watch = watch
    this.off = watch.subscribe(() => {
      this.told.push(watch.getSnapshot())
      this.#wake()
    })
  }

  /** The first snapshot, from now on, for which something holds. */
  async until(holds: (snapshot: readonly MessageInfo<T>[]) => boolean): Promise<readonly MessageInfo<T>[]> {
    while (!holds(this.watch.getSnapshot())) await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.watch.getSnapshot()
  }

  /** Waits until the list shows these states, by id. */
  shows(states: Record<string, string>): Promise<readonly MessageInfo<T>[]> {
    const wanted = JSON.stringify(Object.entries(states).toSorted())
    return this.until((shown) => JSON.stringify(shown.map(({ id, state }) => [id, state]).toSorted()) === wanted)
  }
}

const follow = <T>(queue: Queue<T>, options?: Parameters<Queue<T>['watch']>[0]): Follower<T> => new Follower(queue.watch(options))

eachStorage('watch [A6 watch]', (make) => {
  it('shows what is there, and then each change', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { maxAttempts: 2 })
    await queue.enqueue(1, { id: 'before', headers: { a: 'b' } })
    const list = follow(queue)
    expect(list.watch.getSnapshot()).toEqual([])
    expect(await list.shows({ before: 'ready' })).toMatchObject([{ id: 'before', body: 1, headers: { a: 'b' }, attempt: 0 }])
    await queue.enqueue(2, { id: 'later', delayMs: 1_000 })
    await list.shows({ before: 'ready', later: 'scheduled' })
    const message = await queue.dequeue()
    await list.shows({ before: 'leased', later: 'scheduled' })
    await message!.reject(new Error('why'))
    const scheduled = await list.shows({ before: 'scheduled', later: 'scheduled' })
    expect(scheduled.find(({ id }) => id === 'before')!.history).toMatchObject([{ attempt: 1, error: { message: 'why' } }])
    await queue.retryNow('before')
    await list.shows({ before: 'ready', later: 'scheduled' })
    await clock.advance(1_000)
    await list.shows({ before: 'ready', later: 'ready' })
    await (await queue.dequeue())!.reject('gone', { dead: true })
    await list.shows({ before: 'dead', later: 'ready' })
    await queue.dead.redrive({ ids: ['before'] })
    await list.shows({ before: 'ready', later: 'ready' })
    await queue.cancel('before')
    await list.shows({ later: 'ready' })
    await (await queue.dequeue())!.ack()
    await list.shows({})
    await queue.enqueueMany([1, 2].map((body) => ({ body, id: `${body}` })))
    await list.shows({ 1: 'ready', 2: 'ready' })
    await queue.purge()
    await list.shows({})
    await queue.enqueue(3, { id: 'x', ttlMs: 10 })
    await list.shows({ x: 'ready' })
    await clock.advance(11)
    await list.shows({ x: 'dead' })
    await queue.dead.remove({})
    await list.shows({})
  })

  it('shows what it watched by id to its end, as long as that is remembered', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number, string>('jobs', { dedup: { windowMs: 60_000 } })
    const list = follow(queue as never as Queue<number>, { ids: ['b', 'a', 'never', 'b'] })
    await queue.enqueueMany(['a', 'other', 'b'].map((id) => ({ body: 1, id })))
    await list.shows({ a: 'ready', b: 'ready' })
    expect(list.watch.getSnapshot().map(({ id }) => id)).toEqual(['b', 'a'])
    expect(await queue.drain(({ id }) => `done ${id}`)).toMatchObject({ completed: 3 })
    const finished = await list.shows({ a: 'completed', b: 'completed' })
    expect(finished).toMatchObject([{ id: 'b', result: 'done b', attempt: 1 }, { id: 'a', result: 'done a' }])
    const ended = follow(queue as never as Queue<number>, { ids: ['a', 'b'], states: ['completed'] })
    await ended.shows({ a: 'completed', b: 'completed' })
    await queue.forget('b')
    await list.shows({ a: 'completed' })
    await ended.shows({ a: 'completed' })
    await clock.advance(60_000)
    await list.shows({})
  })
})

it('watch gives the same list and the same objects while they are as they were', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueueMany(['a', 'b'].map((id) => ({ body: 1, id, priority: 9 })))
  const list = follow(queue, { states: ['ready'], limit: 2 })
  const [a, b] = await list.shows({ a: 'ready', b: 'ready' })
  const snapshot = list.watch.getSnapshot()
  const told = list.told.length
  // Outside of what it shows, in this queue and in another.
  await queue.enqueue(3, { id: 'c' })
  await queue.enqueue(4, { id: 'd', delayMs: 1_000 })
  await queue.cancel('d')
  await box.queue('other').enqueue(1)
  await turns()
  expect(list.watch.getSnapshot()).toBe(snapshot)
  expect(list.told).toHaveLength(told)
  expect(Object.isFrozen(snapshot)).toBe(true)
  await queue.cancel('a')
  const after = await list.shows({ b: 'ready', c: 'ready' })
  expect(after[0]).toBe(b)
  expect(snapshot[0]).toBe(a)
})

it('watch tells a message anew when nothing but its attempts changed, and compares bodies byte by byte', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<Uint8Array>('blobs', { codec: bytes })
  await queue.enqueue(new Uint8Array([1, 2]), { id: 'a' })
  const list = follow(queue)
  const [first] = await list.shows({ a: 'ready' })
  expect(first!.body).toEqual(new Uint8Array([1, 2]))
  await (await queue.dequeue())!.reject('later', { delayMs: 0 })
  const [second] = await list.until(([shown]) => shown?.attempt === 1 && shown.state === 'ready')
  expect(second).not.toBe(first)
})

it('watch asks once for all that happened in a turn', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const list = follow(queue, { limit: 1_000 })
  await turns()
  await Promise.all(Array.from({ length: 500 }, (_, body) => queue.enqueue(body)))
  await list.until((shown) => shown.length === 500)
  expect(list.told.length).toBeLessThanOrEqual(2)
})

it('watch shows nothing that is not durable', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1, { id: 'a' })
  const list = follow(queue)
  await list.shows({ a: 'ready' })
  storage.hold()
  const enqueued = queue.enqueue(2, { id: 'b' })
  await turns()
  const cancelled = queue.cancel('a')
  await turns()
  // One look waits, whatever happened since it was asked for.
  expect(box.health().waiting).toBe(2 + 1)
  expect(list.watch.getSnapshot().map(({ id }) => id)).toEqual(['a'])
  storage.release()
  await Promise.all([enqueued, cancelled])
  await list.shows({ b: 'ready' })
})

it('watch is up to date while somebody subscribes, and again when somebody does', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const watch = queue.watch()
  await queue.enqueue(1, { id: 'a' })
  await turns()
  expect(watch.getSnapshot()).toEqual([])
  const [first, second] = [new Follower(watch), new Follower(watch)]
  await first.shows({ a: 'ready' })
  first.off()
  first.off()
  await queue.enqueue(2, { id: 'b' })
  await second.shows({ a: 'ready', b: 'ready' })
  expect(first.told).toHaveLength(1)
  second.off()
  const left = watch.getSnapshot()
  await queue.purge()
  await turns()
  expect(watch.getSnapshot()).toBe(left)
  await new Follower(watch).shows({})
})

it('watch without subscribers looks once', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1, { id: 'a' })
  const watch = queue.watch()
  await turns()
  expect(watch.getSnapshot().map(({ id }) => id)).toEqual(['a'])
})

it('watch tells a subscriber that throws by a warning, and the others of the change', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const warned = new Promise<Warning>((resolve) => box.on('warning', resolve))
  const watch = queue.watch()
  watch.subscribe(() => {
    throw new Error('in the store')
  })
  const list = new Follower(watch)
  await queue.enqueue(1, { id: 'a' })
  await list.shows({ a: 'ready' })
  expect(await warned).toMatchObject({ message: expect.stringMatching(/'jobs'.*watch/), cause: { message: 'in the store' } })
})

it('watch keeps what it showed when the box ends', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const warnings: Warning[] = []
  box.on('warning', (warning) => warnings.push(warning))
  await queue.enqueue(1, { id: 'a' })
  const list = follow(queue)
  await list.shows({ a: 'ready' })
  const [message] = list.watch.getSnapshot()
  await box.close()
  expect(list.watch.getSnapshot()).toEqual([message])
  list.off()
  list.watch.subscribe(() => {})()
  await turns()
  expect(warnings).toEqual([])
  await refusal(() => queue.watch(), 'ERR_CLOSED')
})

it('watch keeps quiet when its storage fails, which the box tells', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const warnings: Warning[] = []
  box.on('warning', (warning) => warnings.push(warning))
  box.on('error', () => {})
  const queue = box.queue<number>('jobs')
  const list = follow(queue)
  await turns()
  storage.failNext(new Error('the disk is gone'))
  await refusal(queue.enqueue(1), 'ERR_STORAGE_FAILED')
  await turns()
  expect(list.watch.getSnapshot()).toEqual([])
  list.off()
  list.watch.subscribe(() => {})()
  await turns()
  expect(warnings).toEqual([])
})

it.each([
  [{ limit: 0 }, /limit.*1/],
  [{ limit: 1_001 }, /limit.*1000/],
  [{ states: 'ready' }, /states.*array/],
  [{ states: ['redy'] }, /states.*'ready'.*'redy'/],
  [{ states: ['completed'] }, /states.*'ready'.*no ids.*'completed'/],
  [{ states: ['ready', 'cancelled'] }, /states.*'ready'.*no ids.*'cancelled'/],
  [{ ids: 'a' }, /ids.*array/],
  [{ ids: [5] }, /ids.*string/],
  [{ ids: [''] }, /ids.*empty/],
  [{ ids: Array.from({ length: 1_001 }, (_, n) => `${n}`) }, /ids.*1000.*1001/],
])('watch refuses %o', async (options, message) => {
  const { box } = await makeInMemory()
  await refusal(() => box.queue('jobs').watch(options as never), 'ERR_INVALID_OPTION', message)
  await refusal(() => box.queue('jobs').watch().subscribe('me' as never), 'ERR_INVALID_OPTION', /function/)
})
