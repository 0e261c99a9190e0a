/** A proxy on the loopback that loses what a test tells it to. */

import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Between a client and its server. */
export interface Proxy {
  readonly url: string
  /** Loses the next reply and ends its connection: the server has done what was asked. */
  dropNextReply(): void
  /** The reply that is dropped is that to a command which mentions this. */
  dropReplyTo(text: string): void
  /** From now on nothing comes through, in either direction, and connections stay open. */
  swallow(on: boolean): void
  /** Ends all connections. */
  cut(): void
  close(): Promise<void>
  /** Replies that were lost. */
  readonly dropped: number
}

/** Starts one in front of a port. */
export async function startProxy(port: number): Promise<Proxy> {
  const pairs = new Set<[Socket, Socket]>()
  let awaited: string | undefined
  let armed = false
  let swallowing = false
  let dropped = 0
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    const pair: [Socket, Socket] = [client, upstream]
    pairs.add(pair)
    const end = (): void => {
      pairs.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of pair) socket.on('error', end).on('close', end)
    client.on('data', (bytes) => {
      if (swallowing) return
      if (awaited !== undefined && bytes.includes(awaited)) {
        awaited = undefined
        armed = true
      }
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      if (swallowing) return
      if (armed) {
        armed = false
        dropped++
        end()
        return
      }
      client.write(bytes)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const pair of pairs) pair[0].destroy()
  }
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    dropNextReply: () => {
      armed = true
    },
    dropReplyTo: (text) => {
      awaited = text
    },
    swallow: (on) => {
      swallowing = on
    },
    cut,
    close: async () => {
      server.close()
      cut()
      await once(server, 'close')
    },
    get dropped() {
      return dropped
    },
  }
}
