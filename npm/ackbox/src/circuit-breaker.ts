/** A circuit breaker for calls outside any queue, over one of the engine. */
import type { BackoffFunction } from './backoff.js'
import { type BreakerGate, GATE, type GateStanding, type Leave } from './breaker-gate.js'
import { type BreakerOptions, checkBreakerNames, toEngineBreaker } from './breaker-options.js'
import { type CallResult, resultOf } from './call-result.js'
import { type CircuitEvents, CircuitTeller } from './circuit-events.js'
import { type CircuitBreakerJson, savedOptions, savedState } from './circuit-saving.js'
import { type Clock, systemClock } from './clock.js'
import { checkSeed } from './delay.js'
import {
  type CircuitChange,
  type CircuitSnapshot,
  type CircuitState,
  type CircuitStats,
  DECISION,
  type EngineBreaker,
  OUTCOME,
} from './engine/breaker.js'
import { standaloneEngine } from './engine/standalone.js'
import { messageOf } from './error-info.js'
import { AckboxError, invalidOption } from './errors.js'
import { defaultReport, type ListenOptions } from './events.js'
import { GuardedClock } from './guarded-clock.js'
import { unlessAborted } from './pending.js'
import { type Probe, startProbe } from './probe.js'
import { hasFunctions } from './storage/check-storage.js'
import { untouchedSignal } from './untouched-signal.js'
import { callable, checkNames, duration, MAX_MS, optionalSignal } from './validate.js'

/** Options of a breaker that stands alone. */
export interface CircuitBreakerOptions extends BreakerOptions {
  /** Source of time. Default: the system's. */
  readonly clock?: Clock | undefined
  /** Fixes the jitter of its cooldowns. Default: random. */
  readonly seed?: string | number | undefined
}

/** Options of `execute`. */
export interface ExecuteOptions {
  /** Gives up: the promise rejects with its reason at once, and the call counts as nothing. */
  readonly signal?: AbortSignal | undefined
}

const WHERE = 'CircuitBreaker'
const ENTROPY_BYTES = 16
const PROBE_TIMEOUT_MS_DEFAULT = 30_000
/** What a function that tells the cooldown is replaced by when it fails. */
const COOLDOWN_MS_DEFAULT = 30_000
/** No closed circuit has let calls through since the last change. */
const NONE = -1
/** Successes that are told together at most. */
const UNTOLD_MAX = 65_536

/**
 * Lets calls through while they succeed, and spares a callee that fails.
 *
 * ```ts
 * const breaker = new CircuitBreaker({ failures: 5, cooldownMs: 30_000 })
 * const response = await breaker.execute((signal) => fetch(url, { signal }))
 * ```
 *
 * A call that is not let through rejects with `ERR_CIRCUIT_OPEN`, whose details tell `retryAt`. A breaker needs no timer
 * and no end: it looks at the time when it is asked. While it is half-open, each probe has one, for its deadline.
 *
 * Node makes it at once; a browser needs an open box or `await ready()` before.
 */
export class CircuitBreaker {
  readonly #core: EngineBreaker
  readonly #clock: Clock
  readonly #options: BreakerOptions
  readonly #teller = new CircuitTeller(WHERE)
  readonly #cooldown: BackoffFunction | undefined
  /** Whether it matters how long a call takes. */
  readonly #isTimed: boolean
  /** Whether it matters when a call succeeds. */
  readonly #isByTime: boolean
  #state: CircuitState
  /** The permit for all calls until something changes, if the circuit lets all through. */
  #pass = NONE
  /** The same, while no success can change the state: then they are told together. */
  #calmPass = NONE
  /** Successes that were not told yet; those of a time window are of one millisecond. */
  #untold = 0
  #untoldAt = 0
  #gate: BreakerGate | undefined
  /** Called when it stands otherwise. */
  readonly #watchers = new Set<() => void>()

  /** @throws `ERR_INVALID_OPTION`; `ERR_ENGINE` if no engine is there, or not yet */
  constructor(options?: CircuitBreakerOptions)
  /** @internal */
  constructor(options: CircuitBreakerOptions, saved: CircuitSnapshot)
  constructor(options: CircuitBreakerOptions = {}, saved?: CircuitSnapshot) {
    checkBreakerNames(options, ['clock', 'seed'], WHERE)
    const { clock, seed, ...policy } = options
    if (clock !== undefined && !hasFunctions(clock, ['now', 'setTimeout', 'clearTimeout'])) {
      throw invalidOption('clock to have now, setTimeout and clearTimeout', clock, WHERE)
    }
    checkSeed(seed, WHERE)
    this.#clock = clock === undefined ? systemClock() : new GuardedClock(clock)
    this.#options = Object.freeze(policy)
    this.#isTimed = policy.slowMs !== undefined
    this.#isByTime = policy.window === 'time'
    this.#cooldown = typeof policy.cooldownMs === 'function' ? policy.cooldownMs : undefined
    this.#core = makeCore(policy, seed, this.#clock.now(), saved)
    this.#state = saved?.state ?? 'closed'
  }

