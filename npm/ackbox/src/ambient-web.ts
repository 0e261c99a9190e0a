/** A value that is there while a function is being called: a platform that follows no asynchronous calls knows no more. */
export class Ambient<T> {
  #value: T | undefined

  get(): T | undefined {
    return this.#value
  }

  run<R>(value: T | undefined, fn: () => R): R {
    const outer = this.#value
    this.#value = value
    try {
      return fn()
    } finally {
      this.#value = outer
    }
  }
}
