/**
 * The circuits of the workers of a tab that does not drive, as its hub last told them: with each event of a circuit, when a
 * worker begins, and a moment after each look.
 */
import type { CircuitInfo } from '../engine/objects.js'
import type { Call } from './protocol.js'

export class TabCircuits {
  readonly #known = new Map<number, readonly CircuitInfo[]>()

  /** What is known of a worker, or of one of its destinations. */
  look(worker: number, destination: string | undefined): CircuitInfo[] {
    const known = this.#known.get(worker) ?? []
    return known.filter((circuit) => destination === undefined || circuit.destination === destination)
  }

  told(worker: number, circuits: readonly CircuitInfo[]): void {
    this.#known.set(worker, circuits)
  }

  forget(worker: number): void {
    this.#known.delete(worker)
  }
}

/** Asks a hub for them. */
export function askingForCircuits(worker: number): Call {
  return { request: { op: 'circuits', worker }, ticket: 0 }
}
