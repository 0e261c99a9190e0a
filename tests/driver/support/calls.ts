/** Every call of the box that a scenario makes, and whether it came to an end. */
import { AckboxError } from 'ackbox'

/** Whether what a call waits for has not come, so that it may still wait. */
export type MayWait = () => boolean | Promise<boolean>

interface Call {
  readonly name: string
  readonly mayWait: MayWait
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

  /** Begins a call; `then` gets what it gives. Nobody waits for it here. By default it must end once everything rests. */
  begin<T>(name: string, call: () => PromiseLike<T> | T, then: (value: T) => void = () => {}, mayWait: MayWait = () => false): void {
    const begun = { name, mayWait, isSettled: false }
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

  /** Those that wait although what they wait for has come. */
  async overdue(): Promise<string[]> {
    const waiting = this.#calls.filter(({ isSettled }) => !isSettled)
    const may = await Promise.all(waiting.map(({ mayWait }) => mayWait()))
    return waiting.filter(({ isSettled }, place) => !isSettled && !may[place]).map(({ name }) => name)
  }

  get count(): number {
    return this.#calls.length
  }
}
