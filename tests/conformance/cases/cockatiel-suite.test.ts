/**
 * The compiled tests of cockatiel's circuit breaker, which its package ships, run against ours through a thin adapter.
 *
 * Those of its windows look into private fields and report results without calls, so they cannot be run on another breaker; what
 * they show is in the traces.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

import { AckboxError, CircuitBreaker, type CircuitState } from 'ackbox'
import * as chai from 'chai'
import chaiAsPromised from 'chai-as-promised'
import * as sinon from 'sinon'
import sinonChai from 'sinon-chai'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const require = createRequire(import.meta.url)
const SUITE = require.resolve('cockatiel').replace(/index\.js$/, 'CircuitBreakerPolicy.test.js')

/** Cases that want something else, and why we do not. */
const DIFFERENT = new Map([
  ['dedupes half-open tests', 'a call that is no probe is turned away at once; there it waits for the probe, and all that wait start together'],
  ['links parent cancellation token', 'whose signal aborts is let go of at once; there the call that ignores it is waited for'],
])

chai.use(chaiAsPromised)
chai.use(sinonChai)

const STATES = { closed: 0, open: 1, 'half-open': 2, isolated: 3, disabled: 4 } as const satisfies Record<CircuitState, number>
const CircuitBreakerState = { Closed: 0, Open: 1, HalfOpen: 2, Isolated: 3 }

class BrokenCircuitError extends Error {}
class IsolatedCircuitError extends BrokenCircuitError {}
class TaskCancelledError extends Error {}

class ConsecutiveBreaker {
  readonly failures: number

  constructor(failures: number) {
    this.failures = failures
  }
}

type Filter = (error: unknown) => boolean
type Listener = (details?: unknown) => void
type Call = (context: { readonly signal: AbortSignal }) => unknown

/** Ours with the methods of theirs. */
class Policy {
  lastFailure: { error: unknown } | undefined
  readonly #breaker: CircuitBreaker
  #isolations = 0

  constructor(isFailure: Filter, options: { halfOpenAfter: number; breaker: ConsecutiveBreaker }) {
    // Their tests fake the timers, and only after the breaker was made.
    const clock = {
      now: () => Date.now(),
      setTimeout: (fn: () => void, ms: number) => setTimeout(fn, ms),
      clearTimeout: (handle: unknown) => clearTimeout(handle as NodeJS.Timeout),
    }
    const { halfOpenAfter: cooldownMs, breaker } = options
    const note: Filter = (error) => {
      this.lastFailure = { error }
      return isFailure(error)
    }
    this.#breaker = new CircuitBreaker({ failures: breaker.failures, cooldownMs, isFailure: note, clock })
  }

  get state(): number {
    return STATES[this.#breaker.state]
  }

  onBreak(listener: Listener): void {
    this.#breaker.on('change', ({ to }) => {
      if (to === 'isolated') listener({ isolated: true })
      if (to === 'open') listener(this.lastFailure)
    })
  }

  onReset(listener: Listener): void {
    this.#breaker.on('close', () => listener())
  }

  onHalfOpen(listener: Listener): void {
    this.#breaker.on('half-open', () => listener())
  }

  isolate(): { dispose(): void } {
    if (this.#isolations++ === 0) this.#breaker.isolate()
    return {
      dispose: () => {
        if (--this.#isolations === 0) this.#breaker.reset()
      },
    }
  }

  async execute(fn: Call, signal?: AbortSignal): Promise<unknown> {
    try {
      return await this.#breaker.execute((own) => fn({ signal: own }), { signal })
    } catch (error) {
      if (signal?.aborted === true) throw new TaskCancelledError()
      if (!AckboxError.is(error, 'ERR_CIRCUIT_OPEN')) throw error
      throw this.#breaker.state === 'isolated' ? new IsolatedCircuitError() : new BrokenCircuitError()
    }
  }
}

const MODULES: Record<string, unknown> = {
  chai,
  sinon,
  util: require('node:util'),
  './breaker/Breaker': { ConsecutiveBreaker },
  './CircuitBreakerPolicy': { CircuitState: CircuitBreakerState },
  './common/abort': { abortedSignal: AbortSignal.abort() },
  './errors/Errors': { BrokenCircuitError, TaskCancelledError },
  './errors/IsolatedCircuitError': { IsolatedCircuitError },
  './Policy': {
    circuitBreaker: (isFailure: Filter, options: ConstructorParameters<typeof Policy>[1]) => new Policy(isFailure, options),
    handleAll: () => true,
    handleType: (type: new () => Error) => (error: unknown) => error instanceof type,
  },
}

const names: string[] = []

function load(name: string): unknown {
  if (!(name in MODULES)) throw new Error(`their tests want ${name}, which the adapter does not know`)
  return MODULES[name]
}

function register(name: string, test: () => unknown): void {
  names.push(name)
  if (!DIFFERENT.has(name)) it(`${name} [A7 CircuitBreaker]`, async () => void (await test()))
}

const run = new Function('require', 'exports', 'describe', 'it', 'beforeEach', 'afterEach', readFileSync(SUITE, 'utf8'))
run(load, {}, describe, register, beforeEach, afterEach)

it('runs all of them but those that want something else', () => {
  expect(names).toHaveLength(9)
  for (const name of DIFFERENT.keys()) expect(names).toContain(name)
})
