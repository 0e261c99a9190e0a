/** Middleware: around every enqueue and every handler, with the async context that it makes. */
import { bytes, PermanentError, type Middleware, type Receipt } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { eachStorage, makeInMemory } from '../support/boxes.ts'
import { gate, isPending } from '../support/clock.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { IN_BROWSER } from '../support/platform.ts'

/** Says in `log` when it is entered and left. */
function logging(log: string[], name: string): Middleware {
  return {
    async enqueue(_, next) {
      log.push(`${name} enqueues`)
      const receipt = await next()
      log.push(`${name} enqueued`)
      return receipt
    },
    async deliver(_, next) {
      log.push(`${name} delivers`)
      const result = await next()
      log.push(`${name} delivered`)
      return result
    },
  }
}

eachStorage('middleware [A6 use]', (make) => {
  it('wraps enqueues and handlers, the first outermost, until it is taken away', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs')
    const log: string[] = []
    const off = box.use(logging(log, 'a'))
    box.use(logging(log, 'b'))
    await queue.enqueue(1)
    await queue.drain(() => void log.push('handler'))
    expect(log).toEqual([
      'a enqueues', 'b enqueues', 'b enqueued', 'a enqueued',
      'a delivers', 'b delivers', 'handler', 'b delivered', 'a delivered',
    ])
    off()
    off()
    log.length = 0
    await queue.enqueue(2)
    await queue.drain(() => {})
    expect(log).toEqual(['b enqueues', 'b enqueued', 'b delivers', 'b delivered'])
  })

  it.skipIf(IN_BROWSER)('carries an async context from enqueue to handler, and all that the handler awaits', async () => {
    const { AsyncLocalStorage } = await import('node:async_hooks')
    const { box } = await make()
    const queue = box.queue<string>('jobs')
    const trace = new AsyncLocalStorage<string>()
    box.use({
      enqueue: (context, next) =>
        next({ options: { ...context.options, headers: { ...context.options.headers, trace: trace.getStore() ?? 'none' } } }),
      deliver: (message, next) => trace.run(message.headers['trace']!, next),
    })
    const seen: (string | undefined)[] = []
    queue.process(async ({ body }) => {
      seen.push(trace.getStore())
      await new Promise((resolve) => setImmediate(resolve))
      seen.push(trace.getStore())
      if (body !== 'follow-up') await queue.enqueue('follow-up')
    }, { concurrency: 5 })
    await Promise.all(['t1', 't2'].map((id) => trace.run(id, () => queue.enqueue(id, { headers: { own: 'yes' } }))))
    await queue.idle()
    expect(seen.toSorted()).toEqual(['t1', 't1', 't1', 't1', 't2', 't2', 't2', 't2'])
    expect(trace.getStore()).toBeUndefined()
  })
})

