/** A queue behind HTTP: what is taken, what is known again, and what is refused. [A7 receiver] */
import { bytes, type QueueOptions } from 'ackbox'
import { receiver, type ReceiverOptions } from 'ackbox/http'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

import { makeInMemory, openOn } from '../support/boxes.ts'
import { manualClock } from '../support/clock.ts'
import { InjectedStorage } from '../support/injected-storage.ts'
import { ask, post, refused } from '../support/requests.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

async function receiving(options: Partial<ReceiverOptions> = {}, queueOptions: QueueOptions = {}) {
  const site = await makeInMemory()
  const warnings: unknown[] = []
  site.box.on('warning', ({ message, cause }) => warnings.push(cause ?? message))
  const queue = site.box.queue<unknown>('orders', queueOptions)
  const given = options.authorize === undefined ? { public: true, ...options } : options
  const receive = receiver(queue, given)
  return { ...site, queue, receive, warnings }
}

describe('a message', () => {
  it('is answered with 202 when it is durable, and not before [A7 receiver]', async () => {
    const storage = new InjectedStorage()
    const box = await openOn(storage, { clock: manualClock() })
    const queue = box.queue('orders')
    const receive = receiver(queue, { public: true })
    storage.hold()
    let answered = false
    const answer = post(receive, 'o-1', { cents: 5 })
    void answer.then(() => (answered = true))
    while (storage.held === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(answered).toBe(false)
    storage.release()
    expect(await answer).toMatchObject({ status: 202, body: { id: 'o-1', status: 'accepted', state: 'ready' } })
    const copy = await openOn(storage.copy(), { clock: manualClock() })
    expect(await copy.queue('orders').get('o-1')).toMatchObject({ body: { cents: 5 } })
  })

  it('is taken once: 200 for a duplicate, with the state of the first', async () => {
    const { queue, receive } = await receiving()
    expect(await post(receive, 'o-1', { cents: 5 })).toMatchObject({ status: 202 })
    expect(await post(receive, 'o-1', { cents: 5 })).toMatchObject({ status: 200, body: { id: 'o-1', status: 'duplicate', state: 'ready' } })
    await queue.drain(() => {})
    expect(await post(receive, 'o-1', { cents: 5 })).toMatchObject({ status: 200, body: { state: 'completed' } })
    expect(await queue.stats()).toMatchObject({ enqueued: 1, duplicates: 2 })
  })

  it('with another body under a used key is refused with 422', async () => {
    const { queue, receive } = await receiving()
    await post(receive, 'o-1', { cents: 5 })
    const answer = await post(receive, 'o-1', { cents: 6 })
    expect(refused(answer)).toBe('422 key-reused')
    expect(answer.body['type']).toMatch(/^https:/)
    expect(await queue.peek()).toMatchObject([{ body: { cents: 5 } }])
  })

  it('under a key whose first request is not durable yet is refused with 409, and told to come again', async () => {
    const storage = new InjectedStorage()
    const box = await openOn(storage, { clock: manualClock() })
    const receive = receiver(box.queue('orders'), { public: true })
    storage.hold()
    const first = post(receive, 'o-1', 1)
    while (storage.held === 0) await new Promise((resolve) => setImmediate(resolve))
    const second = await post(receive, 'o-1', 1)
    expect([refused(second), second.headers.get('retry-after')]).toEqual(['409 key-in-progress', '1'])
    storage.release()
    expect(await first).toMatchObject({ status: 202 })
    expect(await post(receive, 'o-1', 1)).toMatchObject({ status: 200 })
  })

  it('of bytes is taken as it is by a queue with a codec, and refused with 415 by one without', async () => {
    const { queue, receive } = await receiving({}, { codec: bytes as never })
    const octets = (key: string, to = receive) =>
      ask(to, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream', 'idempotency-key': `"${key}"` },
        body: new Uint8Array([1, 2, 255]),
      })
    expect(await octets('b-1')).toMatchObject({ status: 202 })
    expect((await queue.peek())[0]).toMatchObject({ body: new Uint8Array([1, 2, 255]) })
    const json = await receiving()
    expect(refused(await octets('b-1', json.receive))).toBe('415 type-unsupported')
  })

  it('that the schema of the queue refuses is told what is wrong, with 422', async () => {
    const schema = z.object({ cents: z.number() })
    const { receive } = await receiving({}, { schema } as never)
    const answer = await post(receive, 'o-1', { cents: 'five' })
    expect(refused(answer)).toBe('422 body-refused')
    expect(answer.body['issues']).toMatchObject([{ path: ['cents'] }])
    expect(await post(receive, 'o-1', { cents: 5 }), 'its key is free').toMatchObject({ status: 202 })
  })

  it('finds no room: 503 with Retry-After, at any limit of the queue', async () => {
    const depth = await receiving({ retryAfterMs: 1_500 }, { maxDepth: 1 })
    await post(depth.receive, 'o-1', 1)
    const full = await post(depth.receive, 'o-2', 1)
    expect([refused(full), full.headers.get('retry-after')]).toEqual(['503 full', '2'])
    const ids = await receiving({}, { dedup: { maxEntries: 1 } })
    await post(ids.receive, 'o-1', 1)
    await ids.queue.drain(() => {})
    expect(refused(await post(ids.receive, 'o-2', 1)), 'ids are not forgotten early').toBe('503 full')
    expect(ids.warnings).toEqual([])
  })

  it('is refused with 503 by a box that is closed', async () => {
    const { box, receive } = await receiving()
    await box.close()
    const answer = await post(receive, 'o-1', 1)
    expect([refused(answer), answer.headers.get('retry-after')]).toEqual(['503 unavailable', '5'])
  })

  it('is refused with 503 by a box whose storage failed, and taken once when it comes again', async () => {
    const storage = new InjectedStorage()
    const clock = manualClock()
    const box = await openOn(storage, { clock })
    box.on('error', () => {})
    const receive = receiver(box.queue('orders'), { public: true })
    storage.failNext(new Error('no disk'))
    expect(refused(await post(receive, 'o-1', 1))).toBe('503 unavailable')
    const again = await openOn(storage.copy(), { clock })
    expect(await post(receiver(again.queue('orders'), { public: true }), 'o-1', 1)).toMatchObject({ status: 202 })
  })
})

