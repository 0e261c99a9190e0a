/** What tabs of one box go through while it is handed over from one to the next. */
import { type Box } from 'ackbox'
import { type ManualClock, manualClock } from 'ackbox/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

import { refusal } from '../support/errors.ts'
import { occupy } from '../support/indexed-db.ts'
import { Origin, type Tab } from '../support/tabs.ts'
import { tabsClock, turns } from '../support/tabs-clock.ts'

type OpenTab = Tab & { readonly box: Box }

async function until(isSo: () => unknown): Promise<void> {
  await vi.waitFor(() => expect(isSo()).toBeTruthy(), { timeout: 15_000, interval: 1 })
}

/** Tabs over one clock, the first of which drives. */
async function tabsOf(count: number, clock = tabsClock()): Promise<{ origin: Origin; clock: ManualClock; tabs: OpenTab[] }> {
  const origin = new Origin()
  const tabs: OpenTab[] = []
  while (tabs.length < count) tabs.push(await origin.tab({ clock }))
  await turns()
  return { origin, clock, tabs }
}

/** The tab is robbed by another one that has something to do. */
async function rob(origin: Origin, clock: ManualClock, driving: OpenTab, other: OpenTab): Promise<void> {
  driving.freeze()
  const left = other.box.queue<string>('orders').enqueue('by the robber')
  await turns()
  for (let step = 0; step < 8 && origin.driver !== other; step++) await clock.advance(250)
  expect(origin.driver).toBe(other)
  await left
}

describe('a tab that is robbed of the box [A1 share]', () => {
  it('waits on for what it waited for', async () => {
    const { origin, clock, tabs: [driving, other] } = await tabsOf(2)
    const orders = driving!.box.queue<string>('orders')
    await orders.enqueue('one', { id: 'a' })
    let handled = 0
    const drained = orders.drain(({ signal, body }) =>
      new Promise<void>((resolve) => {
        if (body !== 'one' || ++handled > 1) return resolve()
        signal.addEventListener('abort', () => resolve())
      }))
    const finished = orders.finished('later')
    await until(() => handled === 1)
    await rob(origin, clock, driving!, other!)
    driving!.thaw()
    await other!.box.queue<string>('orders').enqueue('two', { id: 'later' })
    expect(await drained).toMatchObject({ dead: 0 })
    expect(await finished).toMatchObject({ state: 'completed' })
    expect((await orders.get('a'))?.state).toBe('completed')
  })

  it('draws nobody away from the next by what it still says', async () => {
    const { origin, clock, tabs: [driving, other, third] } = await tabsOf(3)
    await rob(origin, clock, driving!, other!)
    const orders = third!.box.queue<string>('orders')
    const handling: AbortSignal[] = []
    const worker = orders.process(({ signal }) => new Promise<void>((resolve) => {
      handling.push(signal)
      signal.addEventListener('abort', () => resolve())
    }))
    worker.closed.catch(() => {})
    await until(() => handling.length === 1)
    // The frozen one has heard it asked who drives.
    await clock.advance(2_000)
    driving!.thaw()
    await turns()
    await clock.advance(2_000)
    expect(handling.map(({ aborted }) => aborted)).toEqual([false])
    expect(origin.driver).toBe(other)
  })

  it('is not followed by one that is robbed for the silence of another', async () => {
    const { origin, clock, tabs: [driving, other] } = await tabsOf(2)
    driving!.freeze()
    const left = other!.box.queue<string>('orders').enqueue('one')
    left.catch(() => {})
    await turns()
    await clock.advance(900)
    // Somebody takes the lock who has not said so yet.
    const robber = origin.strange()
    const held = robber.within(() => navigator.locks.request(`ackbox:${origin.name}`, { steal: true }, () => new Promise(() => {})))
    held.catch(() => {})
    await clock.advance(900)
    expect(origin.driver).toBe(robber)
    await clock.advance(1_000)
    expect(origin.driver).toBe(other)
  })
})

