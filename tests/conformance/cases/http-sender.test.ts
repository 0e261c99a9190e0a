/** A handler that sends, against a server that behaves and one that does not. [A7 httpSender] */
import {
  type BreakerOptions,
  bytes,
  CircuitBreaker,
  type Clock,
  constant,
  type Delivery,
  httpErrors,
  type QueueOptions,
  RetryAfterError,
  type WorkerOptions,
} from 'ackbox'
import { httpSender, HttpStatusError, type HttpSenderOptions } from 'ackbox/http'
import { testDelivery } from 'ackbox/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { record } from '../support/events.ts'
import { loopback, says, type Arrival } from '../support/loopback.ts'
import { standInPage } from '../support/page-globals.ts'
import { IN_BROWSER } from '../support/platform.ts'

const RETRY_MS = 700

/** Chromium does not cut off for half a minute what may outlive its page; this may not. */
const CUT_OFF: Partial<HttpSenderOptions<unknown>> = IN_BROWSER
  ? { fetch: (url, init) => fetch(url, { ...(init as RequestInit), keepalive: false }) }
  : {}

/** A queue whose messages are sent, on one manual clock with the sender. */
async function sending(
  { origin }: { origin: string },
  options: Partial<HttpSenderOptions<unknown>> = {},
  queueOptions: QueueOptions = {},
  workerOptions: WorkerOptions<unknown> = {},
) {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<unknown>('letters', { backoff: constant(RETRY_MS), maxAttempts: 3, ...queueOptions })
  const seen = record(queue)
  const send = httpSender<unknown>({ url: `${origin}/inbox?token=secret`, clock, ...options })
  const worker = queue.process(send, workerOptions)
  return { box, clock, queue, seen, send, worker }
}

