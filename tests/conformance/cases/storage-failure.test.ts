import { expect, it } from 'vitest'

import type { Box } from 'ackbox'

import { openOn } from '../support/boxes.ts'
import { gate, isPending, manualClock, turns } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { InjectedStorage } from '../support/injected-storage.ts'
import { nextWarning } from '../support/platform.ts'

function diskError(): Error {
  return Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
}

function cleanError(): Error {
  return Object.assign(new Error('quota exceeded'), { clean: true })
}

async function setUp(): Promise<{ storage: InjectedStorage; box: Box; clock: ReturnType<typeof manualClock>; errors: unknown[] }> {
  const storage = new InjectedStorage()
  const clock = manualClock()
  const box = await openOn(storage, { clock })
  const errors: unknown[] = []
  box.on('error', (error) => errors.push(error))
  return { storage, box, clock, errors }
}

it('a failed append is final: what waits is rejected with its id, the box is read-only and says so once [A8 storage, S12]', async () => {
  const { storage, box, errors } = await setUp()
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1, { id: 'kept' })
  storage.failNext(diskError())
  const [first, second] = [queue.enqueue(2, { id: 'a' }), queue.enqueue(3, { id: 'b' })]
  const outcomes = [refusal(first, 'ERR_STORAGE_FAILED', /./), refusal(second, 'ERR_STORAGE_FAILED', /./)]
  const [a, b] = await Promise.all(outcomes)
  expect([a!.details, b!.details]).toMatchObject([{ id: 'a' }, { id: 'b' }])
  const appends = storage.appends
  await refusal(queue.enqueue(4), 'ERR_STORAGE_FAILED')
  await refusal(queue.pause(), 'ERR_STORAGE_FAILED')
  await turns()
  expect(storage.appends).toBe(appends)
  expect(errors).toMatchObject([{ code: 'ERR_STORAGE_FAILED' }])
  await expect(box.closed).rejects.toMatchObject({ code: 'ERR_STORAGE_FAILED' })
})

it('enqueueMany that fails names the ids of all its items, with which it can be repeated', async () => {
  const { storage, box, clock } = await setUp()
  const queue = box.queue<number>('jobs')
  queue.on('enqueued', () => {})
  storage.failNext(diskError())
  const error = await refusal(queue.enqueueMany([{ body: 1, id: 'a' }, { body: 2 }, { body: 3, id: 'c' }]), 'ERR_STORAGE_FAILED')
  const { id, ids } = error.details as { id: string; ids: string[] }
  expect([id, ids[0], ids[2], ids.length]).toEqual(['a', 'a', 'c', 3])
  expect(typeof ids[1]).toBe('string')

  await box.close()
  const again = (await openOn(storage.copy(), { clock })).queue<number>('jobs')
  const receipts = await again.enqueueMany(ids.map((id, index) => ({ id, body: index + 1 })))
  expect(receipts.map(({ id, status }) => [id, status])).toEqual(ids.map((id) => [id, 'accepted']))
})

it('the error names the cause', async () => {
  const { storage, box, errors } = await setUp()
  const cause = diskError()
  storage.failNext(cause)
  await refusal(box.queue('jobs').enqueue(1), 'ERR_STORAGE_FAILED')
  await turns()
  expect((errors[0] as Error).cause).toBe(cause)
})

it('reopening recovers everything that was reported before the failure [A8 storage]', async () => {
  const { storage, box, clock } = await setUp()
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1, { id: 'kept' })
  storage.failNext(diskError())
  await refusal(queue.enqueue(2, { id: 'unknown' }), 'ERR_STORAGE_FAILED')
  await box.close().catch(() => {})
  const again = await openOn(storage.copy(), { clock })
  const reopened = again.queue<number>('jobs')
  expect(await reopened.enqueue(2, { id: 'unknown' })).toMatchObject({ status: 'accepted' })
  expect((await reopened.dequeueMany(10)).map(({ id }) => id)).toEqual(['kept', 'unknown'])
})

it('no settlement and no delivery is reported after a failure', async () => {
  const { storage, box } = await setUp()
  const queue = box.queue<number>('jobs')
  const seen = record(queue)
  await queue.enqueueMany([
    { body: 1, id: '1' },
    { body: 2, id: '2' },
  ])
  const done = gate()
  queue.process(() => done.promise)
  await seen.until('started')
  storage.failNext(diskError())
  done.open()
  await turns()
  expect(seen.ids('completed')).toEqual([])
  expect(seen.ids('started')).toEqual(['1'])
})

it('a settlement by hand that cannot be written is rejected', async () => {
  const { storage, box } = await setUp()
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1)
  const message = await queue.dequeue()
  storage.failNext(diskError())
  await refusal(message!.ack(), 'ERR_STORAGE_FAILED')
})