  /**
   * The breaker of what `toJSON` gave, or of its text. What was left of a cooldown is still left, and never more than
   * that. Functions are not in it: name them again.
   *
   * @throws `ERR_INVALID_OPTION` if it is something else
   */
  static restore(json: CircuitBreakerJson | string, options: CircuitBreakerOptions = {}): CircuitBreaker {
    const where = `${WHERE}.restore`
    checkBreakerNames(options, ['clock', 'seed'], where)
    const { options: policy, ...snapshot } = savedState(json, where)
    return new CircuitBreaker({ ...policy, ...options }, snapshot)
  }

  /** The state now. */
  get state(): CircuitState {
    this.#advance(this.#clock.now())
    return this.#state
  }

  /**
   * When the next call can be let through, in milliseconds since 1970: of a half-open circuit whose probes are under way
   * at the latest. `undefined` while calls are let through, infinite while it is isolated.
   */
  get retryAt(): number | undefined {
    const now = this.#clock.now()
    this.#advance(now)
    return this.#core.retryAt(now)
  }

  /**
   * Calls a function, if the circuit lets it. The signal that it gets aborts when the one of the options does, and for a
   * probe at its deadline.
   *
   * What it throws is what the promise rejects with. A `RetryAfterError` holds all calls until then, and counts as
   * nothing otherwise unless it says so; a `PermanentError` counts as nothing.
   *
   * @throws `ERR_CIRCUIT_OPEN`
   */
  async execute<R>(fn: (signal: AbortSignal) => R | PromiseLike<R>, options?: ExecuteOptions): Promise<R> {
    callable(fn, 'the function', `${WHERE}: execute`)
    if (options !== undefined) checkExecuteOptions(options)
    const signal = options?.signal
    signal?.throwIfAborted()
    let permit = this.#pass
    let startedAt = 0
    if (permit === NONE || this.#isTimed) {
      startedAt = this.#clock.now()
      if (permit === NONE) permit = this.#acquire(startedAt)
    }
    if (isProbe(permit)) return this.#probe(fn, signal, permit, startedAt)
    let result: R
    try {
      result = await (signal === undefined ? fn(untouchedSignal()) : unlessAborted(call(fn, signal), signal))
    } catch (error) {
      this.#failed(permit, startedAt, error, signal)
      throw error
    }
    if (permit === this.#calmPass) this.#succeeded()
    else this.#report(permit, OUTCOME.success, startedAt, this.#clock.now())
    return result
  }

  /** Lets no call through until `reset`. */
  isolate(): void {
    this.#decide(DECISION.isolate)
  }

  /** Lets all calls through and looks at none until `reset`. */
  disable(): void {
    this.#decide(DECISION.disable)
  }

  /** Closes the circuit: nothing that happened before counts any more. */
  reset(): void {
    this.#decide(DECISION.reset)
  }

  /** What it has seen. */
  stats(): CircuitStats {
    const now = this.#clock.now()
    this.#advance(now)
    return this.#core.stats(now)
  }

  /** All that another process needs to go on with it, functions apart: for {@link CircuitBreaker.restore}. */
  toJSON(): CircuitBreakerJson {
    const now = this.#clock.now()
    this.#advance(now)
    return { ...this.#core.snapshot(now), options: savedOptions(this.#options) }
  }

  /**
   * Listens to an event; what it returns ends that. Listeners are called before the call that caused the event goes on.
   * What one of them does to the breaker holds at once, and is told when all have heard of what was before it.
   */
  on<K extends keyof CircuitEvents>(
    event: K,
    listener: (details: CircuitEvents[K]) => void,
    options?: ListenOptions,
  ): () => void {
    return this.#teller.on(event, listener, options)
  }

  /** @internal What workers have of it. */
  get [GATE](): BreakerGate {
    return (this.#gate ??= {
      clock: this.#clock,
      enter: (limitMs) => this.#enter(limitMs),
      standing: () => this.#standing(),
      watch: (changed) => {
        this.#watchers.add(changed)
        return () => void this.#watchers.delete(changed)
      },
    })
  }

  #enter(limitMs: number | undefined): Leave | undefined {
    const startedAt = this.#clock.now()
    const permit = this.#pass === NONE ? this.#ask(startedAt, limitMs) : this.#pass
    if (permit === NONE) return undefined
    const probe = isProbe(permit) ? this.#startProbe(startedAt, undefined, limitMs) : undefined
    const report = (outcome: number, error?: unknown): void => {
      probe?.end()
      this.#report(permit, outcome, startedAt, this.#clock.now(), error)
    }
    return {
      isProbe: probe !== undefined,
      succeeded: () => (permit === this.#calmPass ? this.#succeeded() : report(OUTCOME.success)),
      failed: (error, isCertain) => {
        const isFailure = isCertain || this.#isFailure(error)
        report(isFailure ? OUTCOME.failure : OUTCOME.ignored, error)
        return isFailure
      },
      timedOut: () => report(OUTCOME.timeout),
      heldUntil: (until, failed, error) => {
        probe?.end()
        this.#hold(permit, until, failed, error, this.#clock.now())
      },
      ignored: () => report(OUTCOME.ignored),
      cancelled: () => report(OUTCOME.cancelled),
    }
  }

  #isFailure(error: unknown): boolean {
    const result = this.#judge(error, this.#clock.now())
    return 'outcome' in result && result.outcome !== OUTCOME.ignored && result.outcome !== OUTCOME.cancelled
  }