describe('a message is sent', () => {
  it('with POST, as JSON, under its id', async () => {
    const server = await loopback(says(200))
    const { queue, seen } = await sending(server)
    await queue.enqueue({ cents: 5 }, { id: 'o-1' })
    await seen.until('completed')
    const [{ method, path, headers, body }] = server.arrivals as [Arrival]
    expect([method, path, body.toString()]).toEqual(['POST', '/inbox?token=secret', '{"cents":5}'])
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'idempotency-key': '"o-1"' })
  })

  it('as it is, if it is bytes', async () => {
    const server = await loopback(says(204))
    const { queue, seen } = await sending(server, {}, { codec: bytes as never })
    await queue.enqueue(new Uint8Array([1, 2, 255]))
    await seen.until('completed')
    const [{ headers, body }] = server.arrivals as [Arrival]
    expect([headers['content-type'], [...body]]).toEqual(['application/octet-stream', [1, 2, 255]])
  })

  it('under the same key whenever it is tried', async () => {
    const server = await loopback((arrival, count) => says(count < 4 ? 500 : 201)(arrival))
    const { queue, seen, clock } = await sending(server)
    await queue.enqueue(1, { id: 'o-1' })
    for (const retries of [1, 2]) {
      await seen.until('retry', retries)
      await clock.advance(RETRY_MS)
    }
    await seen.until('dead')
    await queue.dead.redrive()
    await seen.until('completed')
    expect(server.arrivals.map(({ headers }) => headers['idempotency-key'])).toEqual(Array(4).fill('"o-1"'))
  })

  it.each([
    ['a"b\\c', '"a\\"b\\\\c"'],
    ['50%', '"50%25"'],
    ['é', '"%C3%A9"'],
    ['%C3%A9', '"%25C3%25A9"'],
    ['😀\n\u007f', '"%F0%9F%98%80%0A%7F"'],
    [' ~', '" ~"'],
  ])('under the key of the id %j', async (id, key) => {
    const server = await loopback(says(200))
    await httpSender({ url: server.origin })(testDelivery(1, { id }) as Delivery)
    expect(server.arrivals[0]?.headers['idempotency-key']).toBe(key)
  })

  it('with headers of its own, or of the message', async () => {
    const server = await loopback(says(200))
    await httpSender({ url: server.origin, headers: { Authorization: 'Bearer x', 'Content-Type': 'text/json' } })(testDelivery(1) as Delivery)
    const headers = async ({ id }: Delivery) => ({ 'Idempotency-Key': id, signature: `of ${id}` })
    await httpSender({ url: server.origin, headers })(testDelivery(1, { id: 'a' }) as Delivery)
    expect(server.arrivals.map(({ headers }) => [headers.authorization, headers['content-type'], headers.signature]))
      .toEqual([['Bearer x', 'text/json', undefined], [undefined, 'application/json', 'of a']])
    expect(server.arrivals.map(({ headers }) => headers['idempotency-key'])).toEqual([expect.stringMatching(/^".+"$/), 'a'])
  })

  it('to where its body says, which is its destination', async () => {
    const [one, two] = [await loopback(says(200)), await loopback(says(200))]
    const url = (body: unknown): string => (body as { to: string }).to
    const send = httpSender<{ to: string }>({ url })
    const { box } = await makeInMemory()
    const queue = box.queue<{ to: string }>('letters', { destination: send.destination })
    const seen = record(queue)
    const worker = queue.process(send)
    await queue.enqueueMany([{ body: { to: `${one.origin}/a` } }, { body: { to: `${two.origin}/b` } }])
    await seen.until('completed', 2)
    expect([one.arrivals[0]?.path, two.arrivals[0]?.path]).toEqual(['/a', '/b'])
    expect(send.destination({ to: `${two.origin}/b?c` })).toBe(two.origin)
    await worker.close()
    await queue.enqueue({ to: `${one.origin}/a` })
    expect(await queue.peek()).toMatchObject([{ destination: one.origin }])
  })

  it('to where its body and the message around it say; the destination follows from the body alone', async () => {
    const server = await loopback(says(200))
    const asked: unknown[] = []
    const send = httpSender<{ to: string }>({
      url: (body, message) => {
        asked.push([body, message?.id])
        return `${body.to}/${message?.headers['topic'] ?? 'none'}/${message?.id ?? 'none'}`
      },
    })
    const { box } = await makeInMemory()
    const queue = box.queue<{ to: string }>('letters', { destination: send.destination })
    const seen = record(queue)
    queue.process(send)
    await queue.enqueue({ to: server.origin }, { id: '7', headers: { topic: 'rain' } })
    await seen.until('completed')
    expect(server.arrivals.map(({ path }) => path)).toEqual(['/rain/7'])
    expect(asked).toEqual([[{ to: server.origin }, undefined], [{ to: server.origin }, '7']])
  })

  it('with the time at which it was enqueued, whenever it is tried', async () => {
    const server = await loopback((arrival, count) => says(count < 4 ? 500 : 201)(arrival))
    const { queue, seen, clock } = await sending(server)
    const enqueuedAt = clock.now()
    await queue.enqueue(1, { id: 'o-1' })
    for (const retries of [1, 2]) {
      await seen.until('retry', retries)
      await clock.advance(RETRY_MS)
    }
    await seen.until('dead')
    await queue.dead.redrive()
    await seen.until('completed')
    expect(server.arrivals.map(({ headers }) => headers['ackbox-enqueued-at'])).toEqual(Array(4).fill(String(enqueuedAt)))
  })

  it('so that it outlives its page, as far as pages may have that: 32 KiB under way', async () => {
    const asked: [size: number, keepalive: boolean][] = []
    const answers: ((response: Response) => void)[] = []
    const fetch: HttpSenderOptions['fetch'] = (_, { body, keepalive }) => {
      asked.push([body.length, keepalive])
      return new Promise((resolve) => answers.push(resolve))
    }
    const send = httpSender<Uint8Array>({ url: 'https://example.org/a', fetch })
    const sent = [20_000, 20_000, 10_000, 32_768].map((size) => send(testDelivery(new Uint8Array(size)) as Delivery<Uint8Array>))
    while (answers.length < 4) await Promise.resolve()
    expect(asked).toEqual([[20_000, true], [20_000, false], [10_000, true], [32_768, false]])
    for (const answer of answers.splice(0)) answer(new Response())
    await Promise.all(sent)
    const letters = httpSender<string>({ url: 'https://example.org/a', fetch })
    const again = ['é'.repeat(16_200), 'é'.repeat(10_000)].map((text) => letters(testDelivery(text) as Delivery<string>))
    while (answers.length < 2) await Promise.resolve()
    expect(asked.slice(4).map(([, keepalive]) => keepalive), 'bytes count, and shares come back').toEqual([false, true])
    for (const answer of answers) answer(new Response())
    await Promise.all(again)
  })

  it('through the call that is given', async () => {
    const calls: unknown[] = []
    const fetch: HttpSenderOptions['fetch'] = async (url, { method, redirect }) => {
      calls.push([url, method, redirect])
      return new Response('', { status: 202 })
    }
    await httpSender({ url: 'https://example.org/a', fetch })(testDelivery(1) as Delivery)
    expect(calls).toEqual([['https://example.org/a', 'POST', 'manual']])
  })
})

