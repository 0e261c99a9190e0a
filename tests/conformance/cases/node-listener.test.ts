/** A handler in the style of `fetch` behind `node:http`, over real connections. [A7 receiver] */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'

import { nodeListener, receiver, type FetchHandler } from 'ackbox/http'
import { expect, it, onTestFinished } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { gate } from '../support/clock.ts'

async function serve(handler: FetchHandler): Promise<string> {
  const server = createServer(nodeListener(handler))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function receiving() {
  const { box } = await makeInMemory()
  const queue = box.queue<unknown>('orders')
  return { queue, origin: await serve(receiver(queue, { public: true })) }
}

/** A connection that says what it wants; `said` is what came back until it ended. */
function raw(origin: string): { socket: Socket; said: Promise<string> } {
  const { hostname, port } = new URL(origin)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  const said = new Promise<string>((resolve) => {
    let text = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
  })
  return { socket, said }
}

const HEADERS = { 'content-type': 'application/json', 'idempotency-key': '"o-1"' }

it('takes messages, one after the other over one connection [A7 receiver]', async () => {
  const { queue, origin } = await receiving()
  const { socket, said } = raw(origin)
  const request = (body: string, last: string): string =>
    `POST /orders HTTP/1.1\r\nhost: a\r\nidempotency-key: "o-1"\r\ncontent-type: application/json\r\n${last}content-length: ${body.length}\r\n\r\n${body}`
  socket.write(request('{"cents":5}', '') + request('{"cents":5}', '') + request('{"cents":6}', 'connection: close\r\n'))
  const statuses = [...(await said).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
  expect(statuses).toEqual(['202', '200', '422'])
  expect(await queue.peek()).toMatchObject([{ id: 'o-1', body: { cents: 5 } }])
})

it('tells a client that it sends too much, which listens only when it has sent all', async () => {
  const { queue, origin } = await receiving()
  const { socket, said } = raw(origin)
  socket.pause()
  const length = 6 << 20
  socket.write(`POST / HTTP/1.1\r\nhost: a\r\nidempotency-key: "o-1"\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`)
  const sent = new Promise((resolve) => socket.once('close', resolve))
  await Promise.race([new Promise((resolve) => socket.write(Buffer.alloc(length, 0x20), resolve)), sent])
  socket.resume()
  expect(await said).toMatch(/^HTTP\/1\.1 413 [^]*body-too-large/)
  expect(await queue.stats()).toMatchObject({ enqueued: 0 })
})

it('tells a client of fetch that it sends too much', async () => {
  const { origin } = await receiving()
  const answer = await fetch(origin, { method: 'POST', headers: HEADERS, body: new Uint8Array(6 << 20).fill(0x20) })
  expect([answer.status, await answer.json()]).toMatchObject([413, { code: 'body-too-large' }])
})

it('tells a client that is not known while it still sends', async () => {
  const { box } = await makeInMemory()
  const origin = await serve(receiver(box.queue('orders'), { authorize: () => undefined }))
  const answer = await fetch(origin, { method: 'POST', headers: HEADERS, body: new Uint8Array(900_000).fill(0x20) })
  expect(answer.status).toBe(401)
})

it('cuts a client off that never stops sending', async () => {
  const { origin } = await receiving()
  const { socket, said } = raw(origin)
  socket.write('POST / HTTP/1.1\r\nhost: a\r\nidempotency-key: "o-1"\r\ncontent-type: application/json\r\ncontent-length: 1000000000000\r\n\r\n')
  const chunk = Buffer.alloc(1 << 16, 0x20)
  const send = (): void => {
    while (!socket.destroyed && socket.write(chunk));
    socket.once('drain', send)
  }
  send()
  expect(await said).toMatch(/^HTTP\/1\.1 413 /)
  expect(socket.bytesWritten).toBeLessThan(64 << 20)
})

it('reads no faster than the handler', async () => {
  const wanted = gate<void>()
  const total = 32 << 20
  const origin = await serve(async (request) => {
    const reader = request.body!.getReader()
    let bytes = (await reader.read()).value!.length
    await wanted.promise
    for (let next = await reader.read(); !next.done; next = await reader.read()) bytes += next.value.length
    return Response.json(bytes)
  })
  const { socket, said } = raw(origin)
  socket.write(`POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ${total}\r\n\r\n`)
  // What the system holds is gone, then it stops for good.
  const chunk = Buffer.alloc(1 << 16, 0x20)
  let sent = 0
  for (let idle = 0; idle < 200; idle += 1) {
    while (sent < total && socket.writableLength === 0) {
      socket.write(chunk)
      sent += chunk.length
      idle = 0
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(sent).toBeLessThan(total)
  socket.write(Buffer.alloc(total - sent, 0x20))
  wanted.open()
  expect(await said).toMatch(new RegExp(`\\r\\n\\r\\n${total}$`))
})

it('aborts the signal of a request whose client has gone, and takes nothing of it', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<unknown>('orders')
  const receive = receiver(queue, { public: true })
  const asked = gate<Request>()
  const answered = gate<Response>()
  const origin = await serve(async (request) => {
    asked.open(request)
    const answer = await receive(request)
    answered.open(answer)
    return answer
  })
  const { socket } = raw(origin)
  socket.write('POST / HTTP/1.1\r\nhost: a\r\nidempotency-key: "o-1"\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n[1,')
  const { signal } = await asked.promise
  socket.destroy()
  if (!signal.aborted) await once(signal, 'abort')
  expect((await answered.promise).status).toBe(400)
  expect(await queue.stats()).toMatchObject({ enqueued: 0 })
})

it('answers what a handler throws with 500, without a word of it', async () => {
  const origin = await serve(() => {
    throw new Error('secret of the database')
  })
  const answer = await fetch(origin)
  const text = await answer.text()
  expect([answer.status, JSON.parse(text)]).toMatchObject([500, { code: 'failed' }])
  expect(text).not.toContain('secret')
})

it('hands on method, address, headers and body as they came, and the answer as it is', async () => {
  const origin = await serve(async (request) => {
    const { method, url, headers } = request
    const seen = { method, path: new URL(url).pathname + new URL(url).search, one: headers.get('one'), body: await request.text() }
    const answer = Response.json(seen, { status: 207 })
    answer.headers.append('set-cookie', 'a=1')
    answer.headers.append('set-cookie', 'b=2')
    return answer
  })
  const answer = await fetch(`${origin}//a/b?c=d`, { method: 'PUT', headers: [['one', '1'], ['one', '2']], body: 'é' })
  expect([answer.status, answer.headers.getSetCookie()]).toEqual([207, ['a=1', 'b=2']])
  expect(await answer.json()).toEqual({ method: 'PUT', path: '//a/b?c=d', one: '1, 2', body: 'é' })
  expect(await (await fetch(origin)).json()).toMatchObject({ method: 'GET', body: '' })
})

it('answers without content where there is none', async () => {
  const origin = await serve(() => new Response(null, { status: 204 }))
  const answer = await fetch(origin, { method: 'POST', body: 'x' })
  expect([answer.status, answer.headers.get('content-length')]).toEqual([204, null])
})

it('refuses what is no request', async () => {
  const { origin } = await receiving()
  const { socket, said } = raw(origin)
  socket.write('POST / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\ncontent-length: 1\r\n\r\n1')
  expect(await said).toMatch(/^HTTP\/1\.1 400 [^]*request-invalid/)
})