describe('around an enqueue', () => {
  it('it may change body and options, and sees the receipt', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs', { id: (body) => `id-${body}` })
    const contexts: unknown[] = []
    let receipt: Receipt | undefined
    box.use({
      async enqueue(context, next) {
        contexts.push(context)
        receipt = await next({ body: (context.body as number) * 2, options: { priority: 7 } })
      },
    })
    const { id } = await queue.enqueue(21, { delayMs: 1_000 })
    expect(contexts).toEqual([{ queue: 'jobs', body: 21, options: { delayMs: 1_000 } }])
    expect(receipt).toEqual({ id: 'id-42', status: 'accepted', state: 'ready' })
    expect(await queue.get(id)).toMatchObject({ id: 'id-42', body: 42, priority: 7, state: 'ready' })
  })

  it('what it throws rejects the enqueue, and nothing is enqueued', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    box.use({
      enqueue() {
        throw new Error('not allowed')
      },
    })
    await expect(queue.enqueue(1)).rejects.toThrow('not allowed')
    expect(await queue.stats()).toMatchObject({ enqueued: 0 })
  })

  it('it may answer by itself, but not with nothing', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    const receipt: Receipt = { id: 'elsewhere', status: 'accepted', state: 'completed' }
    const off = box.use({ enqueue: () => receipt })
    expect(await queue.enqueue(1)).toBe(receipt)
    off()
    box.use({ enqueue: () => undefined })
    await refusal(queue.enqueue(1), 'ERR_INVALID_OPTION', /receipt.*next.*undefined/)
    expect(await queue.stats()).toMatchObject({ enqueued: 0 })
  })

  it('it cannot call next twice, move a message to another queue or invent parts of a context', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    const attempt = async (enqueue: Middleware['enqueue'], message: RegExp): Promise<void> => {
      const off = box.use({ enqueue: enqueue! })
      await refusal(queue.enqueue(1), 'ERR_INVALID_OPTION', message)
      off()
    }
    await attempt((_, next) => next({ queue: 'other' }), /queue.*stay 'jobs'.*'other'/)
    await attempt((_, next) => next({ bodies: 1 } as never), /'bodies'/)
    expect(await queue.stats()).toMatchObject({ enqueued: 0 })
    await attempt(async (_, next) => {
      await next()
      return next()
    }, /next once/)
    expect(await queue.stats()).toMatchObject({ enqueued: 1 })
  })

  it('options are checked behind it as they are without it', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    box.use({ enqueue: (_, next) => next() })
    await refusal(queue.enqueue(1, { priority: 300 }), 'ERR_INVALID_OPTION', /priority/)
    await refusal(queue.enqueue(1, 'soon' as never), 'ERR_INVALID_OPTION')
    await refusal(queue.enqueue(undefined as never), 'ERR_INVALID_BODY')
    await refusal(queue.enqueueMany(5 as never), 'ERR_INVALID_OPTION', /iterable/)
    await refusal(queue.enqueueMany([5 as never]), 'ERR_INVALID_OPTION', /item 0/)
  })

  it('who enqueues gives up waiting with the signal, whatever the middleware does', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    const slow = gate()
    let entered = 0
    box.use({
      async enqueue(_, next) {
        entered++
        await slow.promise
        return next()
      },
    })
    const stop = new AbortController()
    const enqueued = queue.enqueue(1, { signal: stop.signal })
    stop.abort('enough')
    await expect(enqueued).rejects.toBe('enough')
    await expect(queue.enqueue(1, { signal: stop.signal })).rejects.toBe('enough')
    expect(entered).toBe(1)
    slow.open()
    await refusal(queue.enqueue(1, { signal: 'now' as never }), 'ERR_INVALID_OPTION', /signal/)
  })

  it('each item of enqueueMany passes through, and all are one unit', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    let inside = 0
    box.use({
      async enqueue({ body, options }, next) {
        // Later items get through first.
        for (let turn = 5 - (body as number); turn > 0; turn--) await Promise.resolve()
        inside++
        return next({ options: { ...options, headers: { nth: `${body}` } } })
      },
    })
    const receipts = await queue.enqueueMany([0, 1, 2].map((body) => ({ body, id: `id-${body}` })))
    expect(receipts.map(({ id }) => id)).toEqual(['id-0', 'id-1', 'id-2'])
    expect(inside).toBe(3)
    expect((await queue.peek()).map(({ body, headers }) => [body, headers['nth']])).toEqual([[0, '0'], [1, '1'], [2, '2']])
    expect(await queue.enqueueMany([])).toEqual([])
  })

  it('one item that fails keeps the others of its enqueueMany out; one that is answered does not', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    const answer: Receipt = { id: 'answered', status: 'accepted', state: 'ready' }
    box.use({
      async enqueue({ body }, next) {
        if (body === 'bad') throw new Error('a bad item')
        return body === 'answered' ? answer : next()
      },
    })
    const items = (bodies: unknown[]): { body: never }[] => bodies.map((body) => ({ body: body as never }))
    await expect(queue.enqueueMany(items([1, 'bad', 2]))).rejects.toThrow('a bad item')
    expect(await queue.stats()).toMatchObject({ enqueued: 0 })
    const receipts = await queue.enqueueMany(items([1, 'answered', 2]))
    expect(receipts[1]).toBe(answer)
    expect((await queue.peek()).map(({ id }) => id)).toEqual([receipts[0]!.id, receipts[2]!.id])
  })

  it('bodies in bytes stay what they were', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue('blobs', { codec: bytes })
    box.use({ enqueue: (_, next) => next() })
    await queue.enqueue(new Uint8Array([1, 2, 3]))
    expect((await queue.dequeue())!.body).toEqual(new Uint8Array([1, 2, 3]))
  })
})

