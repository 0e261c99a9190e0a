/** What a service saw of the orders of all tabs: which were handed to a handler, and which were settled. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'

/** Tokens of deliveries grow, and jump by this with every opening of a box. */
const RUN = 2 ** 24

interface Told {
  readonly id: string
  readonly status?: string
  readonly attempt?: number
  readonly token?: number
  readonly message?: string
}

export class Ledger {
  /** The receipts that tabs were given, by the ids of orders. */
  readonly told = new Map<string, string>()
  /** Deliveries whose handlers have started. */
  readonly started = new Map<string, { readonly attempt: number; readonly token: number }[]>()
  /** Deliveries whose acknowledgement was answered. */
  readonly settled = new Map<string, number[]>()
  /** Enqueues that a living tab was refused. */
  readonly wrong: string[] = []
  /** How many handlers have started. */
  starts = 0
  #run = 0
  #waiting: { readonly isSo: () => boolean; readonly reached: () => void }[] = []

  get listeners(): Readonly<Record<string, RequestListener>> {
    return {
      '/told': this.#listener(({ id, status }) => void this.told.set(id, status!)),
      '/started': this.#listener(({ id, attempt, token }) => this.#start(id, attempt!, token!)),
      '/wrong': this.#listener(({ id, message }) => void this.wrong.push(`${id}: ${message}`)),
      '/settled': this.#listener(({ id, token }) => void this.settled.set(id, [...(this.settled.get(id) ?? []), token!])),
    }
  }

  /** Resolves when so many more handlers have started. */
  more(starts: number): Promise<void> {
    const wanted = this.starts + starts
    return this.#until(() => this.starts >= wanted)
  }

  /** Resolves when a handler has started on behalf of an opening of the box that is later than all before. */
  nextRun(): Promise<void> {
    const run = this.#run
    return this.#until(() => this.#run > run)
  }

  #until(isSo: () => boolean): Promise<void> {
    return new Promise((reached) => this.#waiting.push({ isSo, reached }))
  }

  #start(id: string, attempt: number, token: number): void {
    this.started.set(id, [...(this.started.get(id) ?? []), { attempt, token }])
    this.starts++
    this.#run = Math.max(this.#run, Math.floor(token / RUN))
    const waiting = this.#waiting
    this.#waiting = waiting.filter(({ isSo }) => !isSo())
    for (const { isSo, reached } of waiting) if (isSo()) reached()
  }

  #listener(note: (told: Told) => void): RequestListener {
    return async (request: IncomingMessage, answer: ServerResponse) => {
      let text = ''
      try {
        for await (const chunk of request) text += String(chunk)
      } catch {
        // The tab is gone in the middle of it.
        return
      }
      note(JSON.parse(text) as Told)
      answer.writeHead(204).end()
    }
  }
}
