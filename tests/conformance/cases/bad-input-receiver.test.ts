/** What a receiver is given that makes no sense, and requests that want too much of it. [A7 receiver] */
import { open, memoryStorage, type Queue } from 'ackbox'
import { receiver, type ReceiverOptions } from 'ackbox/http'
import { describe, expect, it } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { ask, chunks, post, refused, RECEIVER_URL } from '../support/requests.ts'

async function receiving(options: Partial<ReceiverOptions> = {}) {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<unknown>('orders')
  return { box, clock, queue, receive: receiver(queue, { public: true, ...options }) }
}

const HEADERS = { 'content-type': 'application/json', 'idempotency-key': '"o-1"' }

/** A request whose body comes in pieces, without a length. */
function streamed(stream: ReadableStream<Uint8Array>): RequestInit {
  return { method: 'POST', headers: HEADERS, body: stream, duplex: 'half' } as RequestInit
}

describe('options', () => {
  it.each<[string, unknown]>([
    ['neither authorize nor public', {}],
    ['public: false', { public: false }],
    ['public that is no true', { public: 1 }],
    ['both', { public: true, authorize: () => 'a' }],
    ['authorize that is no function', { authorize: 'me' }],
    ['a misspelt name', { public: true, maxBodyByte: 1 }],
    ['maxBodyBytes 0', { public: true, maxBodyBytes: 0 }],
    ['maxBodyBytes beyond 8 MiB', { public: true, maxBodyBytes: (8 << 20) + 1 }],
    ['maxPendingBytes 0', { public: true, maxPendingBytes: 0 }],
    ['timeoutMs 0', { public: true, timeoutMs: 0 }],
    ['marginMs below 0', { public: true, marginMs: -1 }],
    ['retryAfterMs NaN', { public: true, retryAfterMs: Number.NaN }],
    ['no options', undefined],
  ])('%s are ERR_INVALID_OPTION', async (_, options) => {
    const { box } = await makeInMemory()
    await refusal(() => receiver(box.queue('orders'), options as never), 'ERR_INVALID_OPTION', /^receiver\(\)/)
    expect((await box.queue('orders').stats()).enqueued).toBe(0)
  })

  it.each([undefined, null, 'orders', {}, { name: 'orders', enqueue() {} }])('%j is no queue', async (queue) => {
    await refusal(() => receiver(queue as never, { public: true }), 'ERR_INVALID_OPTION', /^receiver\(\)/)
  })

  it('a box that is closed, or only looked at, receives nothing', async () => {
    const storage = memoryStorage()
    const box = await open(storage)
    const queue: Queue = box.queue('orders')
    await queue.enqueue(1)
    await box.close()
    await refusal(() => receiver(queue, { public: true }), 'ERR_CLOSED', /^receiver\(\)/)
    await using looker = await open(storage, { readOnly: true })
    await refusal(() => receiver(looker.queue('orders'), { public: true }), 'ERR_UNSUPPORTED', /^receiver\(\)/)
  })
})

