/**
 * The engine as WebAssembly. All engines of a process share one instance and one memory: another
 * engine may move this one's views, and a panic in one ends them all.
 */

import { backoffDelay, initSync, panicMessage, WasmBreaker, WasmEngine } from '../wasm/ackbox.js'
import { BoundEngine, construct, createGuard, messageOf, unlessRefused } from './bound-engine.js'
import type { Memory } from './bound-engine.js'
import { EngineBreaker, plainSnapshot } from './breaker.js'
import type { EngineModule } from './engine.js'
import { plain } from './plain.js'
import type { Area } from './records.js'

let loaded: EngineModule | undefined

/** The module that was instantiated before, if there is one: a process has one instance. */
export function loadedWasm(): EngineModule | undefined {
  return loaded
}

/** Instantiates the WebAssembly. */
export function instantiateWasm(module: BufferSource | WebAssembly.Module): EngineModule {
  if (loaded !== undefined) return loaded
  const { memory } = initSync({ module })
  const guard = createGuard((error) => panicMessage() || messageOf(error))
  loaded = {
    kind: 'wasm',
    create(now, config, entropy) {
      const binding = construct(guard, config, (object) => new WasmEngine(now, object, entropy))
      return new BoundEngine('wasm', binding, new SharedMemory(memory, binding), guard)
    },
    backoffDelay: (backoff, seed, id, attempt, floorMs) =>
      unlessRefused(guard, () => backoffDelay(backoff, seed, id, attempt, floorMs)),
    createBreaker(now, options, { entropy, text }, snapshot) {
      const object = plain(options, 'breaker')
      const saved = plainSnapshot(snapshot)
      const binding = unlessRefused(guard, () => new WasmBreaker(now, object, entropy, text, saved))
      return new EngineBreaker(binding, guard)
    },
  }
  return loaded
}

/** Areas inside the memory of the instance. */
class SharedMemory implements Memory {
  input!: Area
  output!: Area
  readonly #memory: WebAssembly.Memory
  readonly #binding: WasmEngine
  #stale = false

  constructor(memory: WebAssembly.Memory, binding: WasmEngine) {
    this.#memory = memory
    this.#binding = binding
    this.#locate()
  }

  reserve(input: number, output: number): void {
    this.#binding.reserve(input, output)
    this.#stale = true
  }

  moved(): boolean {
    if (!this.#stale && this.input.buffer === this.#memory.buffer) return false
    this.#stale = false
    this.#locate()
    return true
  }

  #locate(): void {
    const binding = this.#binding
    const { buffer } = this.#memory
    this.input = { buffer, offset: binding.inputPointer(), length: binding.inputLength() }
    this.output = { buffer, offset: binding.outputPointer(), length: binding.outputLength() }
  }
}
