/** The traces of the engine's own tests, through the class of the package; their README tells the form. */
import { CircuitBreaker, RetryAfterError, type BreakerOptions, type CircuitState } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { gate, type Gate } from '../support/clock.ts'
import { BREAKER } from '../support/traces.ts'

/** Instant 0 of every trace. */
const START = 1_600_000_000_000
/** In all files together. */
const CASES_MIN = 140

type Result = 'ok' | 'fail' | 'timeout' | 'ignored' | 'cancelled' | { readonly throttledMs: number; readonly failed?: boolean }

interface Step {
  readonly at: number
  readonly call?: Result
  readonly tookMs?: number
  readonly start?: string
  readonly end?: string
  readonly with?: Result
  readonly refuse?: true
  readonly look?: true
  readonly isolate?: true
  readonly disable?: true
  readonly reset?: true
  readonly restart?: true
  readonly times?: number
  readonly state?: CircuitState
  readonly retryAt?: number | null
  readonly window?: object
  readonly stats?: object
  readonly events?: readonly CircuitState[]
}

interface Case {
  readonly name: string
  readonly options?: BreakerOptions
  readonly steps: readonly Step[]
}

interface Call {
  readonly gate: Gate<Result>
  readonly aborter: AbortController | undefined
  readonly done: Promise<unknown>
}

class Ignored extends Error {}

class Run {
  now = START
  readonly #options: BreakerOptions
  #breaker: CircuitBreaker
  readonly #calls = new Map<string, Call>()
  readonly #cancelled: Set<string | undefined>
  #events: CircuitState[] = []

  constructor({ options = {}, steps }: Case) {
    this.#options = { ...options, isFailure: (error) => !(error instanceof Ignored) }
    this.#cancelled = new Set(steps.filter((step) => step.with === 'cancelled').map((step) => step.end))
    this.#breaker = this.#listenTo(new CircuitBreaker({ ...this.#options, clock: this.#clock }))
  }

  /** Nothing fires: what is due is seen by who looks. */
  get #clock() {
    return { now: () => this.now, setTimeout: () => ({ ref() {}, unref() {} }), clearTimeout() {} }
  }

  async perform(step: Step): Promise<void> {
    this.#events = []
    this.now = START + step.at
    for (let time = 0; time < (step.times ?? 1); time++) {
      if (step.call !== undefined) {
        const call = this.#start(step.call === 'cancelled')
        this.now += step.tookMs ?? 0
        await this.#end(call, step.call)
      } else if (step.start !== undefined) {
        this.#calls.set(step.start, this.#start(this.#cancelled.has(step.start)))
      } else if (step.end !== undefined) {
        await this.#end(this.#calls.get(step.end)!, step.with!)
      } else if (step.refuse === true) {
        await expect(this.#breaker.execute(async () => {})).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' })
      } else {
        this.#decide(step)
      }
    }
    this.#check(step)
  }

  #start(canBeAborted: boolean): Call {
    const call = gate<Result>()
    const aborter = canBeAborted ? new AbortController() : undefined
    const fn = async () => this.#throwFor(await call.promise)
    const done = this.#breaker.execute(fn, aborter === undefined ? undefined : { signal: aborter.signal })
    // What is not let through fails when its end is awaited.
    done.catch(() => {})
    return { gate: call, aborter, done }
  }

  async #end({ gate: call, aborter, done }: Call, result: Result): Promise<void> {
    if (result === 'cancelled') aborter!.abort()
    else call.open(result)
    const error = await done.then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(error).not.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' })
    expect(error === undefined).toBe(result === 'ok')
  }

  #throwFor(result: Result): void {
    if (typeof result === 'object') throw new RetryAfterError(result.throttledMs, { countsAsFailure: result.failed ?? false })
    if (result === 'fail') throw new Error('it failed')
    if (result === 'timeout') throw new DOMException('it took too long', 'TimeoutError')
    if (result === 'ignored') throw new Ignored('it says nothing')
  }

  #decide(step: Step): void {
    const breaker = this.#breaker
    if (step.isolate === true) breaker.isolate()
    else if (step.disable === true) breaker.disable()
    else if (step.reset === true) breaker.reset()
    else if (step.look === true) void breaker.state
    else if (step.restart === true) {
      const json = JSON.stringify(breaker)
      this.#breaker = this.#listenTo(CircuitBreaker.restore(json, { ...this.#options, clock: this.#clock }))
    } else throw new Error('the step does nothing')
  }

  #listenTo(breaker: CircuitBreaker): CircuitBreaker {
    breaker.on('change', ({ to }) => void this.#events.push(to))
    return breaker
  }

  #check(step: Step): void {
    if (step.events !== undefined) expect(this.#events).toEqual(step.events)
    const stats = this.#breaker.stats()
    if (step.state !== undefined) expect(this.#breaker.state).toBe(step.state)
    if (step.retryAt !== undefined) {
      const { retryAt = Infinity } = stats
      expect(retryAt === Infinity ? null : retryAt - START).toBe(step.retryAt)
    }
    if (step.window !== undefined) expect(stats.window).toEqual(step.window)
    if (step.stats !== undefined) expect(stats).toMatchObject(step.stats)
  }
}

const cases = Object.entries(BREAKER).map(([name, cases]) => ({ name, cases: cases as Case[] }))

describe.each(cases)('traces of $name [A7 CircuitBreaker]', ({ cases }) => {
  it.each(cases)('$name', async (trace) => {
    const run = new Run(trace)
    for (const [index, step] of trace.steps.entries()) {
      await run.perform(step).catch((error: unknown) => {
        if (error instanceof Error) error.message = `step ${index}: ${error.message}`
        throw error
      })
    }
  })
})

it('runs all that are there [A7 CircuitBreaker]', () => {
  const names = cases.flatMap(({ cases }) => cases.map(({ name }) => name))
  expect(names.length).toBeGreaterThanOrEqual(CASES_MIN)
})