describe('a request', () => {
  it.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('with %s is refused with 405', async (method) => {
    const { receive } = await receiving()
    const { status, headers } = await receive(new Request(RECEIVER_URL, { method }))
    expect([status, headers.get('allow')]).toEqual([405, 'POST'])
  })

  it.each<[string, Record<string, string | undefined>, string]>([
    ['no key', { 'idempotency-key': undefined }, '400 key-missing'],
    ['a key without quotes', { 'idempotency-key': 'o-1' }, '400 key-invalid'],
    ['an empty key', { 'idempotency-key': '""' }, '400 key-invalid'],
    ['a key that ends early', { 'idempotency-key': '"o"1"' }, '400 key-invalid'],
    ['two keys', { 'idempotency-key': '"a", "b"' }, '400 key-invalid'],
    ['a key with parameters', { 'idempotency-key': '"a";b=1' }, '400 key-invalid'],
    ['an escape of nothing', { 'idempotency-key': '"a\\b"' }, '400 key-invalid'],
    ['percent signs of no letter', { 'idempotency-key': '"100%"' }, '400 key-invalid'],
    ['percent signs that break UTF-8', { 'idempotency-key': '"%C3"' }, '400 key-invalid'],
    ['a letter encoded that needs it not', { 'idempotency-key': '"%41"' }, '400 key-invalid'],
    ['a key beyond 256 bytes', { 'idempotency-key': `"${'k'.repeat(257)}"` }, '400 key-invalid'],
    ['a time that is none', { 'ackbox-enqueued-at': 'yesterday' }, '400 time-invalid'],
    ['a time below 0', { 'ackbox-enqueued-at': '-1' }, '400 time-invalid'],
    ['a time with a fraction', { 'ackbox-enqueued-at': '1.5' }, '400 time-invalid'],
    ['two times', { 'ackbox-enqueued-at': '1, 2' }, '400 time-invalid'],
    ['a time beyond all', { 'ackbox-enqueued-at': '9'.repeat(16) }, '400 time-invalid'],
    ['no type', { 'content-type': undefined }, '415 type-unsupported'],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, '415 type-unsupported'],
    ['plain text, which any page may send', { 'content-type': 'text/plain' }, '415 type-unsupported'],
    ['bytes, which are no JSON', { 'content-type': 'application/octet-stream' }, '415 type-unsupported'],
    ['a compressed body', { 'content-encoding': 'gzip' }, '415 type-unsupported'],
  ])('with %s is refused', async (_, headers, expected) => {
    const { queue, receive } = await receiving()
    const text = headers['content-type'] === undefined && 'content-type' in headers ? { 'content-type': '' } : {}
    expect(refused(await post(receive, 'o-1', 1, { ...headers, ...text }))).toBe(expected)
    expect(await queue.stats()).toMatchObject({ enqueued: 0 })
  })

  it.each([
    ['a"b\\c', '"a\\"b\\\\c"'],
    ['50%', '"50%25"'],
    ['é', '"%C3%A9"'],
    ['😀\n', '"%F0%9F%98%80%0A"'],
    ['k'.repeat(256), `"${'k'.repeat(256)}"`],
  ])('under the key of the id %j has that id', async (id, key) => {
    const { queue, receive } = await receiving()
    expect(await post(receive, '', 1, { 'idempotency-key': key })).toMatchObject({ status: 202, body: { id } })
    expect(await queue.get(id)).toMatchObject({ body: 1 })
  })

  it('has the type of JSON with parameters, and of what is built on JSON', async () => {
    const { receive } = await receiving()
    for (const [index, type] of ['application/json; charset=utf-8', 'Application/JSON', 'application/cloudevents+json'].entries()) {
      expect(await post(receive, `o-${index}`, 1, { 'content-type': type })).toMatchObject({ status: 202 })
    }
  })

  it.each<[string, string | Uint8Array<ArrayBuffer>]>([
    ['nothing', ''],
    ['half of it', '{"cents":'],
    ['no JSON', 'cents=5'],
    ['two values', '1 2'],
    ['no UTF-8', new Uint8Array([0x22, 0xc3, 0x22])],
  ])('with %s as its body is refused with 400, and its key stays free', async (_, body) => {
    const { receive } = await receiving()
    expect(refused(await ask(receive, { method: 'POST', headers: HEADERS, body }))).toBe('400 body-invalid')
    expect(await post(receive, 'o-1', 1)).toMatchObject({ status: 202 })
  })

  it.each([
    '1e400', '{"cents":-1e400}', '[0,1e0309]', '9'.repeat(400), `1${'0'.repeat(250)}e60`,
    '12345678901234567890', '{"id":9007199254740993}', '{"text":"\\\\","id":-9007199254740993}',
  ])('with a number that JavaScript would change is refused with 400: %s', async (body) => {
    const { queue, receive } = await receiving()
    expect(refused(await ask(receive, { method: 'POST', headers: HEADERS, body }))).toBe('400 body-invalid')
    expect(await queue.stats()).toMatchObject({ enqueued: 0 })
  })

  it.each<[string, unknown]>([
    ['9007199254740991', 9007199254740991],
    ['1152921504606846976', 2 ** 60],
    ['1e21', 1e21],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['0.12345678901234567890', 0.12345678901234568],
    ['5e-324', 5e-324],
    ['"12345678901234567890 \\" 1e400"', '12345678901234567890 " 1e400'],
    ['{"1e400":"\\\\"}', { '1e400': '\\' }],
  ])('with what JavaScript can hold is taken as it is: %s', async (body, held) => {
    const { queue, receive } = await receiving()
    expect((await ask(receive, { method: 'POST', headers: HEADERS, body })).status).toBe(202)
    expect((await queue.peek())[0]?.body).toEqual(held)
  })

  it('nested as deep as it can be harms nobody', async () => {
    const { receive } = await receiving()
    const body = `${'['.repeat(400_000)}${']'.repeat(400_000)}`
    expect((await ask(receive, { method: 'POST', headers: HEADERS, body })).status).toBeOneOf([202, 400, 422])
    expect(await post(receive, 'o-2', 1)).toMatchObject({ status: 202 })
  })
})

