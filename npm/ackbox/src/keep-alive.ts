/**
 * Keeps the process alive while anybody holds it: an open worker, a dequeue that waits, a close under way.
 * Clocks are injected and their timers never hold the process, so this is one referenced handle of the platform.
 */
import { MAX_TIMEOUT_MS, platform } from './clock.js'

/** Counts holders; without effect where a page lives as long as it likes. */
export class KeepAlive {
  #holders = 0
  #handle: ReturnType<typeof platform.setInterval> | undefined

  hold(): void {
    this.#holders++
    this.#handle ??= platform.setInterval(() => {}, MAX_TIMEOUT_MS)
  }

  release(): void {
    this.#holders--
    if (this.#holders > 0) return
    platform.clearInterval(this.#handle)
    this.#handle = undefined
  }
}
