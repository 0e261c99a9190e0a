/** Finds the engine in browsers and workers: WebAssembly. */

import { AckboxError, invalidOption } from '../errors.js'
import { messageOf } from './bound-engine.js'
import type { EngineModule, LoadOptions } from './engine.js'
import { moduleOf } from './wasm-source.js'

let loaded: EngineModule | undefined

/**
 * Loads the WebAssembly from `options.wasm`, or from where the package has it.
 *
 * Rejects with `ERR_ENGINE`, which says why it failed, and with `ERR_UNSUPPORTED` if the native
 * engine is asked for.
 */
export async function loadEngine({ engine = 'auto', wasm }: LoadOptions = {}): Promise<EngineModule> {
  if (engine === 'native') {
    throw new AckboxError('ERR_UNSUPPORTED', 'the native engine needs Node: expected engine to be wasm or auto here')
  }
  if (engine !== 'wasm' && engine !== 'auto') throw invalidOption("'wasm' or 'auto'", engine, 'engine')
  try {
    const { instantiateWasm, loadedWasm } = await import('./wasm.js')
    const source = wasm ?? new URL('../wasm/ackbox_bg.wasm', import.meta.url)
    return (loaded = loadedWasm() ?? instantiateWasm(await moduleOf(source)))
  } catch (error) {
    throw new AckboxError('ERR_ENGINE', `no engine could be loaded: wasm: ${messageOf(error)}`, { cause: error })
  }
}

/** The engine that was loaded before, for browsers compile WebAssembly of this size only while somebody waits. */
export function loadEngineNow(): EngineModule {
  if (loaded !== undefined) return loaded
  throw new AckboxError('ERR_ENGINE', 'the engine is not loaded yet: expected `await ready()` or `await open()` before')
}
