/** The circuits of a worker, as users see them: what the engine says whenever it is asked. */
import type { GatedBreaker } from './breaker-gate.js'
import type { Driver } from './driver.js'
import { type CircuitState, retryAtOf } from './engine/breaker.js'
import type { CircuitInfo } from './engine/objects.js'
import { KEY_BYTES_MAX } from './enqueue-options.js'
import { text } from './validate.js'

/** The circuit of a destination at one instant. */
export interface WorkerCircuitInfo {
  /** `undefined` for messages without one. */
  readonly destination: string | undefined
  readonly state: CircuitState
  /**
   * When an open circuit lets a message through, or when the time is over that the destination asked for, in milliseconds
   * since 1970; `undefined` while messages pass, infinite while it is isolated.
   */
  readonly retryAt: number | undefined
  /** Openings in a row, without a close between them. */
  readonly openings: number
}

/** The circuit of a destination; what it tells is true when it is read. A worker without a breaker has disabled ones. */
export interface WorkerCircuit extends WorkerCircuitInfo {
  /** Lets nothing through until it is reset. */
  isolate(): void
  /**
   * Closes it, whatever it was: nothing that happened before counts any more. A destination that asked for time (`RetryAfterError`)
   * is left alone no longer, by all workers of the `name`.
   * @throws `ERR_INVALID_OPTION` if the worker has no breaker for it, and it did not ask for time
   */
  reset(): void
}

/** All circuits of a worker that something is known of. */
export function circuitsOf(driver: Driver, worker: number): WorkerCircuitInfo[] {
  return driver.call<CircuitInfo[]>({ op: 'circuits', worker }).map(infoOf)
}

/** The circuit of one destination. */
export function circuitOf(
  driver: Driver,
  worker: number,
  hasBreaker: boolean,
  destination: string | undefined,
  where: string,
): WorkerCircuit {
  if (destination !== undefined) text(destination, KEY_BYTES_MAX, 'destination', where)
  const name = destination ?? ''
  const unknown = { destination, state: hasBreaker ? 'closed' : 'disabled', retryAt: undefined, openings: 0 } as const
  const look = (): WorkerCircuitInfo => {
    const [info] = driver.call<CircuitInfo[]>({ op: 'circuits', worker, destination: name })
    return info === undefined ? unknown : infoOf(info)
  }
  const force = (isolate: boolean): void => driver.call({ op: 'forceCircuit', worker, destination: name, isolate })
  return {
    destination,
    get state() {
      return look().state
    },
    get retryAt() {
      return look().retryAt
    },
    get openings() {
      return look().openings
    },
    isolate: () => force(true),
    reset: () => force(false),
  }
}

function infoOf({ destination, state, retryAt, openings }: CircuitInfo): WorkerCircuitInfo {
  return { destination: destination || undefined, state, retryAt: retryAtOf(state, retryAt), openings }
}

/** The breaker of the user in front of all messages of a worker. */
export function circuitAround(breaker: GatedBreaker): WorkerCircuit {
  return {
    destination: undefined,
    get state() {
      return breaker.state
    },
    get retryAt() {
      return breaker.retryAt
    },
    get openings() {
      return breaker.stats().openings
    },
    isolate: () => breaker.isolate(),
    reset: () => breaker.reset(),
  }
}

export function infoOfBreaker(breaker: GatedBreaker): WorkerCircuitInfo {
  const { state, retryAt } = breaker
  return { destination: undefined, state, retryAt, openings: breaker.stats().openings }
}
