/** A server on the loopback interface that a test answers for, request by request; the test may be in a browser. */
import { listen } from '#loopback'

/** An answer that is under way. */
export interface Answering {
  /** False: the answer does not tell the time. */
  sendDate: boolean
  /** The client has gone. */
  readonly destroyed: boolean
  writeHead(status: number, headers?: Readonly<Record<string, string>>): this
  flushHeaders(): void
  /** False: there is no room for more until `drain`. */
  write(text: string, onWritten?: () => void): boolean
  end(text?: string): unknown
  on(event: 'drain' | 'error', listener: () => void): unknown
}

/** A request that came, with its whole body. */
export interface Arrival {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
  readonly response: Answering
  /** Cuts the connection. */
  reset(): void
  /** Resolves when the client has gone. */
  readonly gone: Promise<void>
}

/** What listens: tells each request as it comes. */
export interface Listening {
  /** `http://127.0.0.1:port` */
  readonly origin: string
  close(): Promise<void>
}

export interface Loopback extends Listening {
  readonly arrivals: Arrival[]
  /** Resolves with the n-th request, from 1. */
  arrival(count: number): Promise<Arrival>
}

/** Calls `answer` with each request; closed when the test ends. */
export async function loopback(answer: (arrival: Arrival, count: number) => void): Promise<Loopback> {
  const arrivals: Arrival[] = []
  const waiting = new Set<() => void>()
  const listening = await listen((arrival) => {
    arrivals.push(arrival)
    answer(arrival, arrivals.length)
    for (const wake of [...waiting]) wake()
  })
  return {
    ...listening,
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
  }
}

/** Answers with a status, and a body if there is one. */
export function says(status: number, headers: Record<string, string> = {}, body = ''): (arrival: Arrival) => void {
  return ({ response }) => void response.writeHead(status, headers).end(body)
}
