/** A sender that got no answer tells where it had sent the message, and why there was none. [A7 httpSender] */
import { constant, type DeadLetter, type Delivery, type ErrorInfo, httpErrors, PermanentError, RetryAfterError } from 'ackbox'
import { HttpNetworkError, httpSender, type HttpSenderOptions } from 'ackbox/http'
import { testDelivery } from 'ackbox/testing'
import { describe, expect, it } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { record } from '../support/events.ts'
import { loopback } from '../support/loopback.ts'
import { IN_BROWSER } from '../support/platform.ts'

const RETRY_MS = 700
const PLACE = 'https://example.org/a'

/** A queue whose messages are sent to a server twice, with a query that is nobody's business. */
async function sending(origin: string) {
  const { box, clock } = await makeInMemory()
  const queue = box.queue<unknown>('letters', { backoff: constant(RETRY_MS), maxAttempts: 2 })
  const seen = record(queue)
  queue.process(httpSender<unknown>({ url: `${origin}/inbox?token=secret`, clock }))
  await queue.enqueue(1)
  return { queue, seen, clock }
}

/** What a sender throws whose `fetch` fails like that. */
function thrownFor(error: unknown): Promise<unknown> {
  const fetch: HttpSenderOptions['fetch'] = () => Promise.reject(error)
  const send = httpSender({ url: `${PLACE}?token=secret`, fetch })
  return send(testDelivery(1) as Delivery).then(() => expect.fail('it was sent'), (thrown: unknown) => thrown)
}

describe('a dead letter tells where and why, and no query:', () => {
  it('nobody is there', async () => {
    const server = await loopback(() => {})
    await server.close()
    const { queue, seen, clock } = await sending(server.origin)
    expect(await seen.until('retry')).toMatchObject({ attempt: 1, delayMs: RETRY_MS })
    await clock.advance(RETRY_MS)
    await seen.until('dead')
    const letters: DeadLetter<unknown>[] = []
    for await (const letter of queue.dead.list()) letters.push(letter)
    const { error } = letters[0] as { error: ErrorInfo }
    expect(error).toMatchObject({
      name: 'HttpNetworkError',
      message: `POST ${server.origin}/inbox: no whole answer (${IN_BROWSER ? 'Failed to fetch' : `connect ECONNREFUSED ${new URL(server.origin).host}`})`,
    })
    expect(error.code).toBe(IN_BROWSER ? undefined : 'ECONNREFUSED')
    expect(JSON.stringify(letters)).not.toContain('secret')
  })

  it('the connection is reset', async () => {
    const server = await loopback(({ reset }) => reset())
    const { seen } = await sending(server.origin)
    const error: ErrorInfo | undefined = (await seen.until('retry')).error
    expect(error?.name).toBe('HttpNetworkError')
    expect(error?.message).toContain(`POST ${server.origin}/inbox: no whole answer (`)
    if (IN_BROWSER) return
    expect(error?.code).toMatch(/^(ECONNRESET|UND_ERR_SOCKET)$/)
    expect(error?.message).toContain(error?.code)
  })
})

describe('an error of the network', () => {
  it('may have no code, as in browsers', async () => {
    const cause = new TypeError('Failed to fetch')
    const error = await thrownFor(cause)
    expect(error).toBeInstanceOf(HttpNetworkError)
    expect(error).toMatchObject({ message: `POST ${PLACE}: no whole answer (Failed to fetch)`, code: undefined, cause })
  })

  it('may be one of each address, and of no words itself', async () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED ::1:80'), { code: 'ECONNREFUSED' })
    const all = Object.assign(new AggregateError([refused], ''), { code: 'ECONNREFUSED' })
    expect(await thrownFor(new TypeError('fetch failed', { cause: all })))
      .toMatchObject({ message: `POST ${PLACE}: no whole answer (connect ECONNREFUSED ::1:80)`, code: 'ECONNREFUSED' })
  })

  it('tells its code, if its words do not', async () => {
    const closed = Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' })
    expect(await thrownFor(new TypeError('terminated', { cause: closed })))
      .toMatchObject({ message: `POST ${PLACE}: no whole answer (UND_ERR_SOCKET: other side closed)` })
  })

  it('shows the query to nobody, whatever its words are', async () => {
    const error = await thrownFor(new TypeError(`request to ${PLACE}?token=secret failed`))
    expect(error).toMatchObject({ message: `POST ${PLACE}: no whole answer (request to ${PLACE} failed)` })
  })

  it('is one to httpErrors as well', async () => {
    const error = await thrownFor(new TypeError('fetch failed', { cause: new Error('?') }))
    expect(httpErrors()(error, testDelivery(1) as Delivery)).toBe('retry')
  })
})

describe('what is kept of an error that a handler throws', () => {
  async function kept(thrown: unknown): Promise<ErrorInfo | undefined> {
    const { box } = await makeInMemory()
    const queue = box.queue<unknown>('letters', { maxAttempts: 1 })
    await queue.enqueue(1)
    await queue.drain(() => Promise.reject(thrown))
    const { items } = await queue.dead.list().page()
    return items[0]?.error
  }
  const coded = (message: string): Error => Object.assign(new Error(message), { code: 'ECONNREFUSED' })

  it('has the code of what caused it', async () => {
    expect(await kept(new Error('no rate', { cause: new TypeError('fetch failed', { cause: coded('connect') }) })))
      .toMatchObject({ name: 'Error', message: 'no rate', code: 'ECONNREFUSED' })
    expect(await kept(Object.assign(new Error('x', { cause: coded('y') }), { code: 'E_OWN' }))).toMatchObject({ code: 'E_OWN' })
  })

  it('has the words of what caused it, if it has none', async () => {
    expect(await kept(new AggregateError([coded('connect ::1')], ''))).toMatchObject({ message: 'connect ::1', code: 'ECONNREFUSED' })
    expect(await kept(new Error(''))).toMatchObject({ message: '' })
  })

  it('has what can be read of it', async () => {
    const list = new Proxy<unknown[]>([], { get: () => { throw new Error('not for you') } })
    expect(await kept(Object.assign(new Error('x'), { errors: list }))).toMatchObject({ message: 'x' })
  })
})

it.each([
  new PermanentError('no'),
  new RetryAfterError(5),
  Object.assign(new Error('of its own'), { code: 'ECONNRESET' }),
  'text',
])('what a fetch of its own throws stays what it is: %s', async (thrown) => {
  expect(await thrownFor(thrown)).toBe(thrown)
})
