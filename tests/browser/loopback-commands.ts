/**
 * Servers for pages of tests: they listen in the process of the test runner, tell the page of each request, and answer as
 * it says. Pages of any origin may ask, and read all of the answer.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request that came, with its whole body in Base64. */
export interface Arrived {
  readonly request: number
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

/** A request, or the number of one whose client has gone. */
export type Told = Arrived | { readonly gone: number }

/** A part of an answer. */
export type Act =
  | { readonly do: 'head'; readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly sendDate: boolean }
  | { readonly do: 'flush' | 'reset' }
  | { readonly do: 'write' | 'end'; readonly text: string }

interface LoopbackCommands {
  loopbackOpen(): Promise<{ readonly site: number; readonly origin: string }>
  /** What happens next at a site; nothing more when it is closed. */
  loopbackNext(site: number): Promise<Told | null | undefined>
  /** Resolves when it is done, as far as there is room on the way. */
  loopbackAct(site: number, request: number, act: Act): Promise<void>
  loopbackClose(site: number): Promise<void>
}

declare module 'vitest/internal/browser' {
  interface BrowserCommands extends LoopbackCommands {}
}

/** A connection is for one request: on one that was used before, a browser sends again by itself what got no answer. */
const ALWAYS = { connection: 'close', 'access-control-allow-origin': '*', 'access-control-expose-headers': '*' }

class Site {
  readonly #server: Server
  readonly #answers = new Map<number, ServerResponse>()
  #told: Told[] = []
  #wake: (() => void) | undefined
  #isClosed = false
  #requests = 0

  constructor() {
    this.#server = createServer((request, response) => this.#take(request, response))
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async next(): Promise<Told | undefined> {
    while (this.#told.length === 0 && !this.#isClosed) await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.#told.shift()
  }

  async act(request: number, act: Act): Promise<void> {
    const response = this.#answers.get(request)!
    if (response.destroyed) return
    switch (act.do) {
      case 'head':
        response.sendDate = act.sendDate
        response.writeHead(act.status, act.headers)
        return
      case 'flush':
        return response.flushHeaders()
      case 'reset':
        return void response.socket?.resetAndDestroy()
      case 'write':
        return new Promise((resolve) => {
          response.once('close', resolve)
          response.write(act.text, () => {
            response.off('close', resolve)
            resolve()
          })
        })
      case 'end':
        response.end(act.text)
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve))
    this.#isClosed = true
    this.#wake?.()
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    response.on('error', () => {})
    request.on('end', () => {
      const { method = '', url: path = '', headers, socket } = request
      for (const [name, value] of Object.entries(ALWAYS)) response.setHeader(name, value)
      if (method === 'OPTIONS') return allow(headers, response)
      const number = ++this.#requests
      this.#answers.set(number, response)
      socket.once('close', () => this.#tell({ gone: number }))
      this.#tell({ request: number, method, path, headers: headers as Arrived['headers'], body: Buffer.concat(chunks).toString('base64') })
    })
  }

  #tell(told: Told): void {
    this.#told.push(told)
    this.#wake?.()
  }
}

/** A browser asks first. */
function allow(headers: IncomingMessage['headers'], response: ServerResponse): void {
  response.writeHead(204, { 'access-control-allow-headers': headers['access-control-request-headers'] ?? '*' }).end()
}

const sites = new Map<number, Site>()

type Commands = { [K in keyof LoopbackCommands]: (context: unknown, ...given: Parameters<LoopbackCommands[K]>) => ReturnType<LoopbackCommands[K]> }

export const loopbackCommands: Commands = {
  async loopbackOpen() {
    const site = new Site()
    const number = sites.size + 1
    sites.set(number, site)
    return { site: number, origin: await site.listen() }
  },
  loopbackNext: (_, site) => sites.get(site)!.next(),
  loopbackAct: (_, site, request, act) => sites.get(site)!.act(request, act),
  loopbackClose: (_, site) => sites.get(site)!.close(),
}
