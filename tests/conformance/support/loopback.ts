/** A server on the loopback interface that a test answers for, request by request. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { onTestFinished } from 'vitest'

/** A request that came, with its whole body. */
export interface Arrival {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  readonly response: ServerResponse
  /** Cuts the connection. */
  reset(): void
  /** Resolves when the client has gone. */
  readonly gone: Promise<void>
}

export interface Loopback {
  /** `http://127.0.0.1:port` */
  readonly origin: string
  readonly arrivals: Arrival[]
  /** Resolves with the n-th request, from 1. */
  arrival(count: number): Promise<Arrival>
  close(): Promise<void>
}

/** Calls `answer` with each request; closed when the test ends. */
export async function loopback(answer: (arrival: Arrival, count: number) => void): Promise<Loopback> {
  const arrivals: Arrival[] = []
  const waiting = new Set<() => void>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    request.on('end', () => {
      const { method = '', url: path = '', headers, socket } = request
      const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()))
      const arrival = { method, path, headers, body: Buffer.concat(chunks), response, gone, reset: () => void socket.resetAndDestroy() }
      arrivals.push(arrival)
      answer(arrival, arrivals.length)
      for (const wake of [...waiting]) wake()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  onTestFinished(close)
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivals,
    async arrival(count) {
      while (arrivals.length < count) {
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            waiting.delete(wake)
            resolve()
          }
          waiting.add(wake)
        })
      }
      return arrivals[count - 1]!
    },
    close,
  }
}

/** Answers with a status, and a body if there is one. */
export function says(status: number, headers: Record<string, string> = {}, body = ''): (arrival: Arrival) => void {
  return ({ response }) => void response.writeHead(status, headers).end(body)
}
