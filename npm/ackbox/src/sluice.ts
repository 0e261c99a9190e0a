/**
 * A circuit breaker of the user in front of workers of one box. The engine claims as the breaker stands, which it is told
 * here; a handler starts only with the breaker's leave, for somebody else may have been faster. Queues tell of its changes
 * as of those of any circuit.
 */
import { type BreakerGate, GATE, type GatedBreaker, type GateStanding, type Leave } from './breaker-gate.js'
import { MAX_TIMEOUT_MS, type TimerHandle } from './clock.js'
import type { Driver } from './driver.js'
import type { CircuitChange } from './engine/breaker.js'
import type { Emitter, QueueEvents } from './events.js'

/** A queue with workers behind a breaker. */
export interface GuardedQueue {
  readonly emitter: Emitter<QueueEvents>
}

export class Sluice {
  /** Its number in the engine. */
  readonly number: number
  readonly #driver: Driver
  readonly #breaker: GatedBreaker
  readonly #gate: BreakerGate
  /** The queue of each worker behind it. */
  readonly #queues: GuardedQueue[] = []
  #told: GateStanding | undefined
  /** Each ends something that it listens to. */
  #off: (() => void)[] = []
  #timer: TimerHandle | undefined

  constructor(driver: Driver, breaker: GatedBreaker, number: number) {
    this.#driver = driver
    this.#breaker = breaker
    this.#gate = breaker[GATE]
    this.number = number
  }

  /** A worker of this queue is behind it from now on. */
  join(queue: GuardedQueue): void {
    this.#queues.push(queue)
    if (this.#queues.length > 1) return
    this.#told = undefined
    this.#off = [this.#breaker.on('change', (change) => this.#changed(change)), this.#gate.watch(() => this.#tell())]
    this.#tell()
  }

  /** A worker of this queue is behind it no more. True if it was the last one. */
  part(queue: GuardedQueue): boolean {
    this.#queues.splice(this.#queues.indexOf(queue), 1)
    if (this.#queues.length > 0) return false
    for (const off of this.#off.splice(0)) off()
    this.#clear()
    return true
  }

  /** Leave for one handler, which may take so long; `undefined`: not now. */
  enter(limitMs: number | undefined): Leave | undefined {
    const leave = this.#gate.enter(limitMs)
    // What the engine thought of it was wrong.
    if (leave === undefined) this.#tell()
    return leave
  }

  /** A handler that was to be started is not, though there was a place for it. */
  declined(): void {
    if (this.#told?.level === 'probing') this.#tell()
  }

  /** Each queue is told once, as it is of circuits of the engine. */
  #changed({ from, to, retryAt }: CircuitChange): void {
    if (this.#driver.isEnded) return
    for (const { emitter } of new Set(this.#queues)) emitter.emit('circuit', { destination: undefined, from, to, retryAt })
  }

  #tell(): void {
    if (this.#driver.isEnded || this.#queues.length === 0) return
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

  /** The sluice of a breaker, with one more worker of this queue behind it. */
  join(driver: Driver, breaker: GatedBreaker, queue: GuardedQueue): Sluice {
    let sluice = this.#sluices.get(breaker[GATE])
    if (sluice === undefined) {
      sluice = new Sluice(driver, breaker, ++this.#last)
      this.#sluices.set(breaker[GATE], sluice)
    }
    sluice.join(queue)
    return sluice
  }

  /** One worker of this queue less. */
  part(breaker: GatedBreaker, queue: GuardedQueue): void {
    if (this.#sluices.get(breaker[GATE])?.part(queue) === true) this.#sluices.delete(breaker[GATE])
  }
}

function isSame(standing: GateStanding, other: GateStanding | undefined): boolean {
  return standing.level === other?.level && standing.until === other.until
}
