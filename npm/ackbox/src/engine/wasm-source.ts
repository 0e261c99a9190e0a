/** From the many ways to name the WebAssembly to a compiled module. */

import { invalidOption } from '../errors.js'
import type { WasmSource } from './engine.js'

/** Fetches and compiles; what is compiled already is taken as it is. */
export async function moduleOf(source: WasmSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source
  if (typeof source === 'string' || source instanceof URL) return moduleOf(await fetch(source))
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return WebAssembly.compile(source as BufferSource)
  if (!isResponse(source)) {
    throw invalidOption('a URL, a Response, bytes or a WebAssembly.Module', source, 'open: option wasm')
  }
  if (!source.ok) throw new Error(`${source.url} answered with status ${source.status}`)
  // Streaming compilation refuses every type but application/wasm, which many servers do not know.
  return WebAssembly.compile(await source.arrayBuffer())
}

function isResponse(source: object): source is Response {
  return 'arrayBuffer' in source && typeof source.arrayBuffer === 'function'
}
