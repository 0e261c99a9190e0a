/** Handlers in the style of `fetch` behind `node:http`. Nothing of Node is imported: this module loads anywhere. */
import { problem } from './problem.js'

/** What is used of Node's `IncomingMessage`. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  /** Names and values in turns. */
  readonly rawHeaders: readonly string[]
  readonly complete: boolean
  readonly destroyed: boolean
  readonly socket: object
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  on(event: 'end' | 'error' | 'close', listener: () => void): unknown
  off(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  pause(): unknown
  resume(): unknown
  destroy(): unknown
}

/** What is used of Node's `ServerResponse`. */
export interface NodeResponse {
  readonly headersSent: boolean
  writeHead(status: number, headers: Record<string, string | string[]>): unknown
  write(bytes: Uint8Array): unknown
  end(): unknown
  destroy(): unknown
  on(event: 'error' | 'close', listener: () => void): unknown
}

/** What answers requests: a `receiver`, or a function around some of them. */
export type FetchHandler = (request: Request) => Response | Promise<Response>

/** A client that still sends what nobody wants is listened to for so long, or it would never see its answer. */
const UNWANTED_BYTES_MAX = 16 << 20

/**
 * A listener for `createServer` of `node:http` and `node:https` that asks a handler in the style of `fetch`. Bodies of
 * requests are streamed, as slowly as the handler reads; those of answers are written in one piece. A client that goes away
 * aborts the `signal` of its request. What the handler throws is answered with 500, without a word of it.
 *
 * ```ts
 * createServer(nodeListener(receiver(orders, { authorize }))).listen(8080)
 * ```
 */
export function nodeListener(handler: FetchHandler): (request: NodeRequest, response: NodeResponse) => void {
  return (request, response) => void handle(handler, request, response)
}

async function handle(handler: FetchHandler, request: NodeRequest, response: NodeResponse): Promise<void> {
  // Whoever has gone gets no answer.
  request.on('error', () => {})
  response.on('error', () => {})
  const body = new Body(request)
  try {
    await send(await answerOf(handler, request, body, response), body, response)
  } catch {
    if (response.headersSent) response.destroy()
    else await send(problem('failed', 'the request could not be handled'), body, response).catch(() => response.destroy())
  }
}

function answerOf(
  handler: FetchHandler,
  request: NodeRequest,
  body: Body,
  response: NodeResponse,
): Response | Promise<Response> {
  const controller = new AbortController()
  response.on('close', () => controller.abort())
  const asked = toFetch(request, body, controller.signal)
  return asked === undefined ? problem('request-invalid', 'expected a request with a host and a path') : handler(asked)
}

/** `undefined` for what is no request, as far as `fetch` knows. */
function toFetch({ method = 'GET', url = '/', rawHeaders, socket }: NodeRequest, body: Body, signal: AbortSignal): Request | undefined {
  try {
    const headers = new Headers()
    for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
      // Those of HTTP/2 are told by method and url.
      if (!rawHeaders[index]!.startsWith(':')) headers.append(rawHeaders[index]!, rawHeaders[index + 1]!)
    }
    const scheme = 'encrypted' in socket ? 'https' : 'http'
    // A path that begins with two slashes is no host.
    const place = url.startsWith('/') ? `${scheme}://${headers.get('host') ?? 'localhost'}${url}` : url
    const hasBody = method !== 'GET' && method !== 'HEAD'
    return new Request(place, { method, headers, signal, ...(hasBody ? { body: body.stream(), duplex: 'half' } : {}) } as RequestInit)
  } catch {
    return undefined
  }
}

/** The body of a request: read no further than somebody asks, and then skipped. */
class Body {
  readonly #request: NodeRequest
  #stopReading = (): void => {}

  constructor(request: NodeRequest) {
    this.#request = request
    request.pause()
  }

  /** Whether all of it has come. */
  get isComplete(): boolean {
    return this.#request.complete
  }

  stream(): ReadableStream<Uint8Array> {
    const request = this.#request
    return new ReadableStream<Uint8Array>(
      {
        start: (stream) => {
          const take = (chunk: Uint8Array): void => {
            stream.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
            request.pause()
          }
          this.#stopReading = () => request.off('data', take)
          request.on('data', take)
          request.on('end', () => settle(() => stream.close()))
          // Behind an end this says nothing new.
          request.on('close', () => settle(() => stream.error(new Error('the client has gone'))))
        },
        pull: () => void request.resume(),
        cancel: () => this.#stopReading(),
      },
      { highWaterMark: 0 },
    )
  }

  /** Closing the connection while the client sends would reset it, and the answer with it. */
  skipRest(): Promise<void> {
    const request = this.#request
    this.#stopReading()
    return new Promise((resolve) => {
      if (request.destroyed) return resolve()
      let skipped = 0
      request.on('end', () => resolve())
      request.on('close', () => resolve())
      request.on('data', (chunk: Uint8Array) => {
        skipped += chunk.length
        if (skipped > UNWANTED_BYTES_MAX) request.destroy()
      })
      request.resume()
    })
  }
}

/** What has settled stays so. */
function settle(call: () => void): void {
  try {
    call()
  } catch {
    // It was cancelled, or has ended.
  }
}

async function send(answer: Response, body: Body, response: NodeResponse): Promise<void> {
  const bytes = new Uint8Array(await answer.arrayBuffer())
  const headers: Record<string, string | string[]> = Object.fromEntries(answer.headers)
  const cookies = answer.headers.getSetCookie()
  if (cookies.length > 0) headers['set-cookie'] = cookies
  // Answers without content have no length.
  if (answer.status !== 204 && answer.status !== 304) headers['content-length'] = String(bytes.length)
  // What still comes must not be taken for the next request.
  if (!body.isComplete) headers['connection'] = 'close'
  response.writeHead(answer.status, headers)
  if (bytes.length > 0) response.write(bytes)
  if (!body.isComplete) await body.skipRest()
  response.end()
}