describe('an answer', () => {
  it.each([408, 425, 429, 500, 502, 503, 504, 599])('of %i is followed by another attempt', async (status) => {
    const server = await loopback((arrival, count) => says(count === 1 ? status : 200)(arrival))
    const { queue, seen, clock } = await sending(server)
    await queue.enqueue(1)
    expect(await seen.until('retry')).toMatchObject({ attempt: 1, delayMs: RETRY_MS, error: { name: 'HttpStatusError' } })
    await clock.advance(RETRY_MS)
    expect(await seen.until('completed')).toMatchObject({ attempt: 2 })
  })

  it.each([400, 401, 404, 409, 422, 499])('of %i makes a dead letter that tells it', async (status) => {
    const server = await loopback(says(status, {}, 'no such box'))
    const { queue, seen } = await sending(server)
    await queue.enqueue(1)
    const { reason, error } = await seen.until('dead')
    expect(reason).toBe('permanent')
    expect(error?.message).toMatch(new RegExp(`^POST ${server.origin}/inbox answered ${status} .*: no such box$`))
    expect(error?.message).not.toContain('secret')
    expect(server.arrivals).toHaveLength(1)
  })

  it('of 410 makes a dead letter that was refused', async () => {
    const server = await loopback(says(410, {}, 'too old'))
    const { queue, seen } = await sending(server)
    await queue.enqueue(1)
    expect(await seen.until('dead')).toMatchObject({ reason: 'refused', error: { message: expect.stringMatching(/ 410 .*: too old$/) } })
    expect(await queue.dead.count({ reason: 'refused' })).toBe(1)
  })

  it('of 409 that says when to come again is followed by another attempt, at no cost, and holds up no other', async () => {
    const server = await loopback((arrival) => {
      const isFirst = arrival.headers['idempotency-key'] === '"a"' && server.arrivals.length < 12
      says(isFirst ? 409 : 200, { 'retry-after': '100' })(arrival)
    })
    const { queue, seen, clock } = await sending(server, {}, { destination: () => 'there' })
    await queue.enqueueMany([{ body: 1, id: 'a' }, { body: 2, id: 'b' }])
    expect(await seen.until('completed')).toMatchObject({ id: 'b' })
    for (let retries = 1; retries <= 10; retries += 1) {
      expect(await seen.until('retry', retries)).toMatchObject({ id: 'a', attempt: 1, delayMs: RETRY_MS })
      await clock.advance(RETRY_MS)
    }
    expect(await seen.until('completed', 2)).toMatchObject({ id: 'a', attempt: 1 })
  })

  it('is kept with the first KiB of its body, in whole letters', async () => {
    const server = await loopback(says(400, {}, `${'x'.repeat(1_023)}é${'y'.repeat(5_000)}`))
    const { queue, seen } = await sending(server)
    await queue.enqueue(1)
    const { error } = await seen.until('dead')
    expect(error?.message).toMatch(/: x{1023}$/)
  })

  it.each<[string, (now: number) => Record<string, string>, number]>([
    ['seconds', () => ({ 'retry-after': '120' }), 120_000],
    ['a date', (now) => ({ 'retry-after': new Date(now + 90_000).toUTCString(), date: new Date(now).toUTCString() }), 90_000],
    ['a date of a server that does not tell its time', (now) => ({ 'retry-after': new Date(now + 60_000).toUTCString() }), 60_000],
    ['a year', () => ({ 'retry-after': '31536000' }), 86_400_000],
  ])('of 429 that names %s is not followed by anything before that, at no cost', async (_, headers, delayMs) => {
    let now = (): number => 0
    const server = await loopback((arrival, count) => {
      arrival.response.sendDate = false
      says(count <= 5 ? 429 : 200, headers(now()))(arrival)
    })
    const { queue, seen, clock } = await sending(server)
    now = () => clock.now()
    await queue.enqueue(1)
    for (let retries = 1; retries <= 5; retries += 1) {
      expect(await seen.until('retry', retries)).toMatchObject({ attempt: 1, delayMs, error: { name: 'RetryAfterError' } })
      await clock.advance(delayMs)
    }
    expect(await seen.until('completed')).toMatchObject({ attempt: 1 })
  })

  it.each(['0', 'Wed, 21 Oct 2015 07:28:00 GMT', 'soon'])('of 503 that names %j is followed after the backoff', async (when) => {
    const server = await loopback(says(503, { 'retry-after': when, date: new Date(0).toUTCString().replace('1970', '2030') }))
    const { queue, seen } = await sending(server)
    await queue.enqueue(1)
    expect(await seen.until('retry')).toMatchObject({ delayMs: RETRY_MS, error: { name: 'HttpStatusError' } })
  })

  it.each([301, 302, 303, 307, 308])('of %i is not followed to another place', async (status) => {
    const other = await loopback(says(200))
    const server = await loopback(says(status, { location: `${other.origin}/` }))
    const { queue, seen } = await sending(server)
    await queue.enqueue(1)
    // A browser does not tell which.
    const said = IN_BROWSER ? 'a redirect' : String(status)
    expect(await seen.until('dead')).toMatchObject({ reason: 'permanent', error: { message: expect.stringMatching(`${said}.*not followed`) } })
    expect(other.arrivals).toEqual([])
  })
})

