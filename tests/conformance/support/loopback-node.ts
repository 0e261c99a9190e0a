/** Listens in this process. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { onTestFinished } from 'vitest'

import type { Arrival, Listening } from './loopback.ts'

export async function listen(onArrival: (arrival: Arrival) => void): Promise<Listening> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    request.on('end', () => {
      const { method = '', url: path = '', socket } = request
      const headers = request.headers as Arrival['headers']
      const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()))
      onArrival({ method, path, headers, body: Buffer.concat(chunks), response, gone, reset: () => void socket.resetAndDestroy() })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  onTestFinished(close)
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}
