/**
 * Options that a handler brings along. A handler that knows what its work needs, as a sender over a network does, carries
 * them under a symbol; `process` and `drain` take them where the caller names nothing else.
 */

/** Under this key a handler holds its worker options. The same in every copy of this package. */
export const WORKER_DEFAULTS: unique symbol = Symbol.for('ackbox.worker-defaults') as never

/** The options as they were named, and for `names` that were not named, those of the handler. */
export function withDefaults<O extends object>(handler: object, named: O, names: readonly string[]): O {
  const defaults = (handler as { readonly [WORKER_DEFAULTS]?: Readonly<Record<string, unknown>> })[WORKER_DEFAULTS]
  if (defaults === undefined) return named
  const options = { ...named } as Record<string, unknown>
  for (const name of names) options[name] ??= defaults[name]
  return options as O
}