  #standing(): GateStanding {
    const now = this.#clock.now()
    this.#advance(now)
    const retryAt = this.#core.retryAt(now)
    const until = retryAt === undefined || retryAt === Infinity ? {} : { until: retryAt }
    const places = this.#state === 'half-open' ? (this.#options.probes ?? 1) - this.#core.stats(now).probes : 0
    switch (this.#state) {
      case 'open':
      case 'isolated':
        return { level: 'broken', places, ...until }
      case 'half-open':
        // A place that is free and may not be taken: the callee asked for time.
        return { level: places > 0 && retryAt !== undefined ? 'waiting' : 'probing', places, ...until }
      default:
        return { level: retryAt === undefined ? 'open' : 'waiting', places, ...until }
    }
  }

  #acquire(now: number): number {
    const permit = this.#ask(now)
    if (permit === NONE) throw this.#refusal(now)
    return permit
  }

  #ask(now: number, limitMs?: number): number {
    const permit = this.#core.permit(now, limitMs)
    if (this.#core.hasChanged) this.#take(undefined, now)
    if (permit === NONE) return NONE
    if (isProbe(permit)) this.#stir()
    else this.#pass = permit
    return permit
  }

  /** Tells those who watch that it may stand otherwise. */
  #stir(): void {
    for (const changed of [...this.#watchers]) changed()
  }

  #refusal(now: number): AckboxError<'ERR_CIRCUIT_OPEN'> {
    const state = this.#state
    const retryAt = this.#core.retryAt(now) ?? now
    this.#teller.rejected(state, retryAt)
    const until = retryAt === Infinity ? 'until reset() is called' : `until ${new Date(retryAt).toISOString()}`
    const what = state === 'open' || state === 'isolated' ? `the circuit is ${state}` : `calls are held (the circuit is ${state})`
    return new AckboxError('ERR_CIRCUIT_OPEN', `${WHERE}: ${what} ${until}`, { details: { retryAt } })
  }

  async #probe<R>(
    fn: (signal: AbortSignal) => R | PromiseLike<R>,
    outer: AbortSignal | undefined,
    permit: number,
    startedAt: number,
  ): Promise<R> {
    const probe = this.#startProbe(startedAt, outer, undefined)
    let result: R
    try {
      result = await unlessAborted(call(fn, probe.signal), outer)
    } catch (error) {
      this.#failed(permit, startedAt, error, outer)
      throw error
    } finally {
      probe.end()
    }
    this.#report(permit, OUTCOME.success, startedAt, this.#clock.now())
    return result
  }

  #startProbe(startedAt: number, outer: AbortSignal | undefined, limitMs = 0): Probe {
    const timeoutMs = Math.ceil(this.#options.probeTimeoutMs ?? Math.max(PROBE_TIMEOUT_MS_DEFAULT, limitMs))
    return startProbe(this.#clock, startedAt + timeoutMs, outer, () => this.#advance(this.#clock.now()))
  }

  #failed(permit: number, startedAt: number, error: unknown, signal: AbortSignal | undefined): void {
    const now = this.#clock.now()
    if (signal?.aborted === true) {
      this.#report(permit, OUTCOME.cancelled, startedAt, now)
      return
    }
    const result = this.#judge(error, now)
    if ('outcome' in result) {
      this.#report(permit, result.outcome, startedAt, now, error)
      return
    }
    this.#hold(permit, result.pausedUntil, result.failed, error, now)
  }

  /** The callee asked for time. */
  #hold(permit: number, until: number, failed: boolean, error: unknown, now: number): void {
    this.#tellSuccesses(now)
    // Whoever comes next has to ask.
    this.#pass = this.#calmPass = NONE
    if (this.#core.throttle(permit, until, failed, now)) this.#take(error, now)
    this.#stir()
  }

  #judge(error: unknown, now: number): CallResult {
    try {
      return resultOf(error, this.#options.isFailure, now)
    } catch (cause) {
      defaultReport(`${WHERE}: isFailure failed`, cause)
      return { outcome: OUTCOME.failure }
    }
  }

  #report(permit: number, outcome: number, startedAt: number, now: number, error?: unknown): void {
    // A call into the engine costs more than what it does there, so both are told with one, if they are of one time.
    const successes = permit === this.#calmPass && !this.#isByTime ? this.#untold : 0
    if (successes > 0) this.#untold = 0
    else this.#tellSuccesses(now)
    const tookMs = this.#isTimed ? Math.max(0, now - startedAt) : 0
    const hasChanged = this.#core.report(permit, outcome, tookMs, now, successes)
    this.#calmPass = this.#core.isCalm && !this.#isTimed ? this.#pass : NONE
    if (hasChanged) this.#take(error, now)
    else if (isProbe(permit)) this.#stir()
  }

  /** A success in a calm circuit. */
  #succeeded(): void {
    if (this.#isByTime) {
      const now = this.#clock.now()
      if (now !== this.#untoldAt) this.#tellSuccesses(now)
      this.#untoldAt = now
    }
    if (++this.#untold === UNTOLD_MAX) this.#tellSuccesses(this.#clock.now())
  }

  /** Comes before anything else that the engine is told or asked. */
  #tellSuccesses(now: number): void {
    if (this.#untold === 0) return
    const times = this.#untold
    this.#untold = 0
    // In a calm circuit this changes nothing that anybody would have to be told of.
    this.#core.reportSuccesses(this.#calmPass, times, this.#isByTime ? this.#untoldAt : now)
  }

  #decide(decision: number): void {
    const now = this.#clock.now()
    this.#tellSuccesses(now)
    this.#pass = this.#calmPass = NONE
    this.#advance(now)
    if (this.#core.decide(decision, now)) this.#take(undefined, now)
    else this.#stir()
  }

  #advance(now: number): void {
    this.#tellSuccesses(now)
    // What lets all calls through changes by no time.
    if (this.#pass === NONE && this.#core.advance(now)) this.#take(undefined, now)
  }

  /** Follows what has changed, and tells of it. */
  #take(error: unknown, now: number): void {
    this.#pass = this.#calmPass = NONE
    const changes = this.#core.changes()
    const told = this.#cooldown === undefined ? changes : changes.map((change) => this.#coolDown(change, error))
    this.#state = told.at(-1)?.to ?? this.#state
    this.#teller.changed(told)
    // A cooldown of which a function told the length may be over already.
    if (this.#cooldown !== undefined && this.#state === 'open') this.#advance(now)
    this.#stir()
  }

  /** Asks the function of the options how long an opening takes. */
  #coolDown(change: CircuitChange, error: unknown): CircuitChange {
    if (change.to !== 'open') return change
    const ms = this.#cooldownMs(error)
    this.#core.coolDownFor(ms)
    return { ...change, retryAt: change.at + ms }
  }

  #cooldownMs(error: unknown): number {
    const where = `${WHERE}: cooldownMs`
    try {
      const { openings } = this.#core.stats(this.#clock.now())
      return duration(this.#cooldown!(openings, error), { min: 0, max: MAX_MS }, 'the delay of the function', where)
    } catch (cause) {
      defaultReport(`${where} failed, ${COOLDOWN_MS_DEFAULT} ms are taken: ${messageOf(cause)}`)
      return COOLDOWN_MS_DEFAULT
    }
  }
}

function makeCore(
  options: BreakerOptions,
  seed: string | number | undefined,
  now: number,
  saved: CircuitSnapshot | undefined,
): EngineBreaker {
  const engineOptions = toEngineBreaker(options, WHERE)
  const entropy = crypto.getRandomValues(new Uint8Array(ENTROPY_BYTES))
  const text = seed === undefined ? undefined : String(seed)
  try {
    return standaloneEngine().createBreaker(now, engineOptions, { entropy, text }, saved)
  } catch (error) {
    if (!AckboxError.is(error, 'ERR_INVALID_OPTION')) throw error
    throw new AckboxError('ERR_INVALID_OPTION', `${WHERE}: ${error.message}`, { cause: error.cause })
  }
}

function checkExecuteOptions(options: ExecuteOptions): void {
  const where = `${WHERE}: execute`
  checkNames(options, ['signal'], where)
  optionalSignal(options.signal, where)
}

/** The low bits of a permit tell its probe. */
function isProbe(permit: number): boolean {
  return permit % 65_536 !== 0
}

async function call<R>(fn: (signal: AbortSignal) => R | PromiseLike<R>, signal: AbortSignal): Promise<R> {
  return fn(signal)
}
