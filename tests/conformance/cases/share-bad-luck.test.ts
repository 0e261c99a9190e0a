/** Tabs of one box, and what can go wrong between them. */
import { memoryStorage, open } from 'ackbox'
import { indexedDbStorage } from 'ackbox/indexeddb'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

import { refusal } from '../support/errors.ts'
import { byHand } from '../support/indexed-db.ts'
import { Origin } from '../support/tabs.ts'
import { tabsClock } from '../support/tabs-clock.ts'

/** A row as a tab leaves it. */
function row(leftAt: number, id: string) {
  const record = { priority: 0, id, body: JSON.stringify(id) }
  return { row: { format: 1, tab: 'a tab that is gone', leftAt, items: [{ queue: 'orders', options: { bodies: 'json' }, record }] } }
}

describe('what is left in the inbox [A1 share, A2 stored]', () => {
  it('is moved once, though its row was not removed', async () => {
    const origin = new Origin()
    const first = await origin.tab()
    await byHand(origin.name, 'inbox', (inbox) => void inbox.add(row(Date.now(), 'a')))
    await first.box.close()
    const second = await origin.tab()
    const orders = second.box.queue<string>('orders')
    await vi.waitFor(async () => expect(await orders.stats()).toMatchObject({ ready: 1 }))
    await orders.drain(() => {})
    await orders.forget('a')
    await second.box.close()
    // As if the driver had died between its append and the removal of the row; its id is free by now.
    await byHand(origin.name, 'inbox', (inbox) => void inbox.put(row(Date.now(), 'a'), 1))
    const third = await origin.tab()
    const seen = third.box.queue<string>('orders')
    await seen.enqueue('b', { id: 'b' })
    expect((await seen.peek()).map(({ id }) => id)).toEqual(['b'])
  })

  it('counts its delay and its time to live from when it was left', async () => {
    const origin = new Origin()
    const clock = tabsClock()
    const left = row(clock.now() - 10_000, 'a')
    Object.assign(left.row.items[0]!.record, { delayMs: 15_000 })
    const { box } = await origin.tab({ clock })
    await box.close()
    await byHand(origin.name, 'inbox', (inbox) => void inbox.add(left))
    const orders = (await origin.tab({ clock })).box.queue<string>('orders')
    await vi.waitFor(async () => expect(await orders.stats()).toMatchObject({ scheduled: 1 }))
    await clock.advance(4_999)
    expect(await orders.stats()).toMatchObject({ scheduled: 1 })
    await clock.advance(1)
    expect(await orders.stats()).toMatchObject({ ready: 1 })
  })

  it('and is nothing that a tab leaves, is told and passed over', async () => {
    const origin = new Origin()
    const first = await origin.tab()
    await first.box.close()
    await byHand(origin.name, 'inbox', (inbox) => void [inbox.add({ row: 'nonsense' }), inbox.add(row(Date.now(), 'a'))])
    const { box } = await origin.tab()
    const warnings: string[] = []
    box.on('warning', ({ message }) => void warnings.push(message))
    const orders = box.queue<string>('orders')
    await vi.waitFor(async () => expect(await orders.stats()).toMatchObject({ ready: 1 }))
    expect(warnings.join()).toMatch(/the inbox holds something under key 1/)
  })
})

describe('who may share [A1 share]', () => {
  it('no storage but that of a database', async () => {
    await refusal(open(memoryStorage(), { whenLocked: 'share' }), 'ERR_UNSUPPORTED', /indexedDbStorage, Web Locks and BroadcastChannel/)
  })

  it('nobody, while a tab has the box for itself: it is waited for', async () => {
    const origin = new Origin()
    const clock = tabsClock()
    const alone = origin.strange()
    const box = await alone.within(() => open(indexedDbStorage({ name: origin.name }), { whenLocked: 'reject' }))
    onTestFinished(() => box.close().then(() => {}))
    const timers = vi.spyOn(clock, 'setTimeout')
    const opening = origin.tab({ clock })
    const refused = refusal(origin.tab({ clock, lockWaitMs: 5_000 }), 'ERR_LOCKED', /shares it with nobody.*waited for it for 5000 ms/)
    await vi.waitFor(() => expect(timers).toHaveBeenCalledTimes(2))
    await clock.advance(5_000)
    await refused
    await box.close()
    await clock.advance(1_000)
    expect(await (await opening).box.queue('orders').enqueue(1)).toMatchObject({ status: 'accepted' })
  })

  it('a page whose version is older than that of the tab that drives is told to load again', async () => {
    const origin = new Origin()
    const { box } = await origin.tab()
    const ended = box.closed
    const newer = origin.strange()
    const channel = newer.within(() => new BroadcastChannel(`ackbox:${origin.name}`))
    channel.postMessage({ ackbox: 99, from: 'newer', say: 'driving', hub: 'h', isOpen: true })
    await refusal(ended, 'ERR_NEWER_FORMAT', /load this page again/)
    expect(() => box.queue('orders')).toThrow(expect.objectContaining({ code: 'ERR_NEWER_FORMAT' }))
  })

  it('strangers on the channel change nothing', async () => {
    const origin = new Origin()
    const driving = await origin.tab()
    const other = await origin.tab()
    const channel = origin.strange().within(() => new BroadcastChannel(`ackbox:${origin.name}`))
    const nonsense = [
      null, 7, 'driving', [], {}, { say: 'driving' }, { ackbox: 1, from: 1, say: 'seek' }, { ackbox: 1, from: 'x', say: 'dance' },
      { ackbox: 1, from: 'x', say: 'calls', hub: 'nobody', calls: 'none' }, { ackbox: 1, from: 'x', say: 'outputs', hub: 'h', to: 'y' },
      { ackbox: 1, from: 'x', say: 'told', hub: 'h', key: 1, takenBack: true }, { ackbox: 0, from: 'x', say: 'ping', hub: 'h' },
    ]
    for (const message of nonsense) channel.postMessage(message)
    for (const { box } of [driving, other]) {
      expect(await box.queue('orders').enqueue(1)).toMatchObject({ status: 'accepted' })
    }
  })

  it('a frozen tab that has deliveries loses them, and its settlements are refused', async () => {
    const origin = new Origin()
    const clock = tabsClock()
    const driving = await origin.tab({ clock })
    const other = await origin.tab({ clock })
    const orders = driving.box.queue<string>('orders', { leaseMs: 3_600_000 })
    await orders.enqueue('one', { id: 'a' })
    const delivery = (await other.box.queue<string>('orders').dequeue())!
    other.freeze()
    const again = orders.dequeue({ waitMs: 60_000 })
    // Asked, and then given up.
    for (let tick = 0; tick < 3; tick++) await clock.advance(10_000)
    expect(await again).toMatchObject({ id: 'a' })
    other.thaw()
    await refusal(delivery.ack(), 'ERR_LEASE_LOST')
    await (await again)!.ack()
    expect(await other.box.queue<string>('orders').stats()).toMatchObject({ acked: 1 })
  })

  it('what only the driving tab can tell at once, others say so', async () => {
    const origin = new Origin()
    await origin.tab()
    const other = await origin.tab()
    const orders = other.box.queue<string>('orders')
    await orders.enqueue('one')
    const delivery = (await orders.dequeue({ waitMs: 10_000 }))!
    expect(() => delivery.key('charge')).toThrow(/only the tab that drives the box can tell at once/)
    await delivery.ack()
  })
})
