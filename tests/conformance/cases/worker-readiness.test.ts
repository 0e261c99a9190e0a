/** Workers that pause by themselves: until `ready` says so, and while the platform is offline. */
import { expect, it, vi } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { IN_BROWSER } from '../support/platform.ts'

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

it.skipIf(IN_BROWSER)('offline pauses who asked for online [A3 networkMode]', async () => {
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

it('a platform that tells is not asked: online goes on at once, offline pauses at once [A3 networkMode]', async () => {
  const events = new EventTarget()
  const network = { onLine: false }
  const asked = vi.fn(() => network.onLine)
  vi.stubGlobal('navigator', Object.defineProperty({}, 'onLine', { get: asked }))
  vi.stubGlobal('addEventListener', events.addEventListener.bind(events))
  vi.stubGlobal('removeEventListener', events.removeEventListener.bind(events))
  const go = (onLine: boolean): void => {
    network.onLine = onLine
    events.dispatchEvent(new Event(onLine ? 'online' : 'offline'))
  }
  try {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs')
    const seen: string[] = []
    const worker = queue.process(({ body, attempt }) => void seen.push(`${body} ${attempt}`), { networkMode: 'online' })
    await queue.enqueue('a')
    await clock.advance(0)
    asked.mockClear()
    await clock.advance(60_000)
    expect([seen, asked.mock.calls.length]).toEqual([[], 0])
    go(true)
    await queue.idle()
    expect(seen).toEqual(['a 1'])
    go(false)
    asked.mockClear()
    await queue.enqueue('b')
    await clock.advance(0)
    expect(asked, 'nothing is claimed in vain').not.toHaveBeenCalled()
    expect(await queue.stats()).toMatchObject({ ready: 1, delivered: 1 })
    await worker.close()
    go(true)
    await clock.advance(0)
    expect(seen).toEqual(['a 1'])
    queue.process(({ body, attempt }) => void seen.push(`${body} ${attempt}`), { networkMode: 'online' })
    await queue.idle()
    expect(seen).toEqual(['a 1', 'b 1'])
  } finally {
    vi.unstubAllGlobals()
  }
})

it('being online again is no readiness, which is asked every second', async () => {
  const events = new EventTarget()
  const network = { onLine: false }
  vi.stubGlobal('navigator', network)
  vi.stubGlobal('addEventListener', events.addEventListener.bind(events))
  vi.stubGlobal('removeEventListener', events.removeEventListener.bind(events))
  try {
    const { box, clock } = await makeInMemory()
    const queue = box.queue<string>('jobs')
    const seen: string[] = []
    const state = { isReady: false, asked: 0 }
    const ready = (): boolean => {
      state.asked++
      return state.isReady
    }
    queue.process(({ body }) => void seen.push(body), { networkMode: 'online', ready })
    await queue.enqueue('a')
    await clock.advance(10_000)
    expect(state.asked).toBe(0)
    network.onLine = true
    events.dispatchEvent(new Event('online'))
    await clock.advance(10_000)
    expect([state.asked, seen]).toEqual([11, []])
    state.isReady = true
    await clock.advance(1_000)
    await queue.idle()
    expect(seen).toEqual(['a'])
  } finally {
    vi.unstubAllGlobals()
  }
})

it('a ready that thinks is asked once for all that want to start', async () => {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const seen: number[] = []
  let asked = 0
  const thinks: ((isReady: boolean) => void)[] = []
  const ready = (): Promise<boolean> => {
    asked++
    return new Promise((resolve) => thinks.push(resolve))
  }
  await queue.enqueueMany([1, 2, 3].map((body) => ({ body })))
  queue.process(({ body }) => void seen.push(body), { ready, concurrency: 3 })
  await clock.advance(0)
  expect([asked, seen]).toEqual([1, []])
  thinks[0]!(true)
  await queue.idle()
  expect([asked, seen]).toEqual([1, [1, 2, 3]])
})
