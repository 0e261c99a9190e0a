/** Finds the engine in browsers and workers: WebAssembly. */

import { AckboxError, invalidOption } from '../errors.js'
import { loadedBefore } from '../parts.js'
import { messageOf } from './bound-engine.js'
import type { EngineModule, LoadOptions } from './engine.js'
import { moduleOf } from './wasm-source.js'

let loaded: EngineModule | undefined

/**
 * Loads the WebAssembly from `options.wasm`, or from a chunk of the package that holds it as text.
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
    const { instantiateWasm, loadedWasm } = loadedBefore.wasm ?? (await import('./wasm.js'))
    return (loaded = loadedWasm() ?? instantiateWasm(await moduleOf(wasm ?? (await packagedWasm()))))
  } catch (error) {
    throw new AckboxError('ERR_ENGINE', `no engine could be loaded: wasm: ${reasonOf(error)}`, { cause: error })
  }
}

/** What the package brings, without asking any server for a file that a bundler may not have copied. */
async function packagedWasm(): Promise<ArrayBuffer> {
  const { packed } = loadedBefore.inline ?? (await import('../wasm/inline.js'))
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0))
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))
  return new Response(unpacked).arrayBuffer()
}

/** A policy of the page is what people meet most, and no browser's words for it say what to do. */
function reasonOf(error: unknown): string {
  const text = messageOf(error)
  const isPolicy = error instanceof WebAssembly.CompileError && /unsafe-eval|content security policy/i.test(text)
  if (!isPolicy) return text
  return `the Content-Security-Policy of this page forbids WebAssembly; add 'wasm-unsafe-eval' to its script-src directive (${text})`
}

/** The engine that was loaded before, for browsers compile WebAssembly of this size only while somebody waits. */
export function loadEngineNow(): EngineModule {
  if (loaded !== undefined) return loaded
  throw new AckboxError('ERR_ENGINE', 'the engine is not loaded yet: expected `await ready()` or `await open()` before')
}
