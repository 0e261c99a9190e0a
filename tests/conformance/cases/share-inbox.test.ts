/** What tabs leave in the inbox, and whoever drives moves: in order, once, and never what it cannot read. */
import type { Box } from 'ackbox'
import { indexedDbStorage } from 'ackbox/indexeddb'
import { describe, expect, it, vi } from 'vitest'

import { refusal } from '../support/errors.ts'
import { byHand, deleteDatabase, rowsOf } from '../support/indexed-db.ts'
import { Origin, type Tab } from '../support/tabs.ts'
import { tabsClock, turns } from '../support/tabs-clock.ts'

type OpenTab = Tab & { readonly box: Box }

async function until(isSo: () => unknown): Promise<void> {
  await vi.waitFor(async () => expect(await isSo()).toBeTruthy(), { timeout: 15_000, interval: 1 })
}

/** A row as a tab leaves it, but for what is given. */
function row(item: object, given: object = {}) {
  const whole = { queue: 'orders', options: { bodies: 'json' }, record: { priority: 0, id: 'a', body: '"a"' }, ...item }
  return { row: { format: 1, tab: 'a tab that is gone', leftAt: Date.now(), items: [whole], ...given } }
}

async function leave(origin: Origin, ...rows: object[]): Promise<void> {
  await byHand(origin.name, 'inbox', (inbox) => rows.forEach((left) => void inbox.add(left)))
}

/** Whoever drives is told that there is something. */
function tell(origin: Origin): void {
  const channel = origin.strange().within(() => new BroadcastChannel(`ackbox:${origin.name}`))
  channel.postMessage({ ackbox: 1, from: 'a tab that is gone', say: 'left' })
}

const bodies = async (box: Box): Promise<unknown[]> => (await box.queue<unknown>('orders').peek({ limit: 1000 })).map(({ body }) => body)

describe('what whoever drives cannot read [A1 share]', () => {
  it('of a newer version, is left to it: this one ends', async () => {
    const origin = new Origin()
    const first = await origin.tab()
    await first.box.close()
    await leave(origin, row({}), row({ precious: 1 }, { format: 2 }), row({ record: { priority: 0, id: 'b', body: '"b"' } }))
    const { box } = await origin.tab()
    await refusal(box.closed, 'ERR_NEWER_FORMAT', /newer version of ackbox left messages.*load this page again/)
    // What is before it was moved.
    expect((await rowsOf(origin.name)).map(({ key }) => key)).toEqual([2, 3])
  })

  it.each([
    ['no record', { record: undefined }],
    ['a record that is null', { record: null }],
    ['an id that is a number', { record: { priority: 0, id: 7, body: '1' } }],
    ['a body that is a number', { record: { priority: 0, id: 'a', body: 7 } }],
    ['no priority', { record: { id: 'a', body: '1' } }],
    ['a priority that there is not', { record: { priority: 300, id: 'a', body: '1' } }],
    ['a delay below none', { record: { priority: 0, id: 'a', body: '1', delayMs: -1 } }],
    ['half an attempt', { record: { priority: 0, id: 'a', body: '1', maxAttempts: 0.5 } }],
    ['no queue', { queue: '' }],
    ['no options', { options: undefined }],
  ])('%s, is set aside, and what is behind it moved', async (_, item) => {
    const origin = new Origin()
    const { box } = await origin.tab()
    const warnings: string[] = []
    box.on('warning', ({ message }) => void warnings.push(message))
    const damaged = row(item)
    await leave(origin, damaged, row({ record: { priority: 0, id: 'b', body: '"b"' } }))
    tell(origin)
    await until(async () => (await bodies(box)).length === 1)
    expect(await bodies(box)).toEqual(['b'])
    await until(async () => (await rowsOf(origin.name)).length === 1)
    expect(await rowsOf(origin.name)).toEqual([{ key: -1, ...damaged }])
    expect(warnings.join()).toMatch(/under key 1 that no version of ackbox left; it is set aside, and kept in the database under key -1/)
    await box.close()
    const again = await origin.tab()
    await again.box.queue('orders').enqueue('c')
    expect((await rowsOf(origin.name)).map(({ key }) => key)).toEqual([-1])
  })
})

