/** The signal of a probe: it aborts when the caller's does, and at the probe's deadline. */
import { type Clock, MAX_TIMEOUT_MS, type TimerHandle } from './clock.js'
import { AckboxError } from './errors.js'

/** A probe under way. */
export interface Probe {
  readonly signal: AbortSignal
  /** Lets go of timer and listener. */
  end(): void
}

/** `expired` is called at the deadline, in milliseconds since 1970, before the signal aborts. */
export function startProbe(clock: Clock, deadline: number, outer: AbortSignal | undefined, expired: () => void): Probe {
  const controller = new AbortController()
  let timer: TimerHandle
  const wait = (): void => {
    timer = clock.setTimeout(look, Math.min(deadline - clock.now(), MAX_TIMEOUT_MS))
    // A probe that hangs is no reason for the process to live.
    timer.unref()
  }
  const look = (): void => {
    if (clock.now() < deadline) return wait()
    expired()
    controller.abort(new AckboxError('ERR_TIMEOUT', 'CircuitBreaker: the probe did not return by its deadline'))
  }
  const abort = (): void => controller.abort(outer?.reason)
  wait()
  outer?.addEventListener('abort', abort)
  return {
    signal: controller.signal,
    end() {
      clock.clearTimeout(timer)
      outer?.removeEventListener('abort', abort)
    },
  }
}
