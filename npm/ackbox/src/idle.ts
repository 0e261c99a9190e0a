/** Waiting until a queue has nothing to do. When that is so, the engine decides: nothing here looks again and again. */
import type { BoxCore } from './box.js'
import { checkNames, optionalSignal } from './validate.js'
import { waitFor } from './waiting.js'

/** Options of `idle`. */
export interface IdleOptions {
  /** Gives up waiting. */
  readonly signal?: AbortSignal | undefined
}

export async function idle(core: BoxCore, queue: number, options: IdleOptions, where: string): Promise<void> {
  checkNames(options, ['signal'], where)
  optionalSignal(options.signal, where)
  core.checkOpen(where)
  await waitFor(core, options.signal, (ticket, input) => input.idle({ ticket, queue }))
}
