/** Segments are closed, moved and removed, so that the journal stays within twice what is live plus one segment. */
import type { Box, Delivery } from 'ackbox'
import { expect, it } from 'vitest'

import { openOn } from '../support/boxes.ts'
import { manualClock } from '../support/clock.ts'
import { InjectedStorage } from '../support/injected-storage.ts'
import { seededRandom } from '../../support/random.ts'

const SEGMENT_BYTES = 64 * 1024
const BODY_BYTES = 300
/** More than a message or a remembered id takes beside its body. */
const MESSAGE_OVERHEAD_BYTES = 250
const ENTRY_BYTES = 150
const WINDOW_MS = 2_000

/** The promise, for what the box says and for what the storage really holds; gives the bytes that live. */
async function expectBound(box: Box, storage: InjectedStorage): Promise<number> {
  const { journalBytes, liveBytes } = await box.stats()
  const bytes = Math.max(journalBytes, storage.bytes)
  if (bytes > 2 * liveBytes + SEGMENT_BYTES) throw new Error(`${bytes} bytes with ${liveBytes} that live`)
  return liveBytes
}

it('holds under a long mixed load, and loses nothing [A1 segmentBytes, S19]', async () => {
  const random = seededRandom(20_240_601)
  const storage = new InjectedStorage()
  const clock = manualClock()
  const box = await openOn(storage, { clock, segmentBytes: SEGMENT_BYTES })
  const queue = box.queue<string>('jobs', { dedup: { windowMs: WINDOW_MS }, leaseMs: 3_600_000, maxAttempts: 1_000 })
  const waiting = new Set<string>()
  const dead: string[] = []
  let finished: { id: string; at: number }[] = []
  let held: Delivery<string>[] = []
  let next = 0

  for (let round = 0; round < 300; round += 1) {
    const items = Array.from({ length: 30 }, () => {
      const id = `message-${(next += 1)}`
      waiting.add(id)
      return { id, body: id.padEnd(BODY_BYTES, '.'), ...(random() < 0.1 ? { delayMs: Math.floor(random() * 20_000) } : {}) }
    })
    await queue.enqueueMany(items)
    await expectBound(box, storage)
    held.push(...(await queue.dequeueMany(35)))
    const keep: Delivery<string>[] = []
    for (const message of held) {
      const fate = random()
      if (fate < 0.1) keep.push(message)
      else if (fate < 0.2) await message.reject(new Error('again'), { delayMs: 500 })
      else if (fate < 0.22) {
        await message.reject(new Error('dead'), { dead: true })
        waiting.delete(message.id)
        dead.push(message.id)
      } else {
        await message.ack()
        waiting.delete(message.id)
        finished.push({ id: message.id, at: clock.now() })
      }
      await expectBound(box, storage)
    }
    held = keep
    if (dead.length > 40) await queue.dead.remove({ ids: dead.splice(0, 30) })
    await clock.advance(100)
    finished = finished.filter(({ at }) => at + WINDOW_MS >= clock.now())
    const most = (waiting.size + dead.length) * (BODY_BYTES + MESSAGE_OVERHEAD_BYTES) + finished.length * ENTRY_BYTES
    expect(await expectBound(box, storage)).toBeLessThanOrEqual(most)
  }

  expect(storage.removed.length).toBeGreaterThan(20)
  expect([...storage.removed].sort((a, b) => a - b)).toEqual(storage.removed)
  const stats = await box.stats()
  expect(stats.journalBytes).toBe(storage.bytes)
  expect(stats.segments).toBe(storage.segments.length)

  const heir = await openOn(storage.copy(), { clock, segmentBytes: SEGMENT_BYTES })
  const found = await heir.queue<string>('jobs').peek({ limit: 1_000 })
  const alive = found.filter(({ state }) => state !== 'dead').map(({ id }) => id)
  expect(alive.sort()).toEqual([...waiting].sort())
  expect(await heir.queue('jobs').dead.count()).toBe(dead.length)
  expect(found.every(({ id, body }) => body === id.padEnd(BODY_BYTES, '.'))).toBe(true)
})

it('shrinks to little once everything is done', async () => {
  const storage = new InjectedStorage()
  const clock = manualClock()
  const box = await openOn(storage, { clock, segmentBytes: SEGMENT_BYTES })
  const queue = box.queue<string>('jobs')
  for (let round = 0; round < 20; round += 1) {
    await queue.enqueueMany(Array.from({ length: 100 }, () => ({ body: 'x'.repeat(BODY_BYTES) })))
    for (const message of await queue.dequeueMany(100)) await message.ack()
    await expectBound(box, storage)
  }
  await clock.advance(1_000)
  expect(storage.bytes).toBeLessThanOrEqual(2 * SEGMENT_BYTES)
})

it('keeps what is old and live through many segments', async () => {
  const storage = new InjectedStorage()
  const clock = manualClock()
  const box = await openOn(storage, { clock, segmentBytes: SEGMENT_BYTES })
  const queue = box.queue<string>('jobs')
  await box.queue('paused').pause()
  await queue.enqueue('delayed', { id: 'delayed', delayMs: 3_600_000, headers: { h: 'v' }, priority: 9, group: 'g' })
  await queue.enqueue('dead', { id: 'dead' })
  await (await queue.dequeue())!.reject(new Error('kept'), { dead: true })
  await queue.enqueue('done', { id: 'done' })
  await (await queue.dequeue())!.ack()
  const generated = await queue.enqueue('generated')
  await (await queue.dequeue())!.ack()
  const before = [await queue.get('delayed'), await queue.dead.get('dead')]
  for (let round = 0; round < 30; round += 1) {
    await queue.enqueueMany(Array.from({ length: 100 }, () => ({ body: 'x'.repeat(BODY_BYTES) })))
    for (const message of await queue.dequeueMany(100)) await message.ack()
    await expectBound(box, storage)
  }
  expect(storage.segments).not.toContain(1)
  const heir = await openOn(storage.copy(), { clock, segmentBytes: SEGMENT_BYTES })
  const inherited = heir.queue<string>('jobs')
  expect([await inherited.get('delayed'), await inherited.dead.get('dead')]).toEqual(before)
  expect(await inherited.enqueue('done', { id: 'done' })).toMatchObject({ status: 'duplicate', state: 'completed' })
  expect(await inherited.enqueue('generated', { id: generated.id })).toMatchObject({ status: 'duplicate' })
  expect(await heir.queue('paused').stats()).toMatchObject({ paused: true })
})
