/**
 * The part of the wasm-bindgen glue that this package uses. The glue itself is generated from
 * bindings/wasm and lies beside the compiled package, so it cannot be read when this is compiled.
 */

export class WasmEngine {
  constructor(nowMs: number, config: unknown, entropy?: Uint8Array)
  reserve(input: number, output: number): void
  inputPointer(): number
  inputLength(): number
  outputPointer(): number
  outputLength(): number
  step(nowMs: number, inputLength: number): number
  more(): boolean
  needed(): number
  call(nowMs: number, ticket: number, request: unknown): unknown
  take(key: number): unknown
  wakeup(): number
  free(): void
}

export class WasmBreaker {
  constructor(
    nowMs: number,
    options: unknown,
    entropy: Uint8Array,
    seed: string | undefined,
    snapshot: unknown,
  )
  permit(nowMs: number): number
  report(permit: number, outcome: number, tookMs: number, nowMs: number): number
  reportSuccesses(permit: number, times: number, nowMs: number): number
  throttle(permit: number, untilMs: number, failed: boolean, nowMs: number): boolean
  advance(nowMs: number): boolean
  decide(decision: number, nowMs: number): boolean
  coolDownFor(ms: number): void
  retryAt(nowMs: number): number
  changes(): unknown
  stats(nowMs: number): unknown
  snapshot(nowMs: number): unknown
}

export function backoffDelay(
  backoff: unknown,
  seed: string,
  id: string,
  attempt: number,
  floorMs: number | undefined,
): number

/** The text of the panic behind a trap. */
export function panicMessage(): string

export interface InitOutput {
  readonly memory: WebAssembly.Memory
}

export function initSync(init: { module: BufferSource | WebAssembly.Module }): InitOutput
