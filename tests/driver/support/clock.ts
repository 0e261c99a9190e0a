/**
 * Virtual time that waits for nothing: unlike the manual clock of the package it moves on although the storage has not
 * answered, so a storage may answer late by the same clock.
 */
import type { Clock } from 'ackbox'

interface Timer {
  readonly at: number
  readonly fire: () => void
  ref(): void
  unref(): void
}

/** Turns of the event loop after which everything has run that waits for promises alone. */
const TURNS = 4

export class VirtualClock implements Clock {
  #time = Date.UTC(2030, 0, 1)
  /** Those of the same time fire in the order in which they were set. */
  readonly #timers = new Set<Timer>()

  readonly now = (): number => this.#time

  readonly setTimeout = (fire: () => void, ms: number): Timer => {
    const timer = { at: this.#time + Math.max(0, Math.ceil(ms)), fire, ref() {}, unref() {} }
    this.#timers.add(timer)
    return timer
  }

  readonly clearTimeout = (timer: unknown): void => {
    this.#timers.delete(timer as Timer)
  }

  /** Everything runs that can run now. */
  async turns(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Time passes, and what falls due on the way fires in order. */
  async advance(ms: number): Promise<void> {
    const until = this.#time + ms
    await this.turns()
    for (let timer = this.#first(); timer !== undefined && timer.at <= until; timer = this.#first()) await this.#fire(timer)
    this.#time = until
  }

  /** The next timer fires; false if there is none. */
  async next(): Promise<boolean> {
    await this.turns()
    const timer = this.#first()
    if (timer !== undefined) await this.#fire(timer)
    return timer !== undefined
  }

  async #fire(timer: Timer): Promise<void> {
    this.#time = Math.max(this.#time, timer.at)
    this.#timers.delete(timer)
    timer.fire()
    await this.turns()
  }

  #first(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) if (first === undefined || timer.at < first.at) first = timer
    return first
  }
}
