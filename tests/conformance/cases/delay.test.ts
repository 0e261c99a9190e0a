import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { gate } from '../support/clock.ts'
import { record } from '../support/events.ts'

eachStorage('delay [A2 delayMs]', (make) => {
  it('delivers at the instant that delayMs names, not before', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('later')
    expect(await queue.enqueue('x', { delayMs: 5_000 })).toMatchObject({ state: 'scheduled' })
    await clock.advance(4_999)
    expect(await queue.dequeue()).toBeUndefined()
    await clock.advance(1)
    expect((await queue.dequeue())?.body).toBe('x')
  })

  it.each([
    ['a number', (at: number) => at],
    ['a Date', (at: number) => new Date(at)],
  ])('takes an instant as %s', async (_, instant) => {
    const { box, clock } = await make()
    const queue = box.queue<string>('later')
    await queue.enqueue('x', { at: instant(clock.now() + 60_000) })
    await clock.advance(59_999)
    expect(await queue.dequeue()).toBeUndefined()
    await clock.advance(1)
    expect((await queue.dequeue())?.body).toBe('x')
  })

  it('takes an instant that has passed as now', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('later')
    expect(await queue.enqueue('x', { at: clock.now() - 1 })).toMatchObject({ state: 'ready' })
    expect((await queue.dequeue())?.body).toBe('x')
  })

  it('wakes a worker when the time comes', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('later')
    const seen = record(queue)
    queue.process(() => {})
    const { id } = await queue.enqueue('x', { delayMs: 3_600_000 })
    await clock.advance(3_599_999)
    expect(seen.ids('started')).toEqual([])
    await clock.advance(1)
    expect((await seen.until('completed')).id).toBe(id)
  })

  it('survives reopening', async () => {
    const { box, clock, reopen } = await make()
    await box.queue('later').enqueue('x', { delayMs: 1_000 })
    const queue = (await reopen()).queue<string>('later')
    expect(await queue.dequeue()).toBeUndefined()
    await clock.advance(1_000)
    expect((await queue.dequeue())?.body).toBe('x')
  })

  it('lets a waiting dequeue have the message when it comes', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('later')
    await queue.enqueue('x', { delayMs: 700 })
    const waiting = queue.dequeue({ waitMs: 1_000 })
    await clock.advance(700)
    expect((await waiting)?.body).toBe('x')
    const inVain = queue.dequeue({ waitMs: 1_000 })
    await clock.advance(1_000)
    expect(await inVain).toBeUndefined()
  })
})

eachStorage('time to live [A2 ttlMs, S5]', (make) => {
  it('dead-letters as expired what did not start in time, and never delivers it', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('short')
    const seen = record(queue)
    await queue.enqueue('old', { id: 'old', ttlMs: 1_000 })
    await queue.enqueue('fresh', { id: 'fresh', ttlMs: 5_000 })
    await clock.advance(1_001)
    queue.process(() => {})
    expect((await seen.until('completed')).id).toBe('fresh')
    expect(await seen.until('dead')).toMatchObject({ id: 'old', reason: 'expired' })
    expect(seen.ids('started')).toEqual(['fresh'])
    expect(await queue.dead.get('old')).toMatchObject({ id: 'old', body: 'old', reason: 'expired' })
    expect(await queue.stats()).toMatchObject({ expired: 1 })
  })

  it('delivers up to its last instant', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('short')
    await queue.enqueue('x', { ttlMs: 1_000 })
    await clock.advance(999)
    expect((await queue.dequeue())?.body).toBe('x')
  })

  it('lets a running delivery finish', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('short')
    const seen = record(queue)
    const slow = gate()
    queue.process(() => slow.promise)
    await queue.enqueue('x', { ttlMs: 1_000 })
    await seen.until('started')
    await clock.advance(20_000)
    slow.open()
    await seen.until('completed')
    expect(seen.of('dead')).toEqual([])
  })
})