describe('a server that misbehaves:', () => {
  const TIMEOUT = { timeoutMs: 5_000 }

  it('it cannot be reached while the platform is offline, at no cost and with no blame', async () => {
    const server = await loopback((arrival, count) => (count <= 9 ? arrival.reset() : says(200)(arrival)))
    const { queue, seen, clock, worker } = await sending(server, TIMEOUT, { destination: () => 'there' }, { networkMode: 'always' })
    // It goes off line with the request under way: what has begun is cut off, and nothing more begins.
    const network = { onLine: true }
    standInPage(network, { visibilityState: 'visible' })
    await queue.enqueue(1)
    network.onLine = false
    for (let retries = 1; retries <= 9; retries += 1) {
      expect(await seen.until('retry', retries)).toMatchObject({ attempt: 1, delayMs: RETRY_MS, error: { name: 'RetryAfterError' } })
      await clock.advance(RETRY_MS)
    }
    expect(await seen.until('completed')).toMatchObject({ attempt: 1 })
    expect(worker.circuit('there').state).toBe('closed')
  })

  it('it never answers', async () => {
    const server = await loopback(() => {})
    const { queue, seen, clock } = await sending(server, { ...TIMEOUT, ...CUT_OFF })
    await queue.enqueue(1)
    const { gone } = await server.arrival(1)
    await clock.advance(4_999)
    expect(seen.of('retry')).toEqual([])
    await clock.advance(1)
    expect(await seen.until('retry')).toMatchObject({ error: { code: 'ERR_TIMEOUT', message: expect.stringMatching(/inbox.*5000 ms/) } })
    await gone
  })

  it('it sends half a success, which is none', async () => {
    const server = await loopback(({ response, reset }) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"half":', () => reset())
    })
    const { queue, seen } = await sending(server)
    await queue.enqueue(1)
    const { error } = await seen.until('retry')
    expect(error?.message).toMatch(/inbox: no whole answer \(.+\)$/)
    expect(seen.of('completed')).toEqual([])
  })

  it('it sends its success byte by byte, for too long', async () => {
    const server = await loopback(({ response }) => response.writeHead(200).flushHeaders())
    const { queue, seen, clock } = await sending(server, TIMEOUT)
    await queue.enqueue(1)
    const { response } = await server.arrival(1)
    for (let second = 1; second < 5; second += 1) {
      await new Promise<void>((resolve) => response.write('x', () => resolve()))
      await clock.advance(1_000)
    }
    expect([seen.of('retry'), seen.of('completed')]).toEqual([[], []])
    await clock.advance(1_000)
    expect(await seen.until('retry')).toMatchObject({ error: { code: 'ERR_TIMEOUT' } })
  })

  it('it refuses, and never ends saying so', async () => {
    const server = await loopback(({ response }) => void response.writeHead(422).write('because'))
    let answered = (): void => {}
    const isAnswered = new Promise<void>((resolve) => (answered = resolve))
    const send: HttpSenderOptions['fetch'] = (url, init) => fetch(url, init as RequestInit).finally(answered)
    const { queue, seen, clock } = await sending(server, { ...TIMEOUT, fetch: send })
    await queue.enqueue(1)
    await isAnswered
    while (seen.of('dead').length === 0) await clock.advance(1_000)
    expect(seen.of('dead')).toMatchObject([{ reason: 'permanent', error: { message: expect.stringMatching(/422 .*: because$/) } }])
  })

  it('its success has no end, which nobody waits for', async () => {
    const server = await loopback(({ response }) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('drain', more)
      response.on('error', () => {})
      more()
    })
    const { queue, seen } = await sending(server, CUT_OFF)
    await queue.enqueue(1)
    await seen.until('completed')
    await server.arrivals[0]!.gone
  })
})

