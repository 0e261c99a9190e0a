/** A server on the loopback interface that answers as the address says, for clients of HTTP. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

import { onTestFinished } from 'vitest'

export interface TestServer {
  /** `http://127.0.0.1:port` */
  readonly origin: string
  /**
   * An address that is answered with this status and these headers; `'reset'` cuts the connection without an answer,
   * `'cut'` in the middle of one, `'silence'` never answers.
   */
  url(answer: number | 'reset' | 'cut' | 'silence', headers?: Readonly<Record<string, string>>): string
  close(): Promise<void>
}

/** Closed when the test ends. */
export async function httpServer(): Promise<TestServer> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://host')
    const answer = pathname.slice(1)
    if (answer === 'silence') return
    if (answer === 'reset') return void request.socket.resetAndDestroy()
    if (answer === 'cut') {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"half":', () => request.socket.resetAndDestroy())
      return
    }
    response.writeHead(Number(answer), { ...Object.fromEntries(searchParams), 'content-type': 'application/json' })
    response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  onTestFinished(() => close(server))
  return {
    origin,
    url: (answer, headers = {}) => `${origin}/${answer}?${new URLSearchParams(headers)}`,
    close: () => close(server),
  }
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  if (server.listening) await new Promise((resolve) => server.close(resolve))
}
