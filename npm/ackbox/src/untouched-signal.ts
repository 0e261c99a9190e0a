/**
 * A signal that never aborts, for calls that nobody can give up. To make one costs twenty times what a breaker does for a
 * call, and functions that ignore theirs are the rule; but one for all would gather the listeners of those that do not.
 * So one is given out until somebody looks at it, and then the next.
 *
 * What the platform reads of a signal without asking its properties (the `fetch` of browsers) leaves it untouched, and
 * gathers no listeners there either.
 */

/** What whoever follows a signal asks for, in Node's own functions (`AbortSignal.any`, `fetch`) as well. */
const LOOKS = ['aborted', 'onabort', 'addEventListener', 'throwIfAborted'] as const

let untouched: AbortSignal | undefined

/** One at which nobody has looked yet. */
export function untouchedSignal(): AbortSignal {
  return (untouched ??= watched(new AbortController().signal))
}

/** Lets go of it at the first look. */
function watched(signal: AbortSignal): AbortSignal {
  for (const name of LOOKS) {
    Object.defineProperty(signal, name, {
      configurable: true,
      enumerable: false,
      get: () => {
        unwatch(signal)
        const value: unknown = signal[name]
        return value
      },
      set: (value: unknown) => {
        unwatch(signal)
        Reflect.set(signal, name, value)
      },
    })
  }
  return signal
}

/** From here on it is like any other. */
function unwatch(signal: AbortSignal): void {
  if (untouched === signal) untouched = undefined
  for (const name of LOOKS) Reflect.deleteProperty(signal, name)
}
