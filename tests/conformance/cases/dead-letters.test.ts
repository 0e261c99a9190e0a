import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { record } from '../support/events.ts'
import { kill, list } from '../support/letters.ts'

eachStorage('dead letters [A5 dead letter]', (make) => {
  it('keep body, headers, reason, error and one entry of history for each attempt [A2 headers]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<{ n: number }>('jobs', { maxAttempts: 2 })
    const seen = record(queue)
    const startedAt = clock.now()
    queue.process(({ attempt }) => {
      throw Object.assign(new RangeError(`attempt ${attempt}`), { code: 'E_RANGE' })
    })
    await queue.enqueue({ n: 1 }, { id: 'a', headers: { trace: 't' } })
    const { delayMs } = await seen.until('retry')
    await clock.advance(delayMs)
    await seen.until('dead')
    const letter = await queue.dead.get('a')
    const deadAt = startedAt + delayMs
    expect(letter).toMatchObject({
      id: 'a',
      queue: 'jobs',
      body: { n: 1 },
      headers: { trace: 't' },
      reason: 'exhausted',
      error: { name: 'RangeError', message: 'attempt 2', code: 'E_RANGE' },
      deadAt,
      history: [
        { attempt: 1, startedAt, endedAt: startedAt, error: { name: 'RangeError', message: 'attempt 1' } },
        { attempt: 2, startedAt: deadAt, endedAt: deadAt, error: { name: 'RangeError', message: 'attempt 2' } },
      ],
    })
    expect(JSON.parse(JSON.stringify(letter))).toEqual(letter)
  })

  it('are listed, paged, counted and found in the order of their deaths [A5 dead list, A5 dead get]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    for (let n = 0; n < 7; n += 1) {
      await kill(queue, n, `id-${n}`)
      await clock.advance(1_000)
    }
    expect((await list(queue.dead.list())).map(({ body }) => body)).toEqual([0, 1, 2, 3, 4, 5, 6])
    const first = await queue.dead.list().page({ limit: 3 })
    expect(first.items.map(({ id }) => id)).toEqual(['id-0', 'id-1', 'id-2'])
    const second = await queue.dead.list().page({ limit: 10, after: first.next })
    expect(second.items.map(({ id }) => id)).toEqual(['id-3', 'id-4', 'id-5', 'id-6'])
    expect(second.next).toBeUndefined()
    expect(await queue.dead.count()).toBe(7)
    expect(await queue.dead.get('unknown')).toBeUndefined()
    expect(await queue.stats()).toMatchObject({ deadLetters: 7, dead: 7 })
  })

  it('are filtered by id, reason and time', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs')
    await kill(queue, 1, 'a')
    await clock.advance(1_000)
    const between = clock.now()
    await clock.advance(1_000)
    await kill(queue, 2, 'b')
    await queue.enqueue(3, { id: 'c', ttlMs: 10 })
    await clock.advance(11)
    expect(await queue.dequeue()).toBeUndefined()
    const ids = async (filter: Parameters<typeof queue.dead.list>[0]): Promise<string[]> =>
      (await list(queue.dead.list(filter))).map(({ id }) => id)
    expect(await ids({ ids: ['b', 'unknown', 'a'] })).toEqual(['a', 'b'])
    expect(await ids({ reason: 'expired' })).toEqual(['c'])
    expect(await ids({ before: between })).toEqual(['a'])
    expect(await ids({ after: between })).toEqual(['b', 'c'])
    expect(await queue.dead.count({ after: between, reason: 'permanent' })).toBe(
      (await list(queue.dead.list({ after: between, reason: 'permanent' }))).length,
    )
  })

  it('are redriven with fresh attempts, once [A5 dead redrive]', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs', { maxAttempts: 1 })
    const seen = record(queue)
    let healthy = false
    queue.process(() => {
      if (!healthy) throw new Error('down')
    })
    await queue.enqueueMany([
      { body: 1, id: 'a' },
      { body: 2, id: 'b' },
      { body: 3, id: 'c' },
    ])
    await seen.until('dead', 3)
    healthy = true
    expect(await queue.dead.redrive({ ids: ['b'] })).toEqual({ moved: 1, skipped: 0 })
    expect(await seen.until('completed')).toMatchObject({ id: 'b', attempt: 1 })
    expect(await queue.dead.redrive({ ids: ['b'] })).toMatchObject({ moved: 0 })
    expect(await queue.dead.redrive({ limit: 1 })).toMatchObject({ moved: 1 })
    expect((await seen.until('completed', 2)).id).toBe('a')
    expect(await queue.dead.redrive({})).toMatchObject({ moved: 1 })
    await seen.until('completed', 3)
    expect(await queue.dead.count()).toBe(0)
  })

  it('are removed for good [A5 dead remove]', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    await kill(queue, 1, 'a')
    await kill(queue, 2, 'b')
    await queue.dead.remove({ ids: ['a'] })
    expect(await queue.dead.get('a')).toBeUndefined()
    const again = (await reopen()).queue<number>('jobs')
    expect((await list(again.dead.list())).map(({ id }) => id)).toEqual(['b'])
    await again.dead.remove({})
    expect(await again.dead.count()).toBe(0)
    expect(await again.dequeue()).toBeUndefined()
  })

  it('survive reopening with everything they have', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    await kill(queue, 1, 'a')
    const before = await queue.dead.get('a')
    const again = (await reopen()).queue<number>('jobs')
    expect(await again.dead.get('a')).toEqual(before)
    expect(before).toMatchObject({ reason: 'permanent', error: { name: 'Error', message: 'refused a' } })
  })

  it('go away by themselves where the queue says when [A2 dead, S26]', async () => {
    const { box, clock } = await make()
    const queue = box.queue<number>('jobs', { dead: { retainMs: 60_000 } })
    await kill(queue, 1, 'a')
    await clock.advance(59_999)
    expect(await queue.dead.count()).toBe(1)
    await clock.advance(2)
    expect(await queue.dead.count()).toBe(0)
  })

  it('count in maxDepth [A2 maxDepth, S26]', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs', { maxDepth: 1 })
    await kill(queue, 1, 'a')
    await expect(queue.enqueue(2)).rejects.toMatchObject({ code: 'ERR_QUEUE_FULL' })
    await queue.dead.remove({})
    expect(await queue.enqueue(2)).toMatchObject({ status: 'accepted' })
  })
})
