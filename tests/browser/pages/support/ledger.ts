/** What a service saw: which orders were told to their tabs as kept, which were handed to a handler, which were settled. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'

interface Started {
  readonly attempt: number
  readonly isAfterEnd: boolean
}

export class Ledger {
  readonly told = new Map<string, string>()
  readonly started = new Map<string, Started[]>()
  readonly settled = new Map<string, number>()
  #starts = 0
  #waiting: { readonly starts: number; readonly reached: () => void }[] = []

  get listeners(): Readonly<Record<string, RequestListener>> {
    return {
      '/told': this.#listener(({ id, status }) => void this.told.set(id, status!)),
      '/started': this.#listener(({ id, attempt }) => this.#start(id, attempt!)),
      '/settled': this.#listener(({ id }) => void this.settled.set(id, (this.settled.get(id) ?? 0) + 1)),
    }
  }

  /** How many handlers started. */
  get starts(): number {
    return this.#starts
  }

  /** Resolves when so many more handlers have started. */
  more(starts: number): Promise<void> {
    return new Promise((reached) => this.#waiting.push({ starts: this.#starts + starts, reached }))
  }

  #start(id: string, attempt: number): void {
    const starts = this.started.get(id) ?? []
    starts.push({ attempt, isAfterEnd: this.settled.has(id) })
    this.started.set(id, starts)
    this.#starts++
    const waiting = this.#waiting
    this.#waiting = waiting.filter(({ starts: wanted }) => wanted > this.#starts)
    for (const { starts: wanted, reached } of waiting) if (wanted <= this.#starts) reached()
  }

  #listener(note: (fields: { id: string; status?: string; attempt?: number }) => void): RequestListener {
    return async (request: IncomingMessage, answer: ServerResponse) => {
      let text = ''
      try {
        for await (const chunk of request) text += String(chunk)
      } catch {
        // The tab is gone.
        return
      }
      note(JSON.parse(text) as { id: string })
      answer.writeHead(204).end()
    }
  }
}