describe('what is refused for what its queue should be [A1 share, A5 refused]', () => {
  const looping = { deadLetterTo: 'looping' }

  it('is told to its tab, which takes it back', async () => {
    const origin = new Origin()
    await origin.tab()
    const other = await origin.tab()
    other.box.on('warning', () => {})
    await refusal(other.box.queue('looping', looping).enqueue(1), 'ERR_INVALID_OPTION', /leads back/)
    expect(await other.box.queue('orders').enqueue(1)).toMatchObject({ status: 'accepted' })
  })

  it('is a dead letter of a queue as they are by default, if its tab is gone', async () => {
    const origin = new Origin()
    const { box } = await origin.tab()
    await leave(origin, row({ queue: 'looping', options: { ...looping, bodies: 'json' } }), row({ record: { priority: 0, id: 'b', body: '"b"' } }))
    tell(origin)
    // It is asked first, for a second, whether it takes it back.
    await until(async () => (await bodies(box)).includes('b'))
    const letters = (await box.queue<unknown>('looping').dead.list().page()).items
    expect(letters).toMatchObject([{ id: 'a', body: 'a', reason: 'refused', error: { code: 'ERR_INVALID_OPTION' } }])
    await until(async () => (await rowsOf(origin.name)).length === 0)
  })

  it('and cannot even be a dead letter, is set aside', async () => {
    const origin = new Origin()
    const { box } = await origin.tab()
    const warnings: string[] = []
    box.on('warning', ({ message }) => void warnings.push(message))
    await leave(origin, row({ queue: 'x'.repeat(1000) }), row({ record: { priority: 0, id: 'b', body: '"b"' } }))
    tell(origin)
    await until(async () => (await bodies(box)).includes('b'))
    expect((await rowsOf(origin.name)).map(({ key }) => key)).toEqual([-1])
    expect(warnings.join()).toMatch(/under key 1 that cannot even be a dead letter/)
  })
})

describe('a journal that was copied to another database [A1 share]', () => {
  it('moves what is left there, and keeps it', async () => {
    const origin = new Origin()
    const driving = await origin.tab()
    const other = await origin.tab()
    for (const id of ['a', 'b', 'c']) await other.box.queue('orders').enqueue(id, { id })
    await other.box.close()
    await driving.box.close()

    const copy = new Origin()
    const [from, to] = [indexedDbStorage({ name: origin.name }), indexedDbStorage({ name: copy.name })]
    const segments = await from.open()
    await to.open()
    for (const { segment, bytes } of segments) await to.append(segment, await from.read(segment, 0, bytes))
    await Promise.all([from.close(), to.close()])

    const first = await copy.tab()
    const second = await copy.tab()
    const receipts = await Promise.all(['d', 'e'].map((id) => second.box.queue('orders').enqueue(id, { id })))
    expect(receipts.map(({ status }) => status)).toEqual(['accepted', 'accepted'])
    for (const { box } of [second, first]) await box.close()
    const reopened = await copy.tab()
    expect(await bodies(reopened.box)).toEqual(['a', 'b', 'c', 'd', 'e'])
  })
})

