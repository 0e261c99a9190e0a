/** Walks over dead letters while the queue goes on: complete, each entry once, in pages that fit into memory. */
import { expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { ids, kill, killNext, list } from '../support/letters.ts'

eachStorage('a walk over dead letters [A5 dead list]', (make) => {
  it('shows each entry once while others die, are redriven and removed', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    for (let n = 0; n < 250; n += 1) await kill(queue, n, `id-${n}`)
    const seen: string[] = []
    for await (const letter of queue.dead.list()) {
      seen.push(letter.id)
      const n = letter.body!
      // Some that were shown live and die again; of those to come some live, some go, and new ones die.
      if (n % 50 === 7 && n < 120) {
        await queue.dead.redrive({ ids: [letter.id, `id-${n + 120}`] })
        await killNext(queue)
        await killNext(queue)
        await queue.dead.remove({ ids: [`id-${n + 121}`] })
        await kill(queue, -1, `new-${n}`)
      }
    }
    const gone = [7, 57, 107].flatMap((n) => [`id-${n + 120}`, `id-${n + 121}`])
    const expected = Array.from({ length: 250 }, (_, n) => `id-${n}`).filter((id) => !gone.includes(id))
    expect(seen).toEqual(expected)
    const anew = await ids(queue.dead.list())
    expect(new Set(anew).size).toBe(anew.length)
    expect(anew).toHaveLength(await queue.dead.count())
    expect(anew).toEqual(expect.arrayContaining(['id-7', 'id-127', 'new-7', 'new-107']))
  })

  it('comes to an end although what it redrives dies again at once', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    for (let n = 0; n < 3; n += 1) await kill(queue, n, `id-${n}`)
    const seen: string[] = []
    for await (const { id } of queue.dead.list()) {
      seen.push(id)
      await queue.dead.redrive({ ids: [id] })
      await killNext(queue)
    }
    expect(seen).toEqual(['id-0', 'id-1', 'id-2'])
    expect(await queue.dead.count()).toBe(3)
  })

  it('goes on where it stopped after reopening', async () => {
    const { box, reopen } = await make()
    const queue = box.queue<number>('jobs')
    for (let n = 0; n < 5; n += 1) await kill(queue, n, `id-${n}`)
    const { next } = await queue.dead.list().page({ limit: 2 })
    const again = (await reopen()).queue<number>('jobs')
    const rest = await again.dead.list().page({ after: next })
    expect(rest.items.map(({ id }) => id)).toEqual(['id-2', 'id-3', 'id-4'])
    expect(rest).not.toHaveProperty('next')
  })
})

it('filters combine [A5 dead list]', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const deaths: number[] = []
  for (let n = 0; n < 6; n += 1) {
    await clock.advance(1_000)
    deaths.push(clock.now())
    if (n % 2 === 0) await kill(queue, n, `id-${n}`)
    else {
      await queue.enqueue(n, { id: `id-${n}`, ttlMs: 1 })
      await clock.advance(2)
    }
  }
  const filter = { ids: ['id-0', 'id-1', 'id-2', 'id-4', 'id-4'], reason: 'permanent', after: deaths[0]!, before: new Date(deaths[4]!) } as const
  expect(await ids(queue.dead.list(filter))).toEqual(['id-2'])
  expect(await queue.dead.count(filter)).toBe(1)
  expect(await queue.dead.count({ reason: 'expired', after: deaths[2]! })).toBe(2)
  expect(await queue.dead.count({ ids: [] })).toBe(0)
  expect(await queue.dead.remove(filter)).toBe(1)
  expect(await queue.dead.redrive({ ...filter, before: undefined })).toEqual({ moved: 1, skipped: 1 })
  expect(await ids(queue.dead.list())).toEqual(['id-0', 'id-1', 'id-3', 'id-5'])
})

it('a page of large bodies has fewer entries than asked for, and says where to go on', async () => {
  const { box } = await makeInMemory({ maxMemoryBytes: 0 })
  const queue = box.queue<string>('jobs')
  for (let n = 0; n < 10; n += 1) await kill(queue, 'x'.repeat(1_000_000), `id-${n}`)
  const first = await queue.dead.list().page({ limit: 1_000 })
  expect(first.items).toHaveLength(8)
  expect((await queue.dead.list().page({ limit: 1_000, after: first.next })).items).toHaveLength(2)
  expect(await list(queue.dead.list())).toHaveLength(10)
})

it.each(['', 'x', '0', '1-1-00000000', '-1'])('a cursor that no page gave is refused: %j', async (after) => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await kill(queue, 1, 'a')
  await refusal(queue.dead.list().page({ after }), 'ERR_INVALID_OPTION', new RegExp(`after.*jobs.*'${after}'`))
})

it('a cursor of another queue or box is refused', async () => {
  const { box } = await makeInMemory()
  const [queue, other] = [box.queue<number>('jobs'), box.queue<number>('other')]
  const cursorOf = async (jobs: typeof queue): Promise<string> => {
    for (const id of ['a', 'b']) await kill(jobs, 1, id)
    return (await jobs.dead.list().page({ limit: 1 })).next!
  }
  const cursor = await cursorOf(queue)
  await refusal(other.dead.list().page({ after: cursor }), 'ERR_INVALID_OPTION', /after/)
  const foreign = await cursorOf((await makeInMemory()).box.queue<number>('jobs'))
  await refusal(queue.dead.list().page({ after: foreign }), 'ERR_INVALID_OPTION', /after/)
  expect((await queue.dead.list().page({ after: cursor })).items.map(({ id }) => id)).toEqual(['b'])
})
