/**
 * Connections to Redis, whatever client library carries them.
 *
 * A transport sends one command at a time and says what came back: a reply, an error that the server gave, or that the reply was lost.
 * It never sends a command again by itself; that is up to `requests.ts`, which numbers what it asks. If the library does (an
 * ioredis client that was given with `autoResendUnfulfilledCommands`), no harm is done, for the server knows the number.
 */

import { AckboxError } from '../../ackbox-error.js'

/** What a reply is made of; texts come as bytes. */
export type Reply = Buffer | number | null | Reply[]

/** One argument of a command. */
export type Argument = string | Buffer

/** The server answered with an error; its text begins with a code. */
export class ServerError extends Error {}

/** A connection for commands. */
export interface Transport {
  /** Rejects with a `ServerError` if the server refused, with anything else if nobody knows what became of the command. */
  send(command: readonly Argument[]): Promise<Reply>
  /** Told whatever is published on a channel, for as long as the transport lives, over reconnects. */
  subscribe(channel: string, listener: (message: Buffer) => void): Promise<void>
  /** Resolves when a command may be sent (again); rejects with a `ServerError` if the server refuses the connection. */
  ready(): Promise<void>
  /** Gives up the connection, so that commands whose reply does not come reject, and makes a new one. */
  renew(): void
  /** Ends what the transport has opened itself. */
  close(): Promise<void>
}

/** What is used of an ioredis client (`Redis` or `Cluster`). */
export interface IoredisClient {
  readonly status: string
  callBuffer(command: string, ...parameters: Argument[]): Promise<unknown>
  duplicate(...parameters: never[]): IoredisClient
  subscribe(channel: string): Promise<unknown>
  connect(): Promise<void>
  disconnect(reconnect?: boolean): void
  on(event: string, listener: (...parameters: never[]) => void): unknown
  once(event: string, listener: (...parameters: never[]) => void): unknown
  off(event: string, listener: (...parameters: never[]) => void): unknown
}

/** What is used of a client of node-redis (`redis` 5 or later). */
export interface NodeRedisClient {
  readonly isReady: boolean
  readonly isOpen: boolean
  sendCommand(parameters: readonly Argument[], options?: object): Promise<unknown>
  duplicate(): NodeRedisClient
  connect(): Promise<unknown>
  subscribe(channel: string, listener: (message: Buffer) => void, asBuffers: true): Promise<unknown>
  destroy(): void
  on(event: string, listener: (...parameters: never[]) => void): unknown
  once(event: string, listener: (...parameters: never[]) => void): unknown
  off(event: string, listener: (...parameters: never[]) => void): unknown
}

/** A transport over a client that the user made, and ends. */
export function transportOf(client: IoredisClient | NodeRedisClient): Transport {
  if ('callBuffer' in client) return new IoredisTransport(client, false)
  if ('sendCommand' in client && 'isReady' in client) return new NodeRedisTransport(client)
  throw new AckboxError('ERR_INVALID_OPTION', 'client: expected a client of ioredis (5 or later) or redis (5 or later)')
}

/** Options of a connection made from a URL: nothing is sent twice, and nothing waits in a line that we do not see. */
const OPTIONS = {
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  lazyConnect: true,
  maxRetriesPerRequest: null,
  connectTimeout: 5000,
  retryStrategy: (times: number) => Math.min(50 * 2 ** Math.min(times, 6), 2000),
}

/** A transport of its own, by ioredis. */
export async function connect(url: string): Promise<Transport> {
  checkUrl(url)
  const { Redis } = await import('ioredis').catch((cause: unknown) => {
    throw new AckboxError('ERR_INVALID_OPTION', 'redis(url): expected the package ioredis to be installed', { cause })
  })
  const client: IoredisClient = new Redis(url, OPTIONS) as unknown as IoredisClient
  const transport = new IoredisTransport(client, true)
  void client.connect().catch(() => {})
  return transport
}

function checkUrl(url: string): void {
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: '', hostname: '' }
  if ((protocol === 'redis:' || protocol === 'rediss:') && hostname !== '') return
  throw new AckboxError('ERR_INVALID_OPTION', `redis(url): expected redis://host:port or rediss://host:port, got ${JSON.stringify(url)}`)
}

class IoredisTransport implements Transport {
  readonly #client: IoredisClient
  readonly #owned: boolean
  readonly #refusal: Refusal
  #subscriber: IoredisClient | undefined

