/** `httpErrors()` against what real clients throw when a server on this machine answers, is silent or is not there. */
import { httpErrors, type Classify, type ErrorVerdict } from 'ackbox'
import axios from 'axios'
import got from 'got'
import { describe, expect, it } from 'vitest'
import * as undici from 'undici'

import { httpServer } from '../support/http-server.ts'

interface Request {
  /** Aborts the call. */
  readonly signal?: AbortSignal
  /** Instead of asking the DNS. */
  readonly failLookup?: boolean
}

/** Calls, and throws what a handler would throw that uses this client. */
type Client = (url: string, request?: Request) => Promise<unknown>

const notFound = (hostname: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname })

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string, family: number) => void

function lookup(hostname: string, ...rest: unknown[]): void {
  ;(rest.at(-1) as LookupCallback)(notFound(hostname), '', 4)
}

/** Reads the whole body, as handlers do. */
async function fetched(response: Response | undici.Response): Promise<unknown> {
  if (!response.ok) throw response
  return response.text()
}

const failing = (): undici.Agent => new undici.Agent({ connect: { lookup: lookup as never } })

const CLIENTS: Readonly<Record<string, Client>> = {
  'fetch, throwing the response': async (url, { signal, failLookup } = {}) =>
    fetched(
      await fetch(url, { ...(signal && { signal }), ...(failLookup && { dispatcher: failing() as never }) } as RequestInit),
    ),
  'fetch, throwing an error with the response': async (url, { signal, failLookup } = {}) => {
    const response = await undici.fetch(url, { ...(signal && { signal }), ...(failLookup && { dispatcher: failing() }) })
    if (!response.ok) throw Object.assign(new Error(`HTTP ${response.status}`), { response })
    return response.text()
  },
  'undici.request': async (url, { signal, failLookup } = {}) => {
    const agent = (failLookup ? failing() : new undici.Agent()).compose(undici.interceptors.responseError())
    const { body } = await undici.request(url, { dispatcher: agent, ...(signal && { signal }) })
    return body.text()
  },
  axios: (url, { signal, failLookup } = {}) =>
    axios.get(url, { proxy: false, ...(signal && { signal }), ...(failLookup && { lookup: lookup as never }) }),
  got: (url, { signal, failLookup } = {}) =>
    got(url, { retry: { limit: 0 }, ...(signal && { signal }), ...(failLookup && { dnsLookup: lookup as never }) }),
  'a client whose errors are wrapped': (url, request) =>
    CLIENTS['got']!(url, request).catch((cause: unknown) => {
      throw new Error('the order service failed', { cause: new Error('call failed', { cause }) })
    }),
}

async function verdictOn(client: Client, url: string, request?: Request, classify = httpErrors()): Promise<ErrorVerdict> {
  const error: unknown = await client(url, request).then(
    () => expect.fail('the call went through'),
    (error: unknown) => error,
  )
  return classify(error, undefined as never)
}

describe.each(Object.entries(CLIENTS))('%s', (_, client) => {
  it('retries what may get better, and gives up what cannot [A3 classify]', async () => {
    const { url } = await httpServer()
    for (const status of [408, 425, 429, 500, 502, 503, 504, 599]) {
      expect([status, await verdictOn(client, url(status))]).toEqual([status, 'retry'])
    }
    for (const status of [400, 401, 403, 404, 409, 410, 422, 451]) {
      expect([status, await verdictOn(client, url(status))]).toEqual([status, 'dead'])
    }
  })

  it.each([429, 503])('waits as long as the answer of %i asks for', async (status) => {
    const { url } = await httpServer()
    const countsAsFailure = status === 503
    const verdict = (retryAfter: string, more = {}): Promise<ErrorVerdict> =>
      verdictOn(client, url(status, { 'retry-after': retryAfter, ...more }))
    expect(await verdict('120')).toEqual({ retryAfterMs: 120_000, countsAsFailure })
    const date = 'Tue, 01 Jan 2030 00:00:00 GMT'
    for (const inAMinute of ['Tue, 01 Jan 2030 00:01:00 GMT', 'Tuesday, 01-Jan-30 00:01:00 GMT', 'Tue Jan  1 00:01:00 2030']) {
      expect(await verdict(inAMinute, { date })).toEqual({ retryAfterMs: 60_000, countsAsFailure })
    }
    expect(await verdict('99999999')).toEqual({ retryAfterMs: 86_400_000, countsAsFailure })
    for (const noTime of ['0', 'soon', '-1', date]) expect(await verdict(noTime, { date })).toBe('retry')
  })

  it('waits for a request under the same key, and with that message alone', async () => {
    const { url } = await httpServer()
    expect(await verdictOn(client, url(409, { 'retry-after': '1' }))).toEqual({ retryAfterMs: 0, countsAsFailure: false })
  })

  it('retries when nobody listens', async () => {
    const server = await httpServer()
    await server.close()
    expect(await verdictOn(client, server.url(200))).toBe('retry')
  })

  it('retries when the connection is reset, before the answer and in its middle', async () => {
    const { url } = await httpServer()
    expect(await verdictOn(client, url('reset'))).toBe('retry')
    expect(await verdictOn(client, url('cut'))).toBe('retry')
  })

  it('retries when the name is not found', async () => {
    expect(await verdictOn(client, 'http://host.invalid/', { failLookup: true })).toBe('retry')
  })

  it('retries when the call was aborted or took too long', async () => {
    const { url } = await httpServer()
    expect(await verdictOn(client, url('silence'), { signal: AbortSignal.timeout(1) })).toBe('retry')
    const controller = new AbortController()
    const verdict = verdictOn(client, url('silence'), { signal: controller.signal })
    setImmediate(() => controller.abort())
    expect(await verdict).toBe('retry')
  })
})