it('an append that failed clean refuses its enqueues, and the box lives on [A8 clean]', async () => {
  const { storage, box, errors } = await setUp()
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1, { id: 'kept' })
  const message = await queue.dequeue()
  storage.failNext(cleanError())
  await refusal(queue.enqueue(2, { id: 'refused' }), 'ERR_STORAGE_FULL')
  await message!.ack()
  expect(await queue.enqueue(3, { id: 'refused' })).toMatchObject({ status: 'accepted' })
  expect((await queue.dequeueMany(10)).map(({ body }) => body)).toEqual([3])
  expect(errors).toEqual([])
})

it('a clean failure loses no settlement that waited for the same append', async () => {
  const { storage, box, clock } = await setUp()
  const queue = box.queue<number>('jobs')
  const seen = record(queue)
  await queue.enqueue(1, { id: 'a' })
  const message = await queue.dequeue()
  await turns()
  storage.failNext(cleanError())
  const refused = refusal(queue.enqueue(2, { id: 'b' }), 'ERR_STORAGE_FULL')
  const acked = message!.ack()
  await Promise.all([refused, acked])
  await seen.until('completed')
  const heir = await openOn(storage.copy(), { clock })
  expect(await heir.queue('jobs').dequeueMany(10)).toEqual([])
  expect(await heir.queue('jobs').get('a')).toMatchObject({ state: 'completed' })
})

it('without room, an acknowledgement with what it enqueues waits for room', async () => {
  const { storage, box, clock, errors } = await setUp()
  const queue = box.queue<number>('jobs')
  await queue.enqueue(1, { id: 'a' })
  const message = await queue.dequeue()
  await turns()
  message!.enqueue(queue, 2, { id: 'b' })
  storage.failNext(cleanError())
  const acked = message!.ack()
  expect(await isPending(acked)).toBe(true)
  await clock.advance(1_000)
  await acked
  const heir = await openOn(storage.copy(), { clock })
  expect(await heir.queue('jobs').get('a')).toMatchObject({ state: 'completed' })
  expect(await heir.queue('jobs').get('b')).toMatchObject({ state: 'ready' })
  expect(errors).toEqual([])
})

it('enqueueMany that fails clean enqueues nothing of it', async () => {
  const { storage, box } = await setUp()
  const queue = box.queue<number>('jobs')
  await queue.enqueue(0)
  storage.failNext(cleanError())
  await refusal(queue.enqueueMany([{ body: 1 }, { body: 2 }]), 'ERR_STORAGE_FULL')
  expect((await queue.dequeueMany(10)).map(({ body }) => body)).toEqual([0])
})

it('an unheard failure is not swallowed [A1 reports, A1 closed]', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const told = nextWarning()
  storage.failNext(diskError())
  await refusal(box.queue('jobs').enqueue(1), 'ERR_STORAGE_FAILED')
  expect(String(await told)).toMatch(/the box has ended with ERR_STORAGE_FAILED/)
})

it('a clean failure of a claim or a pause loses nothing: both wait for room, with one warning [A8 clean]', async () => {
  const { storage, box, clock, errors } = await setUp()
  const warnings: string[] = []
  box.on('warning', ({ message }) => warnings.push(message))
  const [queue, other] = [box.queue<number>('jobs'), box.queue<number>('other')]
  await queue.enqueue(1, { id: 'a' })
  let handled = 0
  storage.failNext(cleanError())
  const worker = queue.process(() => void handled++)
  await turns()
  expect(await queue.stats()).toMatchObject({ ready: 1, leased: 0 })
  storage.failNext(cleanError())
  const paused = other.pause()
  await turns()
  expect([handled, await isPending(paused), errors, box.health().ok]).toEqual([0, true, [], true])
  expect(warnings).toEqual([expect.stringMatching(/no room/)])
  await clock.advance(1_000)
  await paused
  expect(handled).toBe(1)
  expect(await queue.get('a')).toMatchObject({ state: 'completed', attempt: 1 })
  await worker.close()
})

it('who gives up waiting in the turn of the failure changes nothing of it', async () => {
  for (let jobs = 0; jobs < 8; jobs++) {
    const { storage, box } = await setUp()
    const queue = box.queue<number>('jobs')
    const stop = new AbortController()
    const waiting = queue.dequeue({ waitMs: 60_000, signal: stop.signal })
    storage.hold()
    const sent = refusal(queue.enqueue(1), 'ERR_STORAGE_FAILED')
    await turns()
    storage.failHeld(diskError())
    for (let job = 0; job < jobs; job++) await Promise.resolve()
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow()
    await sent
    await expect(box.closed).rejects.toMatchObject({ code: 'ERR_STORAGE_FAILED' })
    await refusal(queue.enqueue(2), 'ERR_STORAGE_FAILED')
  }
})