describe('clients', () => {
  const authorize = (request: Request): string | undefined => request.headers.get('authorization') ?? undefined

  it('have keys of their own, and are told to the handler [A7 receiver]', async () => {
    const { queue, receive } = await receiving({ authorize })
    for (const authorization of ['ann', 'bob', 'a/nn', 'a%2Fnn']) {
      expect(await post(receive, 'o-1', authorization, { authorization })).toMatchObject({ status: 202, body: { id: 'o-1' } })
    }
    expect(await post(receive, 'o-1', 'ann', { authorization: 'ann' })).toMatchObject({ status: 200 })
    const seen: unknown[] = []
    await queue.drain(({ id, headers, body }) => void seen.push([id, headers, body]))
    expect(seen).toEqual([
      ['ann/o-1', { client: 'ann' }, 'ann'],
      ['bob/o-1', { client: 'bob' }, 'bob'],
      ['a%2Fnn/o-1', { client: 'a/nn' }, 'a/nn'],
      ['a%252Fnn/o-1', { client: 'a%2Fnn' }, 'a%2Fnn'],
    ])
  })

  it('that are not known are refused with 401, before their body is read', async () => {
    for (const nobody of [undefined, null, false, ''] as const) {
      const { queue, receive } = await receiving({ authorize: async () => nobody })
      const request = new Request('http://service.test', { method: 'POST', headers: { 'idempotency-key': '"o-1"' }, body: '1' })
      const answer = await receive(request)
      expect([answer.status, answer.headers.get('www-authenticate'), request.bodyUsed]).toEqual([401, 'Bearer', false])
      expect(await queue.stats()).toMatchObject({ enqueued: 0 })
    }
  })

  it('are asked for beside public: false as well', async () => {
    const { receive } = await receiving({ authorize, public: false })
    expect(refused(await post(receive, 'o-1', 1))).toBe('401 not-authorized')
  })

  it('get the answer that authorize gives', async () => {
    const { receive } = await receiving({ authorize: () => new Response('"who?"', { status: 403 }) })
    expect(await post(receive, 'o-1', 1)).toMatchObject({ status: 403, body: 'who?' })
  })

  it.each<[string, Response, string]>([
    ['with a body', new Response('who?', { status: 403, headers: { 'x-reason': 'unknown' } }), 'who?'],
    ['without a body', new Response(null, { status: 204, headers: { 'x-reason': 'unknown' } }), ''],
  ])('get one answer %s as often as authorize gives it', async (_, answer, text) => {
    const { receive, warnings } = await receiving({ authorize: () => answer })
    const ask = (): Promise<Response> => receive(new Request('http://service.test/', { method: 'POST' }))
    for (const got of await Promise.all([ask(), ask(), ask()])) {
      expect([got.status, got.headers.get('x-reason'), await got.text()]).toEqual([answer.status, 'unknown', text])
    }
    expect(warnings).toEqual([])
  })

  it.each<[string, () => never | string]>([
    ['throws', () => { throw new Error('secret of the database') }],
    ['throws an error that the queue could throw', () => { throw Object.assign(new Error('secret'), { code: 'ERR_ID_CONFLICT' }) }],
    ['gives a name that is too long', () => 'n'.repeat(129)],
    ['gives no name', () => 7 as never],
  ])('see nothing of an authorize that %s: 500, told by a warning', async (_, authorize) => {
    const { queue, receive, warnings } = await receiving({ authorize })
    const answer = await post(receive, 'o-1', 1)
    expect(refused(answer)).toBe('500 failed')
    expect(JSON.stringify(answer.body)).not.toMatch(/secret|129|nnn/)
    expect(warnings).toHaveLength(1)
    expect(await queue.stats()).toMatchObject({ enqueued: 0 })
  })
})