describe('around a handler', () => {
  it('what it throws counts as thrown by the handler', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    box.use({
      deliver({ body }, next) {
        if (body === 1) throw new PermanentError('not this one')
        return next()
      },
    })
    await queue.enqueueMany([1, 2].map((body) => ({ body, id: `${body}` })))
    const handled: number[] = []
    expect(await queue.drain(({ body }) => void handled.push(body))).toMatchObject({ completed: 1, dead: 1 })
    expect(handled).toEqual([2])
    expect(await queue.dead.get('1')).toMatchObject({ reason: 'permanent', error: { message: 'not this one' } })
  })

  it('it may turn a failure into a success, a result into another, or stand in for the handler', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<string, string>('jobs')
    box.use({
      async deliver({ body }, next) {
        if (body === 'skipped') return 'by the middleware'
        try {
          return `${String(await next())}!`
        } catch {
          return 'rescued'
        }
      },
    })
    for (const body of ['skipped', 'fails', 'works']) await queue.enqueue(body, { id: body })
    const report = await queue.drain(({ body }) => {
      if (body === 'fails') throw new Error('no')
      return 'done'
    })
    expect(report).toMatchObject({ completed: 3 })
    const results = await Promise.all(['skipped', 'fails', 'works'].map((id) => queue.finished(id)))
    expect(results.map((outcome) => (outcome as { result?: string }).result)).toEqual(['by the middleware', 'rescued', 'done!'])
  })

  it.each<[string, Middleware['deliver']]>([
    ['returns nothing', async (_, next) => void (await next())],
    ['does not await next', (_, next) => void next()],
    ['is async and does not await next', async (_, next) => void next()],
    [
      'returns long after, without a look at next',
      async (_, next) => {
        void next()
        for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
      },
    ],
    ['looks at next and does not wait for it', (_, next) => void next().catch(() => {})],
  ])('one that %s loses neither result nor error', async (_, deliver) => {
    const { box } = await makeInMemory()
    const queue = box.queue<string, string>('jobs')
    box.use({ deliver: deliver! })
    for (const body of ['at once', 'later', 'fails at once', 'fails later']) await queue.enqueue(body, { id: body })
    const report = await queue.drain(
      ({ body }) => {
        if (body === 'fails at once') throw new PermanentError(body)
        if (body === 'at once') return body
        return new Promise((resolve, reject) => {
          setImmediate(() => (body === 'later' ? resolve(body) : reject(new PermanentError(body))))
        })
      },
      { concurrency: 4 },
    )
    expect(report).toEqual({ completed: 2, retried: 0, dead: 2, remaining: 0 })
    expect(await queue.finished('at once')).toMatchObject({ result: 'at once' })
    expect(await queue.finished('later')).toMatchObject({ result: 'later' })
  })

  it('the slot stays taken while the handler runs, also when the middleware has thrown', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    const slow = gate()
    let running = 0
    let most = 0
    box.use({
      deliver(_, next) {
        void next()
        throw new PermanentError('too early')
      },
    })
    await queue.enqueueMany([1, 2].map((body) => ({ body })))
    const drained = queue.drain(async () => {
      most = Math.max(most, ++running)
      await slow.promise
      running--
    })
    expect(await isPending(drained)).toBe(true)
    slow.open()
    expect(await drained).toMatchObject({ dead: 2 })
    expect(most).toBe(1)
  })

  it('next runs the handler once', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs', { maxAttempts: 1 })
    let runs = 0
    box.use({
      async deliver(_, next) {
        await next()
        await next()
      },
    })
    await queue.enqueue(1, { id: 'a' })
    await queue.drain(() => void runs++)
    expect(runs).toBe(1)
    expect(await queue.dead.get('a')).toMatchObject({ error: { message: expect.stringMatching(/next once/) } })
  })

  it('may settle by hand, like the handler', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    const seen = record(queue)
    box.use({
      async deliver(message, next) {
        await next()
        await message.ack()
      },
    })
    await queue.enqueue(1)
    expect(await queue.drain(() => {})).toMatchObject({ completed: 1 })
    expect(seen.of('completed')).toHaveLength(1)
  })

  it('does not concern those who settle by hand', async () => {
    const { box } = await makeInMemory()
    const queue = box.queue<number>('jobs')
    box.use({
      deliver() {
        throw new Error('never called')
      },
    })
    await queue.enqueue(1)
    await (await queue.dequeue())!.ack()
    expect(await queue.stats()).toMatchObject({ acked: 1 })
  })
})

it.each([
  [{ enqueue: 5 }, /enqueue.*function/],
  [{ deliver: 'me' }, /deliver.*function/],
  [{ delivered: () => {} }, /'delivered'.*'deliver'/],
])('box.use refuses %o', async (middleware, message) => {
  const { box } = await makeInMemory()
  await refusal(() => box.use(middleware as never), 'ERR_INVALID_OPTION', message)
})

it('box.use is refused when the box is closed, and what passes through then is too', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  const slow = gate()
  box.use({
    async enqueue(_, next) {
      await slow.promise
      return next()
    },
  })
  const late = refusal(queue.enqueue(1), 'ERR_CLOSED')
  await box.close()
  slow.open()
  await late
  await refusal(() => box.use({}), 'ERR_CLOSED')
  await refusal(queue.enqueue(1), 'ERR_CLOSED')
})