it('a server that is down has a circuit of its own: others are sent to, and its messages lose no attempt [A3 breaker]', async () => {
  let isDown = true
  const [bad, good] = [await loopback((arrival) => says(isDown ? 503 : 200)(arrival)), await loopback(says(200))]
  const { box, clock } = await makeInMemory()
  const send = httpSender<{ to: string }>({ url: (body) => body.to, clock })
  const queue = box.queue<{ to: string }>('letters', { destination: send.destination, backoff: constant(RETRY_MS), maxAttempts: 3 })
  const seen = record(queue)
  const worker = queue.process(send, { concurrency: 4 })
  const letters = (origin: string, count: number) => Array.from({ length: count }, (_, n) => ({ body: { to: `${origin}/${n}` } }))
  await queue.enqueueMany(letters(bad.origin, 3))
  await seen.until('retry', 3)
  await clock.advance(RETRY_MS)
  const { retryAt } = await seen.until('circuit')
  expect(retryAt, 'five failures open it for 30 s').toBe(clock.now() + 30_000)
  await seen.until('retry', 6)
  const attempts = async () => (await queue.peek()).map(({ destination, attempt }) => [destination, attempt])
  const before = await attempts()
  expect(before).toEqual(Array(3).fill([bad.origin, 2]))
  await queue.enqueueMany(letters(good.origin, 20))
  await seen.until('completed', 20)
  expect([good.arrivals.length, bad.arrivals.length]).toEqual([20, 6])
  for (let probes = 1; probes <= 4; probes += 1) {
    await clock.advance(30_000)
    await bad.arrival(6 + probes)
    await seen.until('retry', 6 + probes)
  }
  expect([worker.circuit(bad.origin).state, worker.circuit(good.origin).state]).toEqual(['open', 'closed'])
  expect([await attempts(), bad.arrivals.length]).toEqual([before, 10])
  isDown = false
  await clock.advance(30_000)
  await seen.until('completed', 23)
  expect(await queue.stats()).toMatchObject({ dead: 0, acked: 23 })
  expect(worker.circuit(bad.origin).state).toBe('closed')
})

it.each([
  [503, 'open'],
  [408, 'open'],
  [429, 'closed'],
  [425, 'closed'],
])('a server that answers %i and says when to come again has a circuit that is %s, and costs no attempt', async (status, state) => {
  const server = await loopback(says(status, { 'retry-after': '2' }))
  const { queue, seen, worker, clock } = await sending(server)
  await queue.enqueue(1)
  for (let retries = 1; retries <= 5; retries += 1) {
    expect(await seen.until('retry', retries)).toMatchObject({ attempt: 1, delayMs: 2_000 })
    expect(worker.circuit().state).toBe(retries < 5 ? 'closed' : state)
    if (retries < 5) await clock.advance(2_000)
  }
})

it.each([408, 409, 425, 429, 500, 503])('a sender and httpErrors say the same of %i', async (status) => {
  const headers = { 'retry-after': '7' }
  const fetch: HttpSenderOptions['fetch'] = async () => new Response('', { status, headers })
  const send = httpSender({ url: 'https://example.org', fetch })
  const error: unknown = await send(testDelivery(1) as Delivery).catch((thrown: unknown) => thrown)
  if (!RetryAfterError.is(error)) throw error
  const verdict = { retryAfterMs: error.delayMs(0), countsAsFailure: error.countsAsFailure }
  expect(verdict).toEqual(httpErrors()({ status, headers }, testDelivery(1) as Delivery))
})

it('a request ends with its delivery', async () => {
  const server = await loopback(() => {})
  const { queue, worker } = await sending(server, CUT_OFF)
  await queue.enqueue(1)
  const { gone } = await server.arrival(1)
  expect(await worker.close({ timeoutMs: 0 })).toEqual({ returned: 1 })
  await gone
})

