/** Records what a queue tells, so that a test can wait for it and look at all of it. */
import type { Queue } from 'ackbox'

export const EVENTS = [
  'enqueued',
  'started',
  'completed',
  'failed',
  'retry',
  'dead',
  'duplicate',
  'drained',
  'circuit',
  'paused',
  'resumed',
  'stalled',
] as const

export type EventName = (typeof EVENTS)[number]

/** An event as it came, with the fields that some events have. */
export interface Seen {
  readonly event: EventName
  readonly id: string
  readonly attempt: number
  readonly delayMs: number
  readonly at: number
  readonly retryAt: number | undefined
  readonly waitMs: number
  readonly handleMs: number
  readonly reason: string
  readonly error: { readonly name: string; readonly message: string }
}

export class Recorder {
  readonly all: Seen[] = []
  #waiting: { event: EventName; count: number; resolve: () => void }[] = []

  constructor(queue: Queue<never, never>) {
    for (const event of EVENTS) {
      queue.on(event, (details: object) => {
        this.all.push({ ...(details as Seen), event })
        this.#wake()
      })
    }
  }

  /** All events of one kind. */
  of(event: EventName): Seen[] {
    return this.all.filter((seen) => seen.event === event)
  }

  /** Ids of all events of one kind. */
  ids(event: EventName): string[] {
    return this.of(event).map((seen) => seen.id)
  }

  /** Resolves once there were `count` events of a kind, with the last of these. */
  async until(event: EventName, count = 1): Promise<Seen> {
    if (this.of(event).length < count) {
      await new Promise<void>((resolve) => this.#waiting.push({ event, count, resolve }))
    }
    return this.of(event)[count - 1]!
  }

  #wake(): void {
    const ready = this.#waiting.filter(({ event, count }) => this.of(event).length >= count)
    this.#waiting = this.#waiting.filter((waiting) => !ready.includes(waiting))
    for (const { resolve } of ready) resolve()
  }
}

/** Records all events of a queue from now on. */
export function record<T, R, Out>(queue: Queue<T, R, Out>): Recorder {
  return new Recorder(queue as unknown as Queue<never, never>)
}
