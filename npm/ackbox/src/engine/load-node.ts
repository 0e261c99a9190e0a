/** Finds the engine in Node and its like: the native addon where it loads, else WebAssembly. */

import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { AckboxError, invalidOption } from '../errors.js'
import { messageOf } from './bound-engine.js'
import type { EngineKind, EngineModule, LoadOptions, WasmSource } from './engine.js'
import { addonName, loadNative } from './native.js'
import { moduleOf } from './wasm-source.js'

/** Where the build puts the WebAssembly, seen from this file. */
const packagedWasm = new URL('../wasm/ackbox_bg.wasm', import.meta.url)

/**
 * Loads an engine. `ACKBOX_ENGINE` (`native` or `wasm`) comes before `options.engine`; a kind that
 * is asked for by name is never replaced by the other one.
 *
 * Rejects with `ERR_ENGINE`, which says what was tried and why it failed.
 */
export async function loadEngine(options: LoadOptions = {}): Promise<EngineModule> {
  const failures = new Failures()
  for (const kind of candidates(options.engine)) {
    try {
      return kind === 'native' ? loadNative() : await loadWasm(options.wasm)
    } catch (error) {
      failures.add(kind, error)
    }
  }
  throw failures.error()
}

/** The same at once, with the WebAssembly of the package. Throws where `loadEngine` rejects. */
export function loadEngineNow(): EngineModule {
  const failures = new Failures()
  for (const kind of candidates()) {
    try {
      return kind === 'native' ? loadNative() : loadWasmNow()
    } catch (error) {
      failures.add(kind, error)
    }
  }
  throw failures.error()
}

/** What was tried, and why it failed. */
class Failures {
  readonly #texts: string[] = []
  readonly #causes: unknown[] = []

  add(kind: EngineKind, error: unknown): void {
    const what = kind === 'native' ? `native (${addonName()})` : 'wasm'
    // The first line says it; Node adds the stack of requires.
    this.#texts.push(`${what}: ${messageOf(error).split('\n', 1)[0]}`)
    this.#causes.push(error)
  }

  error(): AckboxError<'ERR_ENGINE'> {
    const causes = this.#causes
    return new AckboxError('ERR_ENGINE', `no engine could be loaded: ${this.#texts.join('; ')}`, {
      cause: causes.length === 1 ? causes[0] : new AggregateError(causes),
    })
  }
}

function candidates(option: LoadOptions['engine'] = 'auto'): readonly EngineKind[] {
  const forced = process.env['ACKBOX_ENGINE']
  const [wanted, where] = forced ? [forced, 'ACKBOX_ENGINE'] : [option, 'engine']
  switch (wanted) {
    case 'auto':
      return ['native', 'wasm']
    case 'native':
    case 'wasm':
      return [wanted]
    default:
      throw invalidOption("'native', 'wasm' or 'auto'", wanted, where)
  }
}

async function loadWasm(source: WasmSource = packagedWasm): Promise<EngineModule> {
  // Not loaded where the native addon is: a build without WebAssembly is complete there.
  const { instantiateWasm, loadedWasm } = await import('./wasm.js')
  return loadedWasm() ?? instantiateWasm(await moduleOf(await local(source)))
}

/** The module is the one that an `import` gives: one instance serves those who waited for it and those who did not. */
function loadWasmNow(): EngineModule {
  const { instantiateWasm, loadedWasm } = createRequire(import.meta.url)('./wasm.js') as typeof import('./wasm.js')
  return loadedWasm() ?? instantiateWasm(new WebAssembly.Module(readFileSync(packagedWasm)))
}

/** Files are read: `fetch` of Node knows none. */
async function local(source: WasmSource): Promise<WasmSource> {
  const url = typeof source === 'string' && URL.canParse(source) ? new URL(source) : source
  const isFile = url instanceof URL ? url.protocol === 'file:' : typeof url === 'string'
  return isFile ? readFile(url as URL | string) : url
}
