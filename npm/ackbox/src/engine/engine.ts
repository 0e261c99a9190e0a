/**
 * The engine as the driver sees it: the same on native and WebAssembly.
 *
 * Commands and completions are written into `input`; `step` hands them over, and `output` then
 * holds the effects. One turn of the driver:
 *
 * ```ts
 * engine.input.enqueue({ ticket, queue, priority: 0, body })
 * let more
 * do {
 *   more = engine.step(clock.now())
 *   while (engine.output.next()) perform(engine.output)
 * } while (more || engine.input.length > 0)
 * ```
 *
 * Effects may be answered into `input` while they are read: it is another area. `input` grows with
 * what is written and never shrinks: step early when `input.length` gets large. User code must not
 * run before `step` has returned false: until then `call` ends the engine.
 *
 * An engine that throws `ERR_ENGINE` is dead: every call throws the same error from then on. On
 * WebAssembly this ends every engine of the process, since they share one memory.
 */

import type { ErrorCode } from '../errors.js'
import type { BreakerSeed, EngineBreaker } from './breaker.js'
import type { Backoff, BreakerOptions, Config, Request } from './objects.js'
import type { Reader, Writer } from './wire.gen.js'

export type { Config, Request } from './objects.js'

/** Which build of the engine runs. */
export type EngineKind = 'native' | 'wasm'

/** Ticket of requests that are answered at once: no reply comes to it, and no waiter has it. */
export const AT_ONCE = 2 ** 32

/** One engine, which holds the state of one box. */
export interface Engine {
  readonly kind: EngineKind

  /** Where commands and completions are written. The object stays, its memory may move. */
  readonly input: Writer

  /** The effects of the last step, valid until the next. The object stays, its memory may move. */
  readonly output: Reader

  /**
   * Hands over what is in `input`, unless effects of an earlier step are still to come, and fills
   * `output`. True: call it again, after reading `output` and before anything else.
   *
   * @param now milliseconds since the epoch; fractions are cut off
   */
  step(now: number): boolean

  /**
   * Handles a cold request at once, before what waits in `input`: step first where the order
   * matters, and step afterwards in any case. `{ ok }` is the answer, `{}` means that a reply to
   * `ticket` will come, `{ failure }` is a refusal.
   */
  call(now: number, ticket: number, request: Request): CallResult

  /**
   * The object of the reply or notice with this key, once: an answer, or a `Failure` if the
   * reply's code says so.
   */
  take(key: number): unknown

  /** When to step without any input: milliseconds since the epoch, or `Infinity`. */
  wakeup(): number

  /** Of an engine to which outputs come by themselves: calls this when there are some. */
  attach?(wake: () => void): void

  /** False: it is in another tab, and only what is answered under a ticket can be asked. Absent: true. */
  readonly isAtHand?: boolean

  /** Gives its memory back at once. The engine is not used afterwards. Idempotent. */
  free(): void
}

/** What a cold request came to. */
export interface CallResult {
  /** The answer, null where there is nothing to say. */
  ok?: unknown
  failure?: Failure
}

/** A refusal of the engine. */
export interface Failure {
  code: ErrorCode
  message: string
  /** The message that it is about. */
  id?: string
  /** The messages of an atomic unit, in their order. */
  ids?: string[]
  /** Damaged place. */
  segment?: number
  /** Damaged place. */
  offset?: number
}

/** An exclusive lock of the operating system on one file. */
export interface LockHandle {
  /** Gives the lock up. Idempotent; the end of the process does it as well. */
  release(): void
}

/** A loaded build of the engine. */
export interface EngineModule {
  readonly kind: EngineKind

  /**
   * A new engine. Refused options throw an `AckboxError` with the engine's code.
   *
   * @param now milliseconds since the epoch
   * @param entropy 32 random bytes; drawn from the system when left out
   */
  create(now: number, config: Config, entropy?: Uint8Array): Engine

  /**
   * Milliseconds to wait after an attempt, from 1: what a box of this seed waits before it delivers the message with
   * this id again. Above `floorMs`, if that is given, by the jitter alone. A schedule that is none throws
   * `ERR_INVALID_OPTION`.
   */
  backoffDelay(backoff: Backoff, seed: string, id: string, attempt: number, floorMs?: number): number

  /**
   * A breaker that stands alone: closed, or that of a snapshot. What the engine refuses throws an `AckboxError` with
   * its code.
   *
   * @param now milliseconds since the epoch
   */
  createBreaker(now: number, options: BreakerOptions, seed: BreakerSeed, snapshot?: object): EngineBreaker

  /** Locks the file, which must exist; null if another handle holds it. Native only. */
  readonly lockFile?: (path: string) => LockHandle | null
}

/** How to choose and find the engine. */
export interface LoadOptions {
  /** Default `'auto'`: native where it loads, else WebAssembly. */
  engine?: EngineKind | 'auto' | undefined
  /** The WebAssembly, instead of the one in the package. */
  wasm?: WasmSource | undefined
}

/**
 * Where the WebAssembly comes from: an address (`string` or `URL`), a `Response`, its bytes (`ArrayBuffer` or a view of
 * one) or a compiled `WebAssembly.Module`. Named by shape, so that the declarations need no DOM library.
 */
export type WasmSource = string | object