describe('a tab that takes over [A1 share]', () => {
  it('has all the time that it needs to open the box', async () => {
    const { origin, clock, tabs: [driving, other, third] } = await tabsOf(3, manualClock())
    for (const tab of [other!, third!]) {
      tab.box.queue<string>('orders').process(() => {})
      // When this is durable nothing is under way to the database that the driver, which is dead then, would wait for.
      await tab.box.queue<string>('orders').enqueue('tomorrow', { delayMs: 86_400_000 })
    }
    const release = await occupy(origin.name, 'owner')
    driving!.kill()
    await until(() => origin.driver !== undefined)
    const next = origin.driver
    for (let step = 0; step < 20; step++) await clock.advance(500)
    expect(origin.driver).toBe(next)
    await release()
    expect(await third!.box.queue<string>('orders').enqueue('one')).toMatchObject({ status: 'accepted' })
    expect(origin.driver).toBe(next)
  })
})

describe('what is on its way to the tab that drives [A2 enqueue, A2 stored]', () => {
  it('is told as accepted, though its tab hears that first, and then that its row is written', async () => {
    const { origin, tabs: [, other] } = await tabsOf(2)
    const late: (() => void)[] = []
    const { transaction } = IDBDatabase.prototype
    onTestFinished(() => void (IDBDatabase.prototype.transaction = transaction))
    IDBDatabase.prototype.transaction = function (this: IDBDatabase, ...given) {
      const begun = transaction.apply(this, given)
      const listen = begun.addEventListener.bind(begun)
      const tellLater = (listener: () => void) => () => void late.push(listener)
      const isLate = (type: string): boolean => given[0] === 'inbox' && type === 'complete'
      begun.addEventListener = ((type: 'complete', listener: () => void) => listen(type, isLate(type) ? tellLater(listener) : listener)) as never
      return begun
    }
    const orders = other!.box.queue<string>('orders')
    const left = ['a', 'b'].map(async (id) => {
      if (id === 'b') await turns()
      return orders.enqueue(id, { id })
    })
    await turns()
    await until(() => late.length === 2)
    const channel = origin.strange().within(() => new BroadcastChannel(`ackbox:${origin.name}`))
    channel.postMessage({ ackbox: 1, from: 'somebody', say: 'left' })
    await turns()
    for (const tell of late.splice(0)) {
      tell()
      await turns()
    }
    // Time stands still, in which nobody is told that it is stored.
    expect((await Promise.all(left)).map(({ status }) => status)).toEqual(['accepted', 'accepted'])
  })

  it('and is refused, is refused even if that takes longer than the time after which it would be stored', async () => {
    const { origin, clock, tabs: [driving, other] } = await tabsOf(2, manualClock())
    await driving!.box.queue<string>('orders').enqueue('original', { id: 'a' })
    const orders = other!.box.queue<string>('orders')
    let release: (() => Promise<void>) | undefined
    const { delete: remove } = IDBObjectStore.prototype
    onTestFinished(() => void (IDBObjectStore.prototype.delete = remove))
    // The row is being taken back when its two seconds are over.
    const takingBack = new Promise<void>((reached) => {
      IDBObjectStore.prototype.delete = function (key) {
        if (this.name !== 'inbox' || typeof key !== 'number') return remove.call(this, key)
        IDBObjectStore.prototype.delete = remove
        const request = remove.call(this, key)
        let isOver = false
        release = async () => void (isOver = true)
        const goOn = (): void => {
          if (!isOver) this.count().onsuccess = goOn
        }
        goOn()
        reached()
        return request
      }
    })
    const left = orders.enqueue('another', { id: 'a' })
    left.catch(() => {})
    await takingBack
    await clock.advance(2_500)
    await release!()
    await refusal(left, 'ERR_ID_CONFLICT')
    expect(await orders.dead.count()).toBe(0)
    expect(origin.driver).toBe(driving)
  })
})
