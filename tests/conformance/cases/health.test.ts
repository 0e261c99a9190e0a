import { expect, it } from 'vitest'

import { eachStorage, openOn } from '../support/boxes.ts'
import { gate, manualClock, turns } from '../support/clock.ts'
import { record } from '../support/events.ts'
import { refusal } from '../support/errors.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

eachStorage('health [A1 health]', (make) => {
  it('tells whether the box works and what it does', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    expect(box.health()).toMatchObject({ ok: true, running: 0, workers: 0, storage: { failed: false, full: false } })
    const slow = gate()
    queue.process(() => slow.promise, { concurrency: 2 })
    await queue.enqueue(1)
    await seen.until('started')
    await clock.advance(250)
    expect(box.health()).toMatchObject({ ok: true, running: 1, workers: 1, sinceLastClaimMs: 250 })
    slow.open()
    await box.close()
    expect(box.health()).toMatchObject({ ok: false, reason: expect.stringContaining('closed') })
  })
})

it('tells of a storage that keeps what room is left for settlements', async () => {
  const storage = Object.assign(new InjectedStorage(), { full: true })
  const box = await openOn(storage, { clock: manualClock() })
  await refusal(box.queue('jobs').enqueue(1), 'ERR_STORAGE_FULL')
  expect(box.health()).toMatchObject({ ok: false, reason: expect.stringContaining('no room'), storage: { full: true, failed: false } })
  storage.full = false
  await box.queue('jobs').enqueue(1)
  expect(box.health()).toMatchObject({ ok: true, storage: { full: false } })
})

it('tells of a storage that failed', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  box.on('error', () => {})
  storage.failNext(new Error('EIO'))
  await refusal(box.queue('jobs').enqueue(1), 'ERR_STORAGE_FAILED')
  await turns()
  expect(box.health()).toMatchObject({ ok: false, storage: { durability: 'power-loss', failed: true } })
})
