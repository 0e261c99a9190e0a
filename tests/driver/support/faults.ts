/**
 * User code that goes wrong, in every way in which JavaScript can. Each failure carries something by which it is
 * recognised wherever it comes out.
 */
import type { Clock } from 'ackbox'

/** How a function of the user ends. */
export type How =
  | 'fine'
  | 'throws'
  | 'rejects'
  | 'throws text'
  | 'throws undefined'
  | 'throws what is frozen'
  | 'throws what cannot be looked at'
  | 'has a then that throws'
  | 'then rejects'
  | 'late'
  | 'late failure'
  | 'never'

export const FAILURES = [
  'throws',
  'rejects',
  'throws text',
  'throws undefined',
  'throws what is frozen',
  'throws what cannot be looked at',
  'has a then that throws',
  'then rejects',
  'late failure',
] as const satisfies readonly How[]

/** One failure that happened. */
export interface Thrown {
  /** Where, as `listener` or `handler`. */
  readonly site: string
  readonly value: unknown
  /** By which it is recognised in a text; empty for what has none. */
  readonly text: string
}

/** Fails as it is told to, and remembers it. */
export class Faults {
  readonly thrown: Thrown[] = []
  readonly #clock: Clock
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Ends as `how` says; `value` is what a good end gives. */
  end<T>(how: How, site: string, value: T): T {
    switch (how) {
      case 'fine':
        return value
      case 'rejects':
        return Promise.reject(this.#remember(site, this.#error())) as T
      case 'has a then that throws':
        return Object.defineProperty({}, 'then', { get: () => this.#throw(site, this.#error()) }) as T
      case 'then rejects':
        return { then: (_: unknown, reject: (reason: unknown) => void) => reject(this.#remember(site, this.#error())) } as T
      case 'late':
        return this.#later(() => value) as T
      case 'late failure':
        return this.#later(() => this.#throw(site, this.#error())) as T
      case 'never':
        return new Promise(() => {}) as T
      default:
        return this.#throw(site, this.#oddity(how))
    }
  }

  #later<T>(end: () => T): Promise<T> {
    return new Promise<void>((resolve) => this.#clock.setTimeout(resolve, 40)).then(end)
  }

  #error(): Error {
    return new Error(`boom ${++this.#count}.`)
  }

  #oddity(how: How): unknown {
    if (how === 'throws text') return `boom ${++this.#count}.`
    if (how === 'throws undefined') return undefined
    if (how === 'throws what is frozen') return Object.freeze(this.#error())
    if (how === 'throws') return this.#error()
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  }

  #throw(site: string, value: unknown): never {
    throw this.#remember(site, value)
  }

  #remember(site: string, value: unknown): unknown {
    const text = typeof value === 'string' ? value : isError(value) ? value.message : ''
    this.thrown.push({ site, value, text })
    return value
  }
}

function isError(value: unknown): value is Error {
  try {
    return value instanceof Error
  } catch {
    return false
  }
}