describe('a body', () => {
  it('that says that it is too large is refused with 413, and not read', async () => {
    const { receive } = await receiving({ maxBodyBytes: 10 })
    const request = new Request(RECEIVER_URL, { method: 'POST', headers: HEADERS, body: '"123456789"' })
    // As a server gives it: a browser lets nobody say the length.
    Object.defineProperty(request, 'headers', { value: new Headers({ ...HEADERS, 'content-length': '11' }) })
    expect([(await receive(request)).status, request.bodyUsed]).toEqual([413, false])
    expect(refused(await post(receive, 'o-1', '12345678'))).not.toMatch(/^413/)
  })

  it('without end is given up where it is too large: 413', async () => {
    const { queue, receive } = await receiving()
    const { stream, seen } = chunks(() => new Uint8Array(64 << 10).fill(0x20))
    expect(refused(await ask(receive, streamed(stream)))).toBe('413 body-too-large')
    expect(seen).toEqual({ count: 17, cancelled: true })
    expect(await queue.stats()).toMatchObject({ enqueued: 0 })
  })

  it('larger than the queue takes is refused with 413', async () => {
    const { box } = await makeInMemory()
    const receive = receiver(box.queue('orders', { maxBodyBytes: 10 }), { public: true, maxBodyBytes: 100 })
    expect(refused(await post(receive, 'o-1', 'x'.repeat(20)))).toBe('413 body-too-large')
    expect(await post(receive, 'o-1', 'x')).toMatchObject({ status: 202 })
  })

  it('that stalls is given up: 408', async () => {
    const { clock, receive } = await receiving({ timeoutMs: 1_000 })
    const stalled = new ReadableStream<Uint8Array>({}, { highWaterMark: 0 })
    const answer = ask(receive, streamed(stalled))
    await clock.advance(1_000)
    expect(refused(await answer)).toBe('408 body-too-slow')
  })

  it('that is cut off is refused, keeps no room, and its key stays free', async () => {
    const { receive } = await receiving({ maxPendingBytes: 5_000 })
    for (let cut = 0; cut < 3; cut += 1) {
      const { stream } = chunks((count) => {
        if (count > 0) throw new Error('the client has gone')
        return new TextEncoder().encode('[1,')
      })
      expect(refused(await ask(receive, streamed(stream)))).toBe('400 body-invalid')
    }
    expect(await post(receive, 'o-1', 1)).toMatchObject({ status: 202 })
  })

  it('finds no room beside those under way: 503, until they are in', async () => {
    const { receive } = await receiving({ maxPendingBytes: 20_000 })
    let finish!: () => void
    const slow = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(8_000).fill(0x20))
        finish = () => {
          controller.enqueue(new TextEncoder().encode('1'))
          controller.close()
        }
      },
    })
    const first = ask(receive, streamed(slow))
    const second = await post(receive, 'o-2', 'x'.repeat(13_000))
    expect([refused(second), second.headers.get('retry-after')]).toEqual(['503 full', '5'])
    finish()
    expect(await first).toMatchObject({ status: 202 })
    expect(await post(receive, 'o-2', 'x'.repeat(13_000))).toMatchObject({ status: 202 })
  })

  it('that somebody read before is no body', async () => {
    const { queue } = await receiving()
    const receive = receiver(queue, { authorize: async (request) => (await request.text()).slice(0, 1) })
    expect((await post(receive, 'o-1', 'ann')).status).toBe(500)
    expect(await queue.stats()).toMatchObject({ enqueued: 0 })
  })
})
