/**
 * The compiled tests of cockatiel's circuit breaker and backoffs, which its package ships, run against ours through a thin
 * adapter; and against breakers and delays that are wrong, so that none of them can pass for nothing.
 *
 * Those of its windows look into private fields and report results without calls, so they cannot be run on another breaker; what
 * they show is in the traces. A function as a backoff is a function in both packages: there is nothing to run.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

import { AckboxError, CircuitBreaker, constant, type Delays, exponential, schedule, type CircuitState } from 'ackbox'
import * as chai from 'chai'
import chaiAsPromised from 'chai-as-promised'
import * as sinon from 'sinon'
import sinonChai from 'sinon-chai'
import { describe, expect, it } from 'vitest'

const require = createRequire(import.meta.url)
const FOLDER = require.resolve('cockatiel').replace(/index\.js$/, '')
/** Each with how many cases it has. */
const SUITES = new Map([
  ['CircuitBreakerPolicy', 9],
  ['backoff/ConstantBackoff', 1],
  ['backoff/ExponentialBackoff', 1],
  ['backoff/ExponentialBackoffGenerators', 4],
  ['backoff/IterableBackoff', 1],
])

/** Cases that want something else, and why we do not. */
const DIFFERENT = new Map([
  ['dedupes half-open tests', 'a call that is no probe is turned away at once; there it waits for the probe, and all that wait start together'],
  ['links parent cancellation token', 'whose signal aborts is let go of at once; there the call that ignores it is waited for'],
  ['decorrelatedJitterGenerator is sane', 'a delay may be three times the one before, as AWS has it; there twice'],
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
interface PolicyOptions {
  readonly halfOpenAfter: number
  readonly breaker: ConsecutiveBreaker
}

/** Ours with the methods of theirs. */
class Policy {
  lastFailure: { error: unknown } | undefined
  readonly #breaker: CircuitBreaker
  #isolations = 0

  constructor(isFailure: Filter, options: PolicyOptions) {
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

/** A breaker that never opens. */
class NeverOpen {
  readonly state: number = CircuitBreakerState.Closed
  readonly lastFailure = undefined
  onBreak(): void {}
  onReset(): void {}
  onHalfOpen(): void {}
  isolate = (): { dispose(): void } => ({ dispose() {} })
  execute = async (fn: Call): Promise<unknown> => fn({ signal: new AbortController().signal })
}

/** A breaker that lets nothing through. */
class NeverClosed extends NeverOpen {
  override readonly state = CircuitBreakerState.Open
  override execute = async (): Promise<never> => {
    throw new BrokenCircuitError()
  }
}

/** One delay after the other, as theirs are asked for. */
class Chain {
  readonly #delays: Delays
  readonly #attempt: number

  constructor(delays: Delays, attempt = 0) {
    this.#delays = delays
    this.#attempt = attempt
  }

  get duration(): number {
    return this.#delays.delay(this.#attempt)
  }

  next(): Chain {
    return new Chain(this.#delays, this.#attempt + 1)
  }
}

/** What their tests are run against. */
interface Subject {
  readonly policy: new (isFailure: Filter, options: PolicyOptions) => object
  readonly delays: (ours: Delays) => Delays
}

const OURS: Subject = { policy: Policy, delays: (ours) => ours }
const WRONG: readonly Subject[] = [
  { policy: NeverOpen, delays: () => ({ delay: () => -1 }) },
  { policy: NeverClosed, delays: () => ({ delay: () => -1 }) },
]

type GeneratorOptions = { readonly initialDelay: number; readonly exponent: number; readonly maxDelay: number }

/** The modules that their tests load. */
function modulesFor({ policy, delays }: Subject): Record<string, unknown> {
  const backoff = (make: (argument: never) => Delays) =>
    class extends Chain {
      constructor(argument: never) {
        super(delays(make(argument)))
      }
    }
  const generator = (jitter: 'none' | 'full' | 'equal' | 'decorrelated') => (attempt = 1, options: GeneratorOptions) => {
    const { initialDelay: baseMs, exponent: factor, maxDelay: capMs } = options
    return [delays(exponential({ baseMs, factor, capMs, jitter })).delay(attempt), attempt + 1]
  }
  const circuitBreaker = (isFailure: Filter, options: PolicyOptions): object => new policy(isFailure, options)
  return {
    chai,
    sinon,
    util: require('node:util'),
    './breaker/Breaker': { ConsecutiveBreaker },
    './CircuitBreakerPolicy': { CircuitState: CircuitBreakerState },
    './common/abort': { abortedSignal: AbortSignal.abort() },
    './errors/Errors': { BrokenCircuitError, TaskCancelledError },
    './errors/IsolatedCircuitError': { IsolatedCircuitError },
    './Policy': {
      circuitBreaker,
      handleAll: () => true,
      handleType: (type: new () => Error) => (error: unknown) => error instanceof type,
    },
    './ConstantBackoff': { ConstantBackoff: backoff((ms) => constant(ms)) },
    './IterableBackoff': { IterableBackoff: backoff((delaysMs) => schedule(delaysMs)) },
    // Its defaults.
    './ExponentialBackoff': { ExponentialBackoff: backoff(() => exponential({ baseMs: 128, capMs: 30_000, jitter: 'none' })) },
    './ExponentialBackoffGenerators': {
      noJitterGenerator: generator('none'),
      fullJitterGenerator: generator('full'),
      halfJitterGenerator: generator('equal'),
      decorrelatedJitterGenerator: generator('decorrelated'),
    },
  }
}

interface Case {
  readonly name: string
  readonly run: () => Promise<void>
}

type Step = () => unknown

/** The cases of one of their files, each with what is done before and after it. */
function casesOf(suite: string, subject: Subject): Case[] {
  const modules = modulesFor(subject)
  const found: Case[] = []
  const before: Step[] = []
  const after: Step[] = []
  const load = (name: string): unknown => {
    if (name === './Backoff.test') return evaluate('backoff/Backoff')
    if (!(name in modules)) throw new Error(`their tests want ${name}, which the adapter does not know`)
    return modules[name]
  }
  const register = (name: string, test: Step): void => {
    const run = async (): Promise<void> => {
      try {
        for (const step of before) await step()
        await test()
      } finally {
        for (const step of after) await step()
      }
    }
    found.push({ name, run })
  }
  const evaluate = (file: string): object => {
    const code = readFileSync(`${FOLDER}${file}.test.js`, 'utf8')
    const exports = {}
    const globals = ['require', 'exports', 'describe', 'it', 'beforeEach', 'afterEach']
    const open = (_name: string, body: Step): unknown => body()
    new Function(...globals, code)(load, exports, open, register, (step: Step) => before.push(step), (step: Step) => after.push(step))
    return exports
  }
  evaluate(suite)
  return found
}

describe.each([...SUITES])("cockatiel's %s", (suite, count) => {
  const cases = casesOf(suite, OURS)
  const ours = cases.filter(({ name }) => !DIFFERENT.has(name))

  it('has the cases that are expected', () => expect(cases).toHaveLength(count))

  it.each(ours)('$name [A7 CircuitBreaker]', ({ run }) => run())

  it.each(ours)('$name: fails for what is wrong', async ({ name }) => {
    const refusals: unknown[] = []
    // One after the other: they fake the timers of the process.
    for (const subject of WRONG) {
      const wrong = casesOf(suite, subject).find((other) => other.name === name)!
      await wrong.run().catch((error: unknown) => refusals.push(error))
    }
    expect(refusals).not.toEqual([])
    for (const error of refusals) expect(error instanceof BrokenCircuitError || error instanceof chai.AssertionError).toBe(true)
  })
})

it('what is different is there', () => {
  const names = [...SUITES.keys()].flatMap((suite) => casesOf(suite, OURS).map(({ name }) => name))
  for (const name of DIFFERENT.keys()) expect(names).toContain(name)
})