it('a page that goes away aborts what cannot outlive it, at no cost and with no blame, and leaves alone what can', async () => {
  const page = new EventTarget()
  if (!IN_BROWSER) vi.stubGlobal('document', {})
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page))
  onTestFinished(() => void vi.unstubAllGlobals())
  const server = await loopback((arrival, count) => (count <= 6 ? undefined : says(200)(arrival)))
  const { queue, seen, clock, worker } = await sending(server, {}, { destination: () => 'there' })
  await queue.enqueue('long'.repeat(10_000), { id: 'long' })
  for (let round = 1; round <= 6; round += 1) {
    const { gone } = await server.arrival(round)
    page.dispatchEvent(new Event('pagehide'))
    await gone
    expect(await seen.until('retry', round)).toMatchObject({ attempt: 1, delayMs: RETRY_MS, error: { name: 'RetryAfterError' } })
    await clock.advance(RETRY_MS)
  }
  expect(await seen.until('completed')).toMatchObject({ id: 'long', attempt: 1 })
  const short = await loopback((arrival) => {
    page.dispatchEvent(new Event('pagehide'))
    says(200)(arrival)
  })
  await httpSender({ url: short.origin })(testDelivery('short') as Delivery)
  expect(worker.circuit('there').state).toBe('closed')
})

describe('a message that cannot be sent is dead:', () => {
  it.each<[string, Partial<HttpSenderOptions<unknown>>, RegExp]>([
    ['an address that is none', { url: () => 'nowhere' }, /url.*'nowhere'/],
    ['an address of another kind', { url: () => 'file:///etc/passwd' }, /url.*http/],
    ['a header that HTTP cannot carry', { headers: () => ({ 'bad name': 'x' }) }, /header/i],
  ])('%s', async (_, options, message) => {
    const { queue, seen } = await sending({ origin: 'http://127.0.0.1' }, options)
    await queue.enqueue(1)
    expect(await seen.until('dead')).toMatchObject({ reason: 'permanent', error: { message: expect.stringMatching(message) } })
  })

  it.each<[string, (options: BreakerOptions, clock: Clock) => BreakerOptions | CircuitBreaker]>([
    ['of the worker', (options) => options],
    ['of the user', (options, clock) => new CircuitBreaker({ ...options, clock })],
  ])('which says nothing of the server: a circuit that is open does not close, one %s', async (_, breakerOf) => {
    const { box, clock } = await makeInMemory()
    let asked = 0
    const fetch = (): Promise<never> => {
      asked++
      return Promise.reject(new TypeError('nobody is there'))
    }
    const queue = box.queue<string>('letters', { backoff: constant(100_000) })
    const url = (body: string): string => (body === 'unsendable' ? 'nowhere' : 'http://127.0.0.1')
    const breaker = breakerOf({ failures: 1, cooldownMs: 1_000 }, clock)
    const worker = queue.process(httpSender<string>({ url, fetch, clock }), { breaker })
    await queue.enqueue('letter')
    await clock.advance(0)
    expect([asked, worker.circuit().state]).toEqual([1, 'open'])
    await queue.enqueueMany(Array.from({ length: 9 }, () => ({ body: 'unsendable' })))
    await clock.advance(1_000)
    expect((await queue.stats()).dead, 'each was a probe').toBe(9)
    expect([asked, worker.circuit().state]).toEqual([1, 'half-open'])
  })

  it('but a function for headers that fails is asked again', async () => {
    const headers = () => Promise.reject(new Error('no token'))
    const { queue, seen } = await sending({ origin: 'http://127.0.0.1' }, { headers })
    await queue.enqueue(1)
    expect(await seen.until('retry')).toMatchObject({ error: { message: 'no token' } })
  })
})

it('errors tell the answer to code as well', async () => {
  const server = await loopback(says(418, {}, 'short and stout'))
  const error: unknown = await httpSender({ url: server.origin })(testDelivery(1) as Delivery).catch((thrown: unknown) => thrown)
  const { cause } = error as Error
  expect(cause).toBeInstanceOf(HttpStatusError)
  expect(cause).toMatchObject({ status: 418, body: 'short and stout' })
})

it.each<[string, object, RegExp]>([
  ['no url', {}, /url.*undefined/],
  ['a url with a user', { url: 'https://me:secret@example.org' }, /url/],
  ['a url of a file', { url: new URL('file:///a') }, /url/],
  ['no fetch', { url: 'http://a', fetch: 5 }, /fetch/],
  ['no headers', { url: 'http://a', headers: 5 }, /headers/],
  ['headers that HTTP cannot carry', { url: 'http://a', headers: { a: '☃' } }, /headers/],
  ['no time', { url: 'http://a', timeoutMs: 0 }, /timeoutMs/],
  ['no clock', { url: 'http://a', clock: {} }, /clock/],
  ['an unknown option', { url: 'http://a', timeout: 5 }, /'timeout'.*'timeoutMs'/],
])('is refused: %s', async (_, options, message) => {
  await refusal(() => httpSender(options as never), 'ERR_INVALID_OPTION', message)
})
