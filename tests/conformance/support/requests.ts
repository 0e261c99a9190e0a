/** Requests to a receiver, and what it answers. */
import type { Receiver } from 'ackbox/http'

export const RECEIVER_URL = 'http://service.test/orders'

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: { readonly [name: string]: unknown }
}

/** Posts JSON under a key. A header that is `undefined` is left out. */
export function post(
  receive: Receiver,
  key: string,
  body: unknown,
  headers: Readonly<Record<string, string | undefined>> = {},
): Promise<Answered> {
  const all = { 'content-type': 'application/json', 'idempotency-key': `"${key}"`, ...headers }
  const named = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return ask(receive, { method: 'POST', headers: named, body: JSON.stringify(body) })
}

/** Asks with anything. */
export async function ask(receive: Receiver, init: RequestInit): Promise<Answered> {
  const response = await receive(new Request(RECEIVER_URL, init))
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answered['body'] }
}

/** What the answer says of what was refused: status and code. */
export function refused({ status, headers, body }: Answered): string {
  const isProblem = headers.get('content-type') === 'application/problem+json' && body['status'] === status
  return isProblem ? `${status} ${String(body['code'])}` : `${status}, no problem`
}

/** A body that gives a chunk whenever it is read, and tells how many it gave and whether it was given up. */
export function chunks(next: (count: number) => Uint8Array | undefined): {
  readonly stream: ReadableStream<Uint8Array>
  readonly seen: { count: number; cancelled: boolean }
} {
  const seen = { count: 0, cancelled: false }
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = next(seen.count)
        if (chunk === undefined) return controller.close()
        seen.count++
        controller.enqueue(chunk)
      },
      cancel() {
        seen.cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { stream, seen }
}