describe('time-outs of the clients themselves', () => {
  it.each<[string, (url: string) => Promise<unknown>]>([
    ['axios', (url) => axios.get(url, { proxy: false, timeout: 1 })],
    ['got', (url) => got(url, { retry: { limit: 0 }, timeout: { request: 1 } })],
    ['undici', (url) => undici.request(url, { headersTimeout: 1, dispatcher: new undici.Agent() })],
  ])('of %s are retried', async (_, call) => {
    const { url } = await httpServer()
    expect(await verdictOn(() => call(url('silence')), '')).toBe('retry')
  })
})

describe('httpErrors', () => {
  const classify = httpErrors()
  const about = (error: unknown): ErrorVerdict => classify(error, undefined as never)

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a string', '503'],
    ['an error of the program', new TypeError('x is not a function')],
    ['an error with a code of its own', Object.assign(new Error('no'), { code: 'E_CARD' })],
    ['an error of undici that blames the caller', Object.assign(new Error('no'), { code: 'UND_ERR_INVALID_ARG' })],
    ['a status that is no error', { status: 204, headers: {} }],
    ['a status that is none of HTTP', { status: 4040 }],
    ['a status that is no number', { status: 'failed' }],
    ['properties that throw', new Proxy({}, { get: () => { throw new Error('no') } })],
  ])('says nothing about %s', (_, error) => {
    expect(about(error)).toBeUndefined()
  })

  it('says nothing about an answer that was fine and could not be parsed', async () => {
    const { url } = await httpServer()
    expect(await verdictOn((address) => got(address, { responseType: 'json', parseJson: () => { throw new Error('no') } }), url(200))).toBeUndefined()
  })

  it('looks at all attempts to connect', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED ::1'), { code: 'ECONNREFUSED' })
    expect(about(new AggregateError([new Error('other'), refused]))).toBe('retry')
  })

  it('ends with errors that cause each other', () => {
    const error = new Error('round')
    error.cause = error
    expect(about(error)).toBeUndefined()
  })

  it.each(['Failed to fetch', 'NetworkError when attempting to fetch resource.', 'Load failed'])(
    'knows what fetch of browsers says: %s',
    (message) => {
      expect(about(new TypeError(message))).toBe('retry')
      expect(about(new Error(message))).toBeUndefined()
    },
  )

  it('takes instants by its clock where the server does not tell the time', () => {
    const onClock: Classify = httpErrors({ clock: { now: () => Date.UTC(2030, 0, 1) } })
    const headers = { 'retry-after': 'Tue, 01 Jan 2030 00:00:09 GMT' }
    expect(onClock({ status: 503, headers }, undefined as never)).toEqual({ retryAfterMs: 9_000, countsAsFailure: true })
  })

  it('waits no longer than it is told to', () => {
    const patient = httpErrors({ maxRetryAfterMs: 5_000 })
    const verdict = patient({ status: 429, headers: { 'Retry-After': '60' } }, undefined as never)
    expect(verdict).toEqual({ retryAfterMs: 5_000, countsAsFailure: false })
  })
})
