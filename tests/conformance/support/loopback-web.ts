/** Listens in Node, beside the browser: requests are told to the page, which tells what to answer. */
import { onTestFinished } from 'vitest'
import { commands } from 'vitest/browser'

import type { Act, Arrived } from '../../browser/loopback-commands.ts'
import type { Answering, Arrival, Listening } from './loopback.ts'

export async function listen(onArrival: (arrival: Arrival) => void): Promise<Listening> {
  const { site, origin } = await commands.loopbackOpen()
  const goings = new Map<number, () => void>()
  const hear = (arrived: Arrived): void => {
    const { request, method, path, headers, body } = arrived
    const act = (what: Act): Promise<void> => commands.loopbackAct(site, request, what)
    const answering = new RemoteAnswer(act)
    const gone = new Promise<void>((resolve) => {
      goings.set(request, () => {
        answering.destroyed = true
        resolve()
      })
    })
    const reset = (): void => void act({ do: 'reset' })
    onArrival({ method, path, headers, body: Buffer.from(body, 'base64'), response: answering, gone, reset })
  }
  const hearAll = async (): Promise<void> => {
    for (;;) {
      const told = await commands.loopbackNext(site)
      if (told === undefined || told === null) return
      if ('gone' in told) goings.get(told.gone)?.()
      else hear(told)
    }
  }
  void hearAll()
  const close = (): Promise<void> => commands.loopbackClose(site)
  onTestFinished(close)
  return { origin, close }
}

class RemoteAnswer implements Answering {
  sendDate = true
  destroyed = false
  readonly #act: (what: Act) => Promise<void>
  #drain = (): void => {}

  constructor(act: (what: Act) => Promise<void>) {
    this.#act = act
  }

  writeHead(status: number, headers: Readonly<Record<string, string>> = {}): this {
    void this.#act({ do: 'head', status, headers, sendDate: this.sendDate })
    return this
  }

  flushHeaders(): void {
    void this.#act({ do: 'flush' })
  }

  write(text: string, onWritten?: () => void): boolean {
    void this.#act({ do: 'write', text }).then(() => {
      onWritten?.()
      this.#drain()
    })
    return false
  }

  end(text = ''): void {
    void this.#act({ do: 'end', text })
  }

  on(event: 'drain' | 'error', listener: () => void): void {
    if (event === 'drain') this.#drain = listener
  }
}