describe('the age of a key', () => {
  const at = (ms: number): Record<string, string> => ({ 'ackbox-enqueued-at': String(ms) })

  it('that the queue may have forgotten is refused with 410: an order that comes late is not taken twice [A7 receiver]', async () => {
    const { queue, receive, clock } = await receiving()
    const enqueuedAt = clock.now()
    await clock.advance(2 * DAY)
    expect(await post(receive, 'o-1', 1, at(enqueuedAt))).toMatchObject({ status: 202 })
    await queue.drain(() => {})
    await clock.advance(5 * DAY - HOUR)
    expect(await post(receive, 'o-1', 1, at(enqueuedAt)), '7 days, less an hour').toMatchObject({ status: 200 })
    await clock.advance(1)
    expect(refused(await post(receive, 'o-1', 1, at(enqueuedAt)))).toBe('410 key-too-old')
    await clock.advance(30 * DAY)
    expect(refused(await post(receive, 'o-1', 1, at(enqueuedAt)))).toBe('410 key-too-old')
    expect(await queue.stats()).toMatchObject({ enqueued: 1 })
  })

  it('is that which the queue names, of now or of an earlier run, less a margin', async () => {
    const site = await receiving({}, { dedup: { windowMs: 10 * HOUR } })
    const start = site.clock.now()
    await site.clock.advance(9 * HOUR)
    expect(await post(site.receive, 'o-1', 1, at(start))).toMatchObject({ status: 202 })
    await site.clock.advance(1)
    expect(refused(await post(site.receive, 'o-1', 1, at(start)))).toBe('410 key-too-old')
    const box = await site.reopen()
    const wide = receiver(box.queue('orders'), { public: true, marginMs: 0 })
    await site.clock.advance(HOUR - 1)
    expect(await post(wide, 'o-1', 1, at(start))).toMatchObject({ status: 200 })
    await site.clock.advance(1)
    expect(refused(await post(wide, 'o-1', 1, at(start)))).toBe('410 key-too-old')
    box.queue('orders', { dedup: { windowMs: 20 * HOUR } })
    expect(await post(wide, 'o-1', 1, at(start)), 'what is named later counts at once').toMatchObject({ status: 200 })
  })

  it('is that which is in force, where a queue forgets ids early', async () => {
    const { queue, receive, clock } = await receiving({}, { dedup: { maxEntries: 2, whenFull: 'shorten' } })
    const start = clock.now()
    for (const id of ['a', 'b', 'c']) {
      expect(await post(receive, id, 1, at(start))).toMatchObject({ status: 202 })
      await queue.drain(() => {})
      await clock.advance(HOUR)
    }
    expect(refused(await post(receive, 'a', 1, at(start))), "'a' was forgotten").toBe('410 key-too-old')
    expect(await queue.stats()).toMatchObject({ enqueued: 3 })
  })

  it('lies in the future only as far as clocks may differ: else 400', async () => {
    const { receive, clock } = await receiving()
    expect(await post(receive, 'o-1', 1, at(clock.now() + HOUR))).toMatchObject({ status: 202 })
    expect(refused(await post(receive, 'o-2', 1, at(clock.now() + HOUR + 1)))).toBe('400 time-invalid')
  })

  it('does not matter to a queue that forgets each id as its message finishes', async () => {
    const { queue, receive, clock } = await receiving({}, { dedup: { windowMs: 0 } })
    const start = clock.now()
    await clock.advance(30 * DAY)
    expect(await post(receive, 'o-1', 1, at(start))).toMatchObject({ status: 202 })
    expect(await post(receive, 'o-1', 1, at(start)), 'while it is there').toMatchObject({ status: 200 })
    await queue.drain(() => {})
    expect(await post(receive, 'o-1', 1, at(start + 60 * DAY)), 'it is forgotten').toMatchObject({ status: 202 })
    expect(refused(await post(receive, 'o-1', 1, { 'ackbox-enqueued-at': 'noon' }))).toBe('400 time-invalid')
  })

  it('matters where a queue was short of room and forgot what had just finished', async () => {
    const { queue, receive, clock } = await receiving({}, { dedup: { maxEntries: 1, whenFull: 'shorten' } })
    const start = clock.now()
    for (const id of ['a', 'b']) {
      expect(await post(receive, id, 1, at(start))).toMatchObject({ status: 202 })
      await queue.drain(() => {})
    }
    await clock.advance(1)
    expect(refused(await post(receive, 'a', 1, at(start)))).toBe('410 key-too-old')
  })

  it('is not asked of a client that tells no time', async () => {
    const { receive, clock } = await receiving()
    await post(receive, 'o-1', 1)
    await clock.advance(30 * DAY)
    expect(await post(receive, 'o-1', 1)).toMatchObject({ status: 200 })
  })

  it('names 7 days once, without a warning', async () => {
    const { box, warnings } = await receiving()
    box.queue('orders', { dedup: { windowMs: 7 * DAY } })
    expect(warnings).toEqual([])
    box.queue('orders', { dedup: { windowMs: 8 * DAY } })
    expect(warnings).toEqual([expect.stringContaining('dedup.windowMs')])
  })
})
