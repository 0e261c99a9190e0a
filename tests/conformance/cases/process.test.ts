import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { gate } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'

eachStorage('process [A3 process]', (make) => {
  it('hands every message to the handler once [A3 delivery]', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const handled: number[] = []
    queue.process(async ({ body }) => {
      await Promise.resolve()
      handled.push(body)
    }, { concurrency: 20 })
    await queue.enqueueMany(Array.from({ length: 500 }, (_, body) => ({ body })))
    await seen.until('completed', 500)
    expect([...handled].sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, n) => n))
    expect(await queue.stats()).toMatchObject({ enqueued: 500, delivered: 500, acked: 500, ready: 0, leased: 0 })
  })

  it.each([1, 3])('runs at most %i handlers at once [A3 concurrency]', async (concurrency) => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const gates = Array.from({ length: 10 }, () => gate())
    let running = 0
    let most = 0
    queue.process(
      async ({ body }) => {
        running += 1
        most = Math.max(most, running)
        await gates[body]!.promise
        running -= 1
      },
      { concurrency },
    )
    await queue.enqueueMany(gates.map((_, body) => ({ body })))
    for (const [body, { open }] of gates.entries()) {
      await seen.until('started', Math.min(body + concurrency, 10))
      open()
    }
    await seen.until('completed', 10)
    expect(most).toBe(concurrency)
  })

  it('runs one handler at once by default, in order', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const log: string[] = []
    queue.process(async ({ body }) => {
      log.push(`start ${body}`)
      await Promise.resolve()
      log.push(`end ${body}`)
    })
    await queue.enqueueMany([{ body: 1 }, { body: 2 }])
    await seen.until('completed', 2)
    expect(log).toEqual(['start 1', 'end 1', 'start 2', 'end 2'])
  })

  it('shares a queue between two workers', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const hold = gate()
    const counts = [0, 0]
    for (const worker of [0, 1]) {
      queue.process(() => {
        counts[worker]! += 1
        return hold.promise
      })
    }
    await queue.enqueueMany([{ body: 1 }, { body: 2 }, { body: 3 }])
    await seen.until('started', 2)
    expect(counts).toEqual([1, 1])
    hold.open()
    await seen.until('completed', 3)
  })

  it('takes a settlement by hand and ignores what the handler returns or throws then [S4]', async () => {
    const { box } = await make()
    const queue = box.queue<string>('jobs')
    const seen = record(queue)
    queue.process(async (message) => {
      if (message.body === 'ack') await message.ack()
      else await message.reject(new Error('by hand'), { dead: true })
      throw new Error('ignored')
    })
    await queue.enqueue('ack', { id: 'a' })
    await queue.enqueue('reject', { id: 'r' })
    await seen.until('completed')
    expect(await seen.until('dead')).toMatchObject({ id: 'r', error: { message: 'by hand' } })
    expect(seen.of('retry')).toEqual([])
    expect(seen.ids('started')).toEqual(['a', 'r'])
  })

  it('refuses a second settlement inside the handler', async () => {
    const { box } = await make()
    const queue = box.queue<string>('jobs')
    const seen = record(queue)
    const refused = gate()
    queue.process(async (message) => {
      await message.ack()
      await refusal(message.ack(), 'ERR_ALREADY_SETTLED').then(() => refused.open(), refused.fail)
    })
    await queue.enqueue('x')
    await refused.promise
    await seen.until('completed')
  })

  it('keeps the lease of a handler that runs for hours [A2 leaseMs]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<string>('jobs', { leaseMs: 1_000 })
    const seen = record(queue)
    const slow = gate()
    let aborted = false
    queue.process(({ signal }) => {
      signal.addEventListener('abort', () => (aborted = true))
      return slow.promise
    }, { concurrency: 2 })
    await queue.enqueue('x')
    await seen.until('started')
    await clock.advance(7_200_000)
    slow.open()
    expect(await seen.until('completed')).toMatchObject({ attempt: 1 })
    expect(seen.of('started')).toHaveLength(1)
    expect(aborted).toBe(false)
  })

  it('delivers a backlog that was there before', async () => {
    const { box, reopen } = await make()
    await box.queue<number>('jobs').enqueueMany(Array.from({ length: 50 }, (_, body) => ({ body })))
    const queue = (await reopen()).queue<number>('jobs')
    const seen = record(queue)
    const handled: number[] = []
    queue.process(({ body }) => void handled.push(body))
    await seen.until('completed', 50)
    expect(handled).toEqual(Array.from({ length: 50 }, (_, n) => n))
  })

  it('closes a worker without closing the box', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    const slow = gate()
    const worker = queue.process(() => slow.promise)
    await queue.enqueue(1, { id: '1' })
    await queue.enqueue(2, { id: '2' })
    await seen.until('started')
    const closing = worker.close()
    slow.open()
    expect(await closing).toEqual({ returned: 0 })
    expect(seen.ids('completed')).toEqual(['1'])
    expect(await queue.get('2')).toMatchObject({ state: 'ready', attempt: 0 })
    queue.process(() => {})
    await seen.until('completed', 2)
  })
})
