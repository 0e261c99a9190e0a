/** Every call of the box that a scenario makes, and whether it came to an end. */
import { AckboxError } from 'ackbox'

interface Call {
  readonly name: string
  isSettled: boolean
}

export class Calls {
  readonly #calls: Call[] = []
  /** Refusals that are neither an error of the package nor one that the scenario made. */
  readonly strange: string[] = []
  readonly #isOwn: (error: unknown) => boolean

  /** `isOwn`: whether an error was made by the scenario. */
  constructor(isOwn: (error: unknown) => boolean) {
    this.#isOwn = isOwn
  }

  /** Begins a call; `then` gets what it gives. Nobody waits for it here. */
  begin<T>(name: string, call: () => PromiseLike<T> | T, then: (value: T) => void = () => {}): void {
    const begun = { name, isSettled: false }
    this.#calls.push(begun)
    const ended = (error?: unknown): void => {
      begun.isSettled = true
      if (error !== undefined && !AckboxError.is(error) && !this.#isOwn(error)) this.strange.push(`${name}: ${String(error)}`)
    }
    let called: PromiseLike<T> | T
    try {
      called = call()
    } catch (error) {
      return ended(error)
    }
    Promise.resolve(called).then((value) => (ended(), then(value)), ended)
  }

  /** Those that have not ended. */
  get unsettled(): string[] {
    return this.#calls.filter(({ isSettled }) => !isSettled).map(({ name }) => name)
  }

  get count(): number {
    return this.#calls.length
  }
}
