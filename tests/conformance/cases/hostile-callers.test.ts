/** Callers that reuse what they hand over, and handlers that throw where nobody looks. */
import { bytes, memoryStorage, open } from 'ackbox'
import { expect, it } from 'vitest'

it('enqueueMany keeps each body as it was when it was read, though its bytes are used again', async () => {
  const box = await open(memoryStorage())
  const queue = box.queue<Uint8Array>('frames', { codec: bytes })
  const scratch = new Uint8Array(1)
  function* frames() {
    for (let frame = 0; frame < 3; frame += 1) {
      scratch[0] = frame
      yield { body: scratch }
    }
  }
  await queue.enqueueMany(frames())
  const stored = await queue.dequeueMany(3)
  expect(stored.map(({ body }) => body[0])).toEqual([0, 1, 2])
  await box.close()
})

it('a result whose then throws fails its own message and no other', async () => {
  const box = await open(memoryStorage())
  const queue = box.queue<number, unknown>('jobs', { maxAttempts: 1 })
  const done: number[] = []
  await queue.enqueueMany([0, 1, 2, 3].map((body) => ({ body, id: String(body) })))
  const completed = new Promise<void>((resolve) => {
    queue.on('completed', ({ id }) => {
      if (done.push(Number(id)) === 3) resolve()
    })
  })
  const died = new Promise<string>((resolve) => queue.on('dead', ({ id }) => resolve(id)))
  queue.process(
    ({ body }): unknown =>
      body === 0
        ? {
            get then(): never {
              throw new Error('not a promise')
            },
          }
        : undefined,
    { concurrency: 4 },
  )
  await completed
  expect(done.sort()).toEqual([1, 2, 3])
  expect(await died).toBe('0')
  await box.close()
})

it('close rejects when its own flush fails', async () => {
  const inner = memoryStorage()
  let failing = false
  const box = await open({
    durability: inner.durability,
    open: () => inner.open(),
    append: (segment, frame) => (failing ? Promise.reject(new Error('EIO')) : inner.append(segment, frame)),
    read: (segment, offset, length) => inner.read(segment, offset, length),
    truncate: (segment, length) => inner.truncate(segment, length),
    remove: (segment) => inner.remove(segment),
    close: () => inner.close(),
  })
  box.on('error', () => {})
  const queue = box.queue<number>('jobs')
  let release = (): void => {}
  const started = new Promise<void>((resolve) => {
    queue.process(() => {
      resolve()
      return new Promise<void>((settle) => (release = settle))
    })
  })
  await queue.enqueue(1)
  await started
  failing = true
  const closed = box.close()
  release()
  await expect(closed).rejects.toMatchObject({ code: 'ERR_STORAGE_FAILED' })
})

it.each([
  ['Headers', new Headers({ trace: 'a' })],
  ['a Map', new Map([['trace', 'a']])],
])('%s as headers is refused instead of kept as nothing', async (_, headers) => {
  const box = await open(memoryStorage())
  const queue = box.queue<number>('jobs')
  await expect(queue.enqueue(1, { headers: headers as never })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
  expect(await queue.stats()).toMatchObject({ ready: 0 })
  await box.close()
})
