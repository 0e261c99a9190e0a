import { expect, it } from 'vitest'

import { eachStorage, openOn } from '../support/boxes.ts'
import { manualClock, turns } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

eachStorage('reopening [A1 open]', (make) => {
  it('finds everything as it was', async () => {
    const site = await make()
    const queue = site.box.queue<number>('jobs')
    for (let n = 0; n < 30; n += 1) {
      await queue.enqueue(n, {
        id: `id-${n}`,
        priority: n % 4,
        ...(n % 3 === 0 ? { group: `g-${n % 2}` } : {}),
        ...(n % 5 === 0 ? { delayMs: 1_000 * n } : {}),
        headers: { n: String(n) },
      })
    }
    await (await queue.dequeue())!.ack()
    await (await queue.dequeue())!.reject(new Error('retry'))
    await (await queue.dequeue())!.reject(new Error('dead'), { dead: true })
    await queue.cancel('id-20')
    await site.clock.advance(3_000)
    const view = async (): Promise<unknown> => {
      const infos = await Promise.all(Array.from({ length: 30 }, (_, n) => site.box.queue('jobs').get(`id-${n}`)))
      const stats = await site.box.queue('jobs').stats()
      return { infos, depths: [stats.ready, stats.scheduled, stats.leased, stats.deadLetters, stats.bytes] }
    }
    const before = await view()
    await site.reopen()
    expect(await view()).toEqual(before)
    await site.reopen()
    expect(await view()).toEqual(before)
  })

  it('reads bodies back that are not kept in memory [A1 maxMemoryBytes]', async () => {
    const { box, reopen } = await make({ maxMemoryBytes: 64 * 1024 })
    const body = (n: number): string => `${n}:`.padEnd(10_000, 'x')
    const queue = box.queue<string>('jobs')
    await queue.enqueueMany(Array.from({ length: 50 }, (_, n) => ({ body: body(n) })))
    expect((await queue.dequeueMany(25)).map((message) => message.body)).toEqual(
      Array.from({ length: 25 }, (_, n) => body(n)),
    )
    const again = (await reopen()).queue<string>('jobs')
    expect((await again.dequeueMany(100)).map((message) => message.body)).toEqual(
      Array.from({ length: 50 }, (_, n) => body(n)),
    )
  })

  it('fences deliveries of the box before [S14]', async () => {
    const { box, reopen } = await make()
    await box.queue('jobs').enqueue(1, { id: 'a' })
    const stale = await box.queue('jobs').dequeue()
    const again = (await reopen()).queue<number>('jobs')
    const fresh = await again.dequeue()
    await refusal(stale!.ack(), 'ERR_CLOSED')
    expect(fresh!.token).toBeGreaterThan(stale!.token)
    expect(await again.get('a')).toMatchObject({ state: 'leased' })
  })
})

it('reports what it found to who asks, whenever that is', async () => {
  const storage = new InjectedStorage()
  const clock = manualClock()
  const box = await openOn(storage, { clock })
  const reports: unknown[] = []
  box.on('recovered', (report) => reports.push(report))
  await box.queue('jobs').enqueueMany([{ body: 1 }, { body: 2 }])
  await box.queue('jobs').dequeue()
  await turns()
  expect(reports).toEqual([])
  const [segment] = storage.segments
  const torn = new InjectedStorage([[segment!, [storage.content(segment!), Buffer.alloc(100, 7)]]])
  const heir = await openOn(torn, { clock })
  await turns()
  heir.on('recovered', (report) => reports.push(report))
  await turns()
  expect(reports).toEqual([
    {
      created: false,
      segments: 1,
      bytes: storage.bytes,
      frames: storage.appends,
      messages: 2,
      deadLetters: 0,
      interrupted: 1,
      cut: { segment, offset: storage.bytes, bytes: 100 },
    },
  ])
})

it('cuts a torn tail of any length and keeps every frame before it [S18]', async () => {
  const storage = new InjectedStorage()
  const clock = manualClock()
  const box = await openOn(storage, { clock })
  const queue = box.queue<number>('jobs')
  const ends: number[] = []
  storage.onAppended = () => ends.push(storage.bytes)
  for (let n = 0; n < 5; n += 1) await queue.enqueue(n)
  const [segment] = storage.segments
  const whole = storage.content(segment!)
  const last = ends.at(-2)!
  for (let length = last; length < whole.byteLength; length += 7) {
    const torn = new InjectedStorage([[segment!, [whole.subarray(0, length)]]])
    const heir = await openOn(torn, { clock })
    expect((await heir.queue<number>('jobs').peek({ limit: 10 })).map(({ body }) => body)).toEqual([0, 1, 2, 3])
    await heir.queue<number>('jobs').enqueue(9)
    await heir.close()
    const next = await openOn(torn.copy(), { clock })
    expect((await next.queue<number>('jobs').peek({ limit: 10 })).map(({ body }) => body)).toEqual([0, 1, 2, 3, 9])
  }
})

it('opens a storage in which the very first append was torn', async () => {
  const storage = new InjectedStorage()
  const clock = manualClock()
  await (await openOn(storage, { clock })).queue('jobs').enqueue(1)
  const [segment] = storage.segments
  for (const length of [0, 1, 64, 127, 128, 140]) {
    const torn = new InjectedStorage([[segment!, [storage.content(segment!).subarray(0, length)]]])
    const heir = await openOn(torn, { clock })
    expect(await heir.queue('jobs').enqueue(1)).toMatchObject({ status: 'accepted' })
    expect(await heir.queue('jobs').dequeueMany(10)).toHaveLength(1)
  }
})

it('a journal can be copied from one storage to another', async () => {
  const storage = new InjectedStorage()
  const clock = manualClock()
  const box = await openOn(storage, { clock })
  await box.queue('jobs').enqueue({ n: 1 }, { id: 'a' })
  const elsewhere = await openOn(storage.copy(), { clock })
  expect(await elsewhere.queue('jobs').get('a')).toMatchObject({ body: { n: 1 }, state: 'ready' })
})