describe('what one tab enqueues [A1 share, A2 group]', () => {
  it('keeps its order when the tab takes over', async () => {
    const origin = new Origin()
    const driving = await origin.tab()
    const other = await origin.tab()
    const orders = other.box.queue<number>('orders')
    const sent: Promise<unknown>[] = []
    const send = async (count: number): Promise<void> => {
      for (let left = count; left > 0; left--) {
        sent.push(orders.enqueue(sent.length, { group: 'g' }))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await send(20)
    driving.kill()
    while (origin.driver !== other) await send(1)
    await send(200)
    await Promise.all(sent)
    expect(await bodies(other.box)).toEqual(Array.from(sent.keys()))
  })

  it('keeps its order when the tab is robbed', async () => {
    const origin = new Origin()
    const clock = tabsClock()
    const driving = await origin.tab({ clock })
    const other = await origin.tab({ clock })
    const orders = driving.box.queue<string>('orders')
    await orders.enqueue('first', { group: 'g', id: 'first' })
    driving.freeze()
    // Its own engine is asked, and cannot write any more.
    void other.box.queue('orders').stats().catch(() => {})
    await turns()
    for (let step = 0; step < 8 && origin.driver !== other; step++) await clock.advance(250)
    expect(origin.driver).toBe(other)
    await turns()
    const second = orders.enqueue('second', { group: 'g', id: 'second' })
    await turns()
    const third = orders.enqueue('third', { group: 'g', id: 'third' })
    tell(origin)
    await turns()
    driving.thaw()
    await Promise.all([second, third])
    expect(await bodies(other.box)).toEqual(['first', 'second', 'third'])
  })

  it('and was told as stored, is not overtaken by what it enqueues as the one that drives', async () => {
    const origin = new Origin()
    const driving = await origin.tab()
    const other = await origin.tab()
    origin.keepsLocks = true
    driving.freeze()
    const orders = other.box.queue<string>('orders')
    expect(await orders.enqueue('first', { group: 'g' })).toMatchObject({ status: 'stored' })
    driving.kill()
    let second: Promise<unknown> | undefined
    other.box.queue('other').stats().then(() => (second = orders.enqueue('second', { group: 'g' })), () => {})
    await until(() => second !== undefined)
    await second
    expect(await bodies(other.box)).toEqual(['first', 'second'])
  })
})

describe('an id that a tab made, since its caller gave none [A1 share, A2 id, A2 idempotency]', () => {
  it('is none for an exactly-once queue', async () => {
    const origin = new Origin()
    await origin.tab()
    const other = await origin.tab()
    const orders = other.box.queue<number>('orders', { guarantee: 'exactly-once' })
    await refusal(orders.enqueue(1), 'ERR_ID_REQUIRED')
    expect(await orders.enqueue(1, { id: 'a' })).toMatchObject({ status: 'accepted' })
  })

  it('crowds out none that callers gave', async () => {
    const origin = new Origin()
    const { box } = await origin.tab()
    const other = await origin.tab()
    const orders = box.queue<unknown>('orders', { dedup: { maxEntries: 2 } })
    await orders.enqueue('order', { id: 'order-1' })
    await orders.drain(() => {})
    for (const body of [1, 2, 3]) {
      const { id } = await other.box.queue('orders').enqueue(body)
      expect(await orders.get(id)).toMatchObject({ state: 'ready' })
      await orders.drain(() => {})
    }
    expect(await orders.enqueue('order', { id: 'order-1' })).toMatchObject({ status: 'duplicate' })
  })
})

describe('a message that waited in the inbox [A1 share, A2 stored]', () => {
  it('was enqueued when it was left', async () => {
    const origin = new Origin()
    const first = await origin.tab()
    await first.box.close()
    const leftAt = Date.now() - 10 * 86_400_000
    await leave(origin, row({}, { leftAt }))
    const { box } = await origin.tab()
    const orders = box.queue('orders')
    await until(async () => (await orders.stats()).ready === 1)
    expect(await orders.peek()).toMatchObject([{ enqueuedAt: leftAt }])
  })
})

describe('a database that is deleted [A1 share, A2 stored]', () => {
  it('is no place where anything is stored: who waits is refused, with the id', async () => {
    const origin = new Origin()
    const clock = tabsClock()
    const driving: OpenTab = await origin.tab({ clock })
    const other: OpenTab = await origin.tab({ clock })
    for (const { box } of [driving, other]) box.on('error', () => {})
    origin.keepsLocks = true
    driving.freeze()
    const left = other.box.queue('orders').enqueue('x', { id: 'a' })
    const many = other.box.queue('orders').enqueueMany([{ body: 'y', id: 'b' }, { body: 'z', id: 'c' }])
    const refused = [refusal(left, 'ERR_STORAGE_FAILED', /deleted/), refusal(many, 'ERR_STORAGE_FAILED', /deleted/)]
    await until(async () => (await rowsOf(origin.name)).length === 2)
    await deleteDatabase(origin.name)
    expect((await Promise.all(refused)).map(({ details }) => details)).toEqual([{ id: 'a' }, { ids: ['b', 'c'] }])
  })
})

describe('a browser that promises to keep what is stored [A1 share, A1 health]', () => {
  it('is told in every tab', async () => {
    const origin = new Origin()
    const tabs = [await origin.tab(), await origin.tab()]
    expect(tabs.map(({ box }) => box.health().storage.persisted)).toEqual([true, true])
  })
})
