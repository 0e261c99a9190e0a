/** `box.producer`: numbered messages, each of them accepted once, for ever. */
import type { Box, Producer, Queue } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory, openOn } from '../support/boxes.ts'
import { manualClock } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { InjectedStorage } from '../support/injected-storage.ts'

const bodiesOf = async (queue: Queue<number>): Promise<number[]> => (await queue.dequeueMany(100)).map(({ body }) => body)

eachStorage('producer [A5 producer, S13]', (make) => {
  it('is told where to go on, and accepts each number once', async () => {
    const site = await make()
    const events = site.box.queue<number>('events')
    const first = await site.box.producer('importer')
    expect([first.name, first.sequence]).toEqual(['importer', 1])
    expect(await first.enqueue(events, 10, { sequence: 1, id: 'e-1' })).toEqual({
      sequence: 1, status: 'accepted', id: 'e-1', state: 'ready',
    })
    await Promise.all([4, 2].map((sequence) => first.enqueue(events, 10 * sequence, { sequence })))
    expect(first.sequence).toBe(3)
    expect(await first.enqueue(events, 20, { sequence: 2 })).toEqual({ sequence: 2, status: 'duplicate' })
    const box = await site.reopen()
    const again = box.queue<number>('events')
    const second = await box.producer('importer')
    expect(second.sequence).toBe(3)
    expect(await second.enqueue(again, 10, { sequence: 1, id: 'e-1' })).toEqual({
      sequence: 1, status: 'duplicate', id: 'e-1', state: 'ready',
    })
    expect(await second.enqueue(again, 40, { sequence: 4 })).toEqual({ sequence: 4, status: 'duplicate' })
    await second.enqueue(again, 30, { sequence: 3 })
    expect(second.sequence).toBe(5)
    expect(await bodiesOf(again)).toEqual([10, 40, 20, 30])
  })
})

it('goes on after a crash without doubling or losing anything', async () => {
  const storage = new InjectedStorage()
  const box = await openOn(storage, { clock: manualClock() })
  const importer = await box.producer('importer')
  const copy = async (box: Box, producer: Producer, until: number): Promise<void> => {
    const events = box.queue<number>('events')
    const sent: Promise<unknown>[] = []
    for (let sequence = producer.sequence; sequence <= until; sequence += 1) {
      sent.push(producer.enqueue(events, sequence, { sequence }))
    }
    await Promise.all(sent)
  }
  await copy(box, importer, 20)
  storage.hold()
  const lost = copy(box, importer, 40)
  lost.catch(() => {})
  const other = await openOn(storage.copy(), { clock: manualClock() })
  const resumed = await other.producer('importer')
  expect(resumed.sequence).toBe(21)
  await copy(other, resumed, 50)
  expect(await bodiesOf(other.queue('events'))).toEqual(Array.from({ length: 50 }, (_, n) => n + 1))
})

it('fences its older handles', async () => {
  const { box } = await makeInMemory()
  const events = box.queue<number>('events')
  const old = await box.producer('importer')
  const other = await box.producer('other')
  const newer = await box.producer('importer')
  await refusal(() => old.enqueue(events, 1, { sequence: 1 }), 'ERR_FENCED', /opened again/)
  await Promise.all([newer.enqueue(events, 1, { sequence: 1 }), other.enqueue(events, 2, { sequence: 1 })])
  expect(await bodiesOf(events)).toEqual([1, 2])
})

it('leaves the number of a refused message free', async () => {
  const { box } = await makeInMemory()
  const events = box.queue<number>('events', { maxDepth: 1 })
  const importer = await box.producer('importer')
  await importer.enqueue(events, 1, { sequence: 1 })
  await refusal(() => importer.enqueue(events, 2, { sequence: 2 }), 'ERR_QUEUE_FULL')
  expect(importer.sequence).toBe(2)
  await events.purge()
  expect(await importer.enqueue(events, 2, { sequence: 2 })).toMatchObject({ status: 'accepted' })
})

it('refuses what is wrong by name', async () => {
  const { box } = await makeInMemory()
  const other = await makeInMemory()
  const events = box.queue<number>('events')
  const importer = await box.producer('importer')
  for (const sequence of [0, 1.5, -1, '1', undefined, Number.NaN]) {
    await refusal(() => importer.enqueue(events, 1, { sequence } as never), 'ERR_INVALID_OPTION', /sequence/)
  }
  await refusal(() => importer.enqueue(events, 1, undefined as never), 'ERR_INVALID_OPTION', /sequence/)
  await refusal(() => importer.enqueue(events, 1, { sequence: 1025 }), 'ERR_INVALID_OPTION', /1 to 1024.*1025/)
  await refusal(() => importer.enqueue(events, 1, { sequence: 1, delay: 1 } as never), 'ERR_INVALID_OPTION', /'delay'/)
  await refusal(() => importer.enqueue(other.box.queue('events'), 1, { sequence: 1 }), 'ERR_INVALID_OPTION', /of this box/)
  await refusal(() => importer.enqueue(events, undefined as never, { sequence: 1 }), 'ERR_INVALID_BODY')
  for (const name of ['', 'x'.repeat(257), 5]) {
    await refusal(() => box.producer(name as never), 'ERR_INVALID_OPTION', /name/)
  }
  expect(importer.sequence).toBe(1)
  await box.close()
  await refusal(() => importer.enqueue(events, 1, { sequence: 1 }), 'ERR_CLOSED')
  await refusal(() => box.producer('importer'), 'ERR_CLOSED')
})

it('sends through middleware, with its number [A6 use]', async () => {
  const { box } = await makeInMemory()
  const events = box.queue<number>('events')
  const importer = await box.producer('importer')
  const seen: unknown[] = []
  box.use({
    async enqueue({ body, options }, next) {
      seen.push([body, options])
      return next({ options: { headers: { trace: 't' } } })
    },
  })
  const receipt = await importer.enqueue(events, 1, { sequence: 1, priority: 3 })
  expect(receipt).toEqual({ sequence: 1, status: 'accepted', id: expect.any(String), state: 'ready' })
  expect(await importer.enqueue(events, 1, { sequence: 1 })).toEqual({ sequence: 1, status: 'duplicate' })
  expect(seen).toEqual([[1, { priority: 3 }], [1, {}]])
  expect(await events.dequeue()).toMatchObject({ body: 1, headers: { trace: 't' }, priority: 0 })
})
