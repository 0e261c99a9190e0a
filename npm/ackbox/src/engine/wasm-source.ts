/** From the many ways to name the WebAssembly to a compiled module. */

import { invalidOption } from '../errors.js'
import type { WasmSource } from './engine.js'

/** Throws unless it is one of the ways to name the WebAssembly. */
export function checkWasmSource(source: unknown, where: string): void {
  if (typeof source === 'string' || source instanceof URL || isBytes(source) || isModule(source) || isResponse(source)) return
  throw invalidOption('wasm to be a URL, a Response, bytes or a WebAssembly.Module', source, where)
}

/** Fetches and compiles; what is compiled already is taken as it is. */
export async function moduleOf(source: WasmSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source
  if (typeof source === 'string' || source instanceof URL) return moduleOf(await fetch(source))
  if (isBytes(source)) return WebAssembly.compile(source)
  const answer = source as Response
  if (!answer.ok) throw new Error(`${answer.url} answered with status ${answer.status}`)
  // Streaming compilation refuses every type but application/wasm, which many servers do not know.
  return WebAssembly.compile(await answer.arrayBuffer())
}

function isModule(source: unknown): boolean {
  return typeof WebAssembly === 'object' && source instanceof WebAssembly.Module
}

function isBytes(source: unknown): source is BufferSource {
  return source instanceof ArrayBuffer || ArrayBuffer.isView(source)
}

/** Those of polyfills and of other realms as well. */
function isResponse(source: unknown): boolean {
  return typeof source === 'object' && source !== null && typeof (source as Response).arrayBuffer === 'function'
}
