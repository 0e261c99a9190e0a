/** A value that is there in whatever a function calls, awaits or starts: along everything asynchronous. */
import { AsyncLocalStorage } from 'node:async_hooks'

export class Ambient<T> {
  readonly #storage = new AsyncLocalStorage<T | undefined>()

  get(): T | undefined {
    return this.#storage.getStore()
  }

  run<R>(value: T | undefined, fn: () => R): R {
    return this.#storage.run(value, fn)
  }
}
