/** Waiting for the engine, where policies are used without a box. */
import { loadStandalone } from './engine/standalone.js'
import type { WasmSource } from './engine/engine.js'
import { checkNames, choice } from './validate.js'

/** Options of `ready`: those of `open` that say which engine. */
export interface ReadyOptions {
  /** Default `'auto'`: native where it loads, else WebAssembly. */
  readonly engine?: 'native' | 'wasm' | 'auto' | undefined
  /** The WebAssembly, instead of the one in the package. */
  readonly wasm?: WasmSource | undefined
}

/**
 * Loads the engine for policies that are used without a box: delays, `retry`. Only browsers need it, and there only who
 * has not opened a box; Node loads it when it is first used. The first engine that is loaded stays.
 *
 * Rejects with `ERR_ENGINE`, which says what was tried and why it failed.
 */
export async function ready(options: ReadyOptions = {}): Promise<void> {
  const where = 'ready'
  checkNames(options, ['engine', 'wasm'], where)
  const { engine, wasm } = options
  if (engine !== undefined) choice(engine, ['native', 'wasm', 'auto'], 'engine', where)
  await loadStandalone({ engine, wasm })
}
