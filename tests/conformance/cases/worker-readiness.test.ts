/** Workers that pause by themselves: until `ready` says so, and while the platform is offline. */
import { expect, it, vi } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'

it.each<[string, (isReady: boolean) => boolean | Promise<boolean>]>([
  ['at once', (isReady) => isReady],
  ['later', async (isReady) => isReady],
])('nothing starts until ready says so %s, and no attempt is lost [A3 ready]', async (_, answer) => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs')
  const state = { isReady: false, asked: 0 }
  const seen: string[] = []
  const ready = (): boolean | Promise<boolean> => {
    state.asked++
    return answer(state.isReady)
  }
  queue.process(({ body, attempt }) => void seen.push(`${body} ${attempt}`), { ready })
  await clock.advance(60_000)
  expect(state.asked, 'nobody asks for a worker that has nothing to do').toBe(0)
  await queue.enqueue('a')
  await queue.enqueue('b')
  await clock.advance(5_000)
  expect(seen).toEqual([])
  expect(await queue.stats()).toMatchObject({ ready: 2, leased: 0 })
  state.isReady = true
  await clock.advance(1_000)
  await queue.idle()
  expect(seen).toEqual(['a 1', 'b 1'])
})

it('a ready that fails pauses, and is told of', async () => {
  const { box, clock } = await makeInMemory()
  const warnings: string[] = []
  box.on('warning', ({ message }) => warnings.push(message))
  const queue = box.queue<string>('jobs')
  const answers = [new Error('who knows'), true]
  const seen: string[] = []
  const ready = (): boolean => {
    const [answer = true] = answers.splice(0, 1)
    if (answer instanceof Error) throw answer
    return answer === true
  }
  queue.process(({ body }) => void seen.push(body), { ready })
  await queue.enqueue('a')
  await clock.advance(0)
  expect([seen, warnings.length]).toEqual([[], 1])
  expect(warnings[0]).toMatch(/ready failed/)
  await clock.advance(1_000)
  await queue.idle()
  expect(seen).toEqual(['a'])
})

it('a worker that was paused by hand stays so when it is ready again', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs')
  const state = { isReady: false }
  const seen: string[] = []
  const worker = queue.process(({ body }) => void seen.push(body), { ready: () => state.isReady })
  await queue.enqueue('a')
  await clock.advance(0)
  worker.pause()
  state.isReady = true
  await clock.advance(5_000)
  expect(seen).toEqual([])
  worker.resume()
  await queue.idle()
  expect(seen).toEqual(['a'])
})

it('a worker that is not ready can be closed', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs')
  const worker = queue.process(() => {}, { ready: () => false })
  await queue.enqueue('a')
  await clock.advance(0)
  expect(await worker.close()).toEqual({ returned: 0 })
  expect(await queue.stats()).toMatchObject({ ready: 1 })
})

it('offline pauses who asked for online [A3 networkMode]', async () => {
  const network = { onLine: false }
  vi.stubGlobal('navigator', network)
  try {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs')
    const seen: string[] = []
    const worker = queue.process(({ body }) => void seen.push(body), { networkMode: 'online' })
    await queue.enqueue('a')
    await clock.advance(5_000)
    expect(seen).toEqual([])
    network.onLine = true
    await clock.advance(1_000)
    await queue.idle()
    network.onLine = false
    await worker.close()
    queue.process(({ body }) => void seen.push(body), { networkMode: 'always' })
    await queue.enqueue('b')
    await queue.idle()
    expect(seen).toEqual(['a', 'b'])
  } finally {
    vi.unstubAllGlobals()
  }
})

it('what may not start counts against no rate', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<string>('jobs', { destination: (body) => body })
  const state = { isReady: false }
  const seen: string[] = []
  const hourly = { limit: 1, perMs: 3_600_000 }
  queue.process(({ body }) => void seen.push(body), { ready: () => state.isReady, rate: hourly, perDestination: { rate: hourly } })
  await queue.enqueue('a')
  await clock.advance(5_000)
  state.isReady = true
  await clock.advance(1_000)
  expect(seen).toEqual(['a'])
})
