/** A box that tabs share, and a browser that has no room for more. */
import { type Box } from 'ackbox'
import type { ManualClock } from 'ackbox/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

import { byHand, openByHand, answerOf, rowsOf } from '../support/indexed-db.ts'
import { Origin, type Tab } from '../support/tabs.ts'
import { tabsClock, turns } from '../support/tabs-clock.ts'

type OpenTab = Tab & { readonly box: Box }

/** Tabs over one clock, the first of which drives. */
async function tabsOf(count: number): Promise<{ origin: Origin; clock: ManualClock; tabs: OpenTab[] }> {
  const origin = new Origin()
  const clock = tabsClock()
  const tabs: OpenTab[] = []
  while (tabs.length < count) tabs.push(await origin.tab({ clock }))
  await turns()
  return { origin, clock, tabs }
}

/** Instead of adding and putting; `undefined`: as ever. */
function instead(fails: (store: string, bytes: number) => boolean): void {
  const { add, put } = IDBObjectStore.prototype
  onTestFinished(() => void Object.assign(IDBObjectStore.prototype, { add, put }))
  const limited = (original: typeof put): typeof put =>
    function (this: IDBObjectStore, value: unknown, ...key) {
      if (fails(this.name, value instanceof Uint8Array ? value.byteLength : 0)) throw new DOMException('full', 'QuotaExceededError')
      return original.call(this, value, ...key)
    }
  Object.assign(IDBObjectStore.prototype, { add: limited(add), put: limited(put) })
}

/** Nothing can be added or put any more, but to the inbox. */
function fillUp(): void {
  instead((store) => store !== 'inbox')
}

/** The journal gets so many bytes, and those of the ballast when that is given up. */
function giveRoom(bytes: number): { more(bytes: number): void } {
  let free = bytes
  instead((store, size) => {
    if (store === 'inbox' || store === 'owner') return false
    if (size > free) return true
    free -= size
    return false
  })
  const { delete: remove } = IDBObjectStore.prototype
  onTestFinished(() => void (IDBObjectStore.prototype.delete = remove))
  IDBObjectStore.prototype.delete = function (key) {
    if (this.name === 'reserve') free += 512 << 10
    return remove.call(this, key)
  }
  return { more: (more) => void (free += more) }
}

describe('a storage without room [A1 share, A8 indexedDbStorage]', () => {
  it('is opened by one tab, which drives on', async () => {
    const origin = new Origin()
    const first = await origin.tab()
    await first.box.queue<string>('orders').enqueue('one', { id: 'a' })
    await first.box.close()
    fillUp()
    const clock = tabsClock()
    const { box } = await origin.tab({ clock })
    await byHand(origin.name, 'inbox', () => {})
    const epochs = new Set<unknown>()
    for (let step = 0; step < 8; step++) {
      await clock.advance(500)
      epochs.add(origin.held.get(`ackbox:${origin.name}`))
    }
    expect((await box.queue<string>('orders').peek()).map(({ id }) => id)).toEqual(['a'])
    expect(epochs.size).toBe(1)
  })

  it('can be closed while what was left waits for room', async () => {
    const { origin, clock, tabs: [driving] } = await tabsOf(1)
    await driving!.box.queue<string>('orders').enqueue('one')
    fillUp()
    const items = [{ queue: 'orders', options: { bodies: 'json' }, record: { priority: 0, id: 'a', body: '"two"' } }]
    await byHand(origin.name, 'inbox', (inbox) => void inbox.add({ row: { format: 1, tab: 'gone', leftAt: clock.now(), items } }))
    const channel = origin.strange().within(() => new BroadcastChannel(`ackbox:${origin.name}`))
    channel.postMessage({ ackbox: 1, from: 'gone', say: 'left' })
    await turns()
    // It was asked whether it takes the row back, and is not there.
    await clock.advance(1_000)
    // Time stands still.
    await driving!.box.close({ timeoutMs: 0 }).catch(() => {})
    expect(origin.driver).toBeUndefined()
  })

  it('keeps what is left of it for settlements: what others enqueue is refused at once, and what there is worked off', async () => {
    const { origin, clock, tabs: [driving, other] } = await tabsOf(2)
    const room = giveRoom(100_000)
    const orders = other!.box.queue<string>('orders')
    const enqueued: string[] = []
    for (let n = 0; n < 40; n++) {
      const size = n < 20 ? 8_000 : 800
      enqueued.push(await orders.enqueue('x'.repeat(size)).then(({ status }) => status, ({ code }: { code: string }) => code))
    }
    const accepted = enqueued.filter((came) => came === 'accepted').length
    expect(accepted).toBeGreaterThan(5)
    expect(enqueued.slice(accepted)).toEqual(Array.from({ length: 40 - accepted }, () => 'ERR_STORAGE_FULL'))
    // It says so, and gives nothing to the inbox.
    expect(other!.box.health()).toMatchObject({ ok: false, reason: 'the storage has no room for new messages', storage: { full: true } })
    expect(await rowsOf(origin.name)).toEqual([])
    const database = await openByHand(origin.name)
    expect(await answerOf(database.transaction('reserve').objectStore('reserve').count())).toBe(1)
    database.close()
    expect(await driving!.box.queue<string>('orders').drain(() => {})).toMatchObject({ completed: accepted, remaining: 0 })
    room.more(2 << 20)
    await vi.waitFor(async () => {
      await clock.advance(1_000)
      expect(other!.box.health().storage.full).toBe(false)
    }, { timeout: 15_000 })
    expect(await orders.enqueue('again')).toMatchObject({ status: 'accepted' })
  })

  it('and was told as refused, is not accepted: what a tab may still take back is not tried again', async () => {
    const { origin, clock, tabs: [, member] } = await tabsOf(2)
    let isFull = false
    instead((store) => isFull && store === 'journal')
    const { transaction } = IDBDatabase.prototype
    onTestFinished(() => void (IDBDatabase.prototype.transaction = transaction))
    let isArmed = false
    IDBDatabase.prototype.transaction = function (this: IDBDatabase, ...given) {
      if (isArmed && String(given[0]) === 'owner,journal' && given[1] === 'readwrite') member!.thaw()
      return transaction.apply(this, given)
    }
    isFull = true
    member!.freeze()
    let told: string | undefined
    const left = member!.box.queue<string>('orders').enqueue('x').then(
      ({ status }) => void (told = status),
      ({ code }: { code: string }) => void (told = code),
    )
    while ((await rowsOf(origin.name)).length === 0) await new Promise((resolve) => setImmediate(resolve))
    const channel = origin.strange().within(() => new BroadcastChannel(`ackbox:${origin.name}`))
    channel.postMessage({ ackbox: 1, from: 'somebody', say: 'left' })
    await turns()
    // It does not hear that it is refused, and then there is room.
    isFull = false
    isArmed = true
    await vi.waitFor(async () => {
      await clock.advance(250)
      expect(told).toBeDefined()
    }, { timeout: 15_000 })
    await left
    await turns()
    const found = await origin.driver!.box!.queue<string>('orders').peek()
    expect({ told, found: found.length }).toEqual(told === 'ERR_STORAGE_FULL' ? { told, found: 0 } : { told: expect.stringMatching(/accepted|stored/), found: 1 })
  })
})