  constructor(client: IoredisClient, owned: boolean) {
    this.#client = client
    this.#owned = owned
    this.#refusal = new Refusal(client)
  }

  async send(command: readonly Argument[]): Promise<Reply> {
    const [name, ...parameters] = command
    try {
      return (await this.#client.callBuffer(String(name), ...parameters)) as Reply
    } catch (error) {
      throw isReplyError(error) ? new ServerError(error.message, { cause: error }) : error
    }
  }

  async subscribe(channel: string, listener: (message: Buffer) => void): Promise<void> {
    const subscriber = (this.#subscriber ??= this.#client.duplicate())
    subscriber.on('error', () => {})
    subscriber.on('messageBuffer', (from: Buffer, message: Buffer) => {
      if (from.toString() === channel) listener(message)
    })
    await usable(subscriber)
    await subscriber.subscribe(channel)
  }

  ready(): Promise<void> {
    return this.#refusal.or(usable(this.#client))
  }

  renew(): void {
    this.#client.disconnect(true)
  }

  async close(): Promise<void> {
    this.#subscriber?.disconnect()
    if (this.#owned) this.#client.disconnect()
  }
}

/** Resolves when a client of ioredis takes commands, which it may have to be told to. */
function usable(client: IoredisClient): Promise<void> {
  if (client.status === 'ready') return Promise.resolve()
  if (client.status === 'wait' || client.status === 'end') void client.connect().catch(() => {})
  return new Promise((resolve) => client.once('ready', () => resolve()))
}

class NodeRedisTransport implements Transport {
  readonly #client: NodeRedisClient
  readonly #options: object
  readonly #refusal: Refusal
  #subscriber: NodeRedisClient | undefined

  constructor(client: NodeRedisClient) {
    this.#client = client
    // Texts (`$`) as bytes: `typeMapping` by the number of the type, as the library has it.
    this.#options = { typeMapping: { [0x24]: Buffer } }
    this.#refusal = new Refusal(client)
  }

  async send(command: readonly Argument[]): Promise<Reply> {
    try {
      return (await this.#client.sendCommand(command, this.#options)) as Reply
    } catch (error) {
      throw isReplyError(error) ? new ServerError(error.message, { cause: error }) : error
    }
  }

  async subscribe(channel: string, listener: (message: Buffer) => void): Promise<void> {
    const subscriber = (this.#subscriber ??= this.#client.duplicate())
    subscriber.on('error', () => {})
    if (!subscriber.isOpen) await subscriber.connect()
    await subscriber.subscribe(channel, listener, true)
  }

  ready(): Promise<void> {
    return this.#refusal.or(this.#usable())
  }

  async #usable(): Promise<void> {
    if (this.#client.isReady) return
    const came = new Promise<void>((resolve) => this.#client.once('ready', () => resolve()))
    if (!this.#client.isOpen) await this.#client.connect()
    if (!this.#client.isReady) await came
  }

  renew(): void {
    this.#client.destroy()
  }

  async close(): Promise<void> {
    this.#subscriber?.destroy()
  }
}

/** What a server said when a client came to it: libraries tell it as an event, and try again for ever. */
class Refusal {
  #said: Error | undefined
  readonly #waiting = new Set<(error: Error) => void>()

  constructor(client: Pick<IoredisClient, 'on'>) {
    client.on('ready', () => (this.#said = undefined))
    client.on('error', (error: Error) => {
      if (!isReplyError(error)) return
      this.#said = new ServerError(error.message, { cause: error })
      for (const tell of this.#waiting) tell(this.#said)
    })
  }

  /** Resolves with `usable`, or rejects with what the server said. */
  or(usable: Promise<void>): Promise<void> {
    if (this.#said !== undefined) return Promise.reject(this.#said)
    let tell: (error: Error) => void = () => {}
    const refused = new Promise<never>((_, reject) => (tell = reject))
    this.#waiting.add(tell)
    return Promise.race([usable, refused]).finally(() => this.#waiting.delete(tell))
  }
}

/** An error that came as a reply, as both libraries name it. */
function isReplyError(error: unknown): error is Error {
  return error instanceof Error && (error.name === 'ReplyError' || error.constructor.name === 'SimpleError' || error.constructor.name === 'ErrorReply')
}
