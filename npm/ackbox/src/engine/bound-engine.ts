/**
 * What both engines have in common on this side of the boundary: areas that grow, outputs that
 * come in several steps, and an end after the first failure.
 */

import { AckboxError } from '../errors.js'
import type { CallResult, Config, Engine, EngineKind, Request } from './engine.js'
import { plain } from './plain.js'
import type { Area } from './records.js'
import { Reader, Writer } from './wire.gen.js'

/** The methods that both bindings export under the same names. */
export interface Binding {
  step(nowMs: number, inputLength: number): number
  more(): boolean
  needed(): number
  call(nowMs: number, ticket: number, request: unknown): unknown
  take(key: number): unknown
  wakeup(): number
  free(): void
}

/** The memory through which a binding is spoken to. */
export interface Memory {
  /** Bytes that commands are written to. */
  readonly input: Area
  /** Bytes that effects are read from. */
  readonly output: Area
  /** Makes the areas at least this long; what the input holds comes along. */
  reserve(input: number, output: number): void
  /** Whether the areas lie elsewhere since the last time that this was asked. */
  moved(): boolean
}

/** Runs a part of the binding; turns a panic into the error that ends the engine. */
export type Guard = <T>(run: () => T) => T

/** An engine over a binding and its memory. */
export class BoundEngine implements Engine {
  readonly kind: EngineKind
  readonly input: Writer
  readonly output: Reader
  #binding: Binding
  readonly #memory: Memory
  readonly #guard: Guard
  #more = false

  constructor(kind: EngineKind, binding: Binding, memory: Memory, guard: Guard) {
    this.kind = kind
    this.#binding = binding
    this.#memory = memory
    this.#guard = guard
    this.output = new Reader(memory.output)
    this.input = new Writer(memory.input, (length) => this.#reserve(length, 0))
  }

  step(now: number): boolean {
    return this.#guard(() => {
      let written = this.#binding.step(now, this.#more ? 0 : this.input.length)
      if (!this.#more) this.input.clear()
      this.#more = this.#binding.more()
      const needed = this.#more ? this.#binding.needed() : 0
      if (needed > 0) {
        this.#reserve(0, needed)
        written = this.#binding.step(now, 0)
        this.#more = this.#binding.more()
      }
      this.#follow()
      this.output.rewind(written)
      return this.#more
    })
  }

  call(now: number, ticket: number, request: Request): CallResult {
    const object = plain(request, 'request')
    return this.#guard(() => {
      const result = this.#binding.call(now, ticket, object)
      this.#follow()
      return result as CallResult
    })
  }

  take(key: number): unknown {
    return this.#guard(() => {
      const object = this.#binding.take(key)
      this.#follow()
      return object
    })
  }

  wakeup(): number {
    return this.#guard(() => this.#binding.wakeup())
  }

  free(): void {
    const binding = this.#binding
    this.#binding = freed
    try {
      this.#guard(() => binding.free())
    } catch {
      // What panicked cannot be freed: its memory goes with the process.
    }
  }

  #reserve(input: number, output: number): void {
    this.#guard(() => this.#memory.reserve(input, output))
    this.#follow()
  }

  /** Memory of WebAssembly moves when it grows, and it grows in any call. */
  #follow(): void {
    if (!this.#memory.moved()) return
    this.input.attach(this.#memory.input)
    this.output.attach(this.#memory.output)
  }
}

const afterFree = (): never => {
  throw new Error('it was freed')
}

/** Stands where a binding was, so that a late call is an error and not an access to freed memory. */
const freed: Binding = {
  step: afterFree,
  more: afterFree,
  needed: afterFree,
  call: afterFree,
  take: afterFree,
  wakeup: afterFree,
  free() {},
}

/** Ends everything that shares it with the first panic: what panicked is never called again. */
export function createGuard(explain: (error: unknown) => string): Guard {
  let broken: AckboxError<'ERR_ENGINE'> | undefined
  return (run) => {
    if (broken !== undefined) throw broken
    try {
      return run()
    } catch (error) {
      broken ??= new AckboxError('ERR_ENGINE', `the engine failed: ${explain(error)}`, { cause: error })
      throw broken
    }
  }
}

/** Makes a binding. */
export function construct<T>(guard: Guard, config: Config, make: (config: unknown) => T): T {
  const object = plain(config, 'configuration')
  return unlessRefused(guard, () => make(object))
}

/** Calls a binding; an error with a code of the contract is a refusal, all others are failures. */
export function unlessRefused<T>(guard: Guard, call: () => T): T {
  let refusal: unknown
  const made = guard(() => {
    try {
      return call()
    } catch (error) {
      if (codeOf(error) !== 'ERR_INVALID_OPTION') throw error
      refusal = error
      return undefined
    }
  })
  if (made === undefined) throw new AckboxError('ERR_INVALID_OPTION', messageOf(refusal), { cause: refusal })
  return made
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
