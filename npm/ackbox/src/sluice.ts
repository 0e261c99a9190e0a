/**
 * A circuit breaker of the user in front of workers of one box. The engine claims as the breaker stands, which it is told
 * here; a handler starts only with the breaker's leave, for somebody else may have been faster.
 */
import type { BreakerGate, GateStanding, Leave } from './breaker-gate.js'
import { MAX_TIMEOUT_MS, type TimerHandle } from './clock.js'
import type { Driver } from './driver.js'

export class Sluice {
  /** Its number in the engine. */
  readonly number: number
  readonly #driver: Driver
  readonly #gate: BreakerGate
  #workers = 0
  #told: GateStanding | undefined
  #unwatch: (() => void) | undefined
  #timer: TimerHandle | undefined

  constructor(driver: Driver, gate: BreakerGate, number: number) {
    this.#driver = driver
    this.#gate = gate
    this.number = number
  }

  /** A worker is behind it from now on. */
  join(): void {
    if (this.#workers++ > 0) return
    this.#told = undefined
    this.#unwatch = this.#gate.watch(() => this.#tell())
    this.#tell()
  }

  /** A worker is behind it no more. True if it was the last one. */
  part(): boolean {
    if (--this.#workers > 0) return false
    this.#unwatch?.()
    this.#clear()
    return true
  }

  /** Leave for one handler; `undefined`: not now. */
  enter(): Leave | undefined {
    const leave = this.#gate.enter()
    // What the engine thought of it was wrong.
    if (leave === undefined) this.#tell()
    return leave
  }

  /** A handler that was to be started is not, though there was a place for it. */
  declined(): void {
    if (this.#told?.level === 'probing') this.#tell()
  }

  #tell(): void {
    if (this.#driver.isEnded || this.#workers === 0) return
    const standing = this.#gate.standing()
    this.#wait(standing.until)
    // The engine counts places that are taken; when one is free again it has to be told.
    if (standing.level !== 'probing' && isSame(standing, this.#told)) return
    this.#told = standing
    this.#driver.inform({ op: 'setSluice', sluice: this.number, state: standing })
  }

  #wait(until: number | undefined): void {
    this.#clear()
    if (until === undefined) return
    const { clock } = this.#gate
    this.#timer = clock.setTimeout(() => this.#tell(), Math.min(Math.max(until - clock.now(), 0), MAX_TIMEOUT_MS))
    this.#timer.unref()
  }

  #clear(): void {
    if (this.#timer !== undefined) this.#gate.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/** The gates of the workers of one box. */
export class Sluices {
  readonly #sluices = new Map<BreakerGate, Sluice>()
  #last = 0

  /** The sluice of a gate, with one more worker behind it. */
  join(driver: Driver, gate: BreakerGate): Sluice {
    let sluice = this.#sluices.get(gate)
    if (sluice === undefined) {
      sluice = new Sluice(driver, gate, ++this.#last)
      this.#sluices.set(gate, sluice)
    }
    sluice.join()
    return sluice
  }

  /** One worker less. */
  part(gate: BreakerGate): void {
    if (this.#sluices.get(gate)?.part() === true) this.#sluices.delete(gate)
  }
}

function isSame(standing: GateStanding, other: GateStanding | undefined): boolean {
  return standing.level === other?.level && standing.until === other.until
}
