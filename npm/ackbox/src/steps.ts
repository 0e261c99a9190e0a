/** Steps of one delivery: done once, recorded durably, recalled by later deliveries of their message. */
import type { StepContext } from './api.js'
import { decodeBody, encodeBody } from './codec.js'
import type { Driver } from './driver.js'
import type { BodyView } from './engine/wire.gen.js'
import { messageOf } from './error-info.js'
import { AckboxError } from './errors.js'
import type { LocalOptions } from './queue-options.js'
import { callable, isThenable, text } from './validate.js'
import { unlessEnded } from './waiting.js'

/** Bytes of a step's name. */
const NAME_BYTES_MAX = 256
/** Steps of one message. */
const STEPS_MAX = 1_024
/** Answers to a question about a step. */
const UNKNOWN = 0
const NOTHING = 1

/** The delivery whose steps these are. */
export interface SteppingDelivery {
  readonly token: number
  readonly signal: AbortSignal
  key(name: string): string
  askForKey(name: string): Promise<string>
  /** Throws unless steps may be recorded. */
  checkSteps(): void
}

/** Its queue. */
export interface SteppingQueue {
  readonly local: LocalOptions
  readonly maxBodyBytes: number
}

/** What a step gave: a value, encoded, or nothing. */
type Encoded = string | Uint8Array | undefined

export class Steps {
  readonly #driver: Driver
  readonly #queue: SteppingQueue
  readonly #delivery: SteppingDelivery
  /** Those that run, and those that are done. */
  readonly #names = new Set<string>()
  /** How many are recorded. */
  #recorded: number
  /** How many run now, and will be recorded. */
  #running = 0

  constructor(driver: Driver, queue: SteppingQueue, delivery: SteppingDelivery, recorded: number) {
    this.#driver = driver
    this.#queue = queue
    this.#delivery = delivery
    this.#recorded = recorded
  }

  async run<S>(name: string, step: (context: StepContext) => S | PromiseLike<S>, where: string): Promise<S> {
    checkStepName(name, where)
    callable(step, 'the second argument', where)
    this.#delivery.checkSteps()
    if (this.#names.has(name)) throw sameStepAgain(name, where)
    this.#names.add(name)
    try {
      // Also where none is left that could be recalled: the engine refuses what it could not record.
      const recorded = this.#recorded > 0 ? await this.#recall(name, where) : undefined
      if (recorded !== undefined) return recorded.value as S
      return (await this.#perform(name, step, where)) as S
    } catch (error) {
      // It was not recorded by this delivery: it may be tried again.
      this.#names.delete(name)
      throw error
    }
  }

  /** What an earlier delivery recorded. */
  async #recall(name: string, where: string): Promise<{ readonly value: unknown } | undefined> {
    const { codec } = this.#queue.local
    const { token } = this.#delivery
    let encoded: Encoded
    const answer = await new Promise<unknown>((answered, refused) => {
      const body = (view: BodyView): void => {
        encoded = codec === undefined ? view.bodyText() : view.body().slice()
      }
      this.#driver.send({ body, answered, refused }, (ticket, input) => input.recallStep({ ticket, token, name }))
    })
    if (answer === UNKNOWN) return undefined
    return { value: answer === NOTHING ? undefined : this.#decode(encoded, where) }
  }

  /** Runs it, if there is room for its record: one that cannot be recorded would run in every attempt. */
  async #perform(name: string, step: (context: StepContext) => unknown, where: string): Promise<unknown> {
    this.#delivery.checkSteps()
    if (this.#recorded + this.#running >= STEPS_MAX) throw tooManySteps(name, where)
    this.#running++
    try {
      const value = await this.#runAndRecord(name, step, where)
      this.#recorded++
      return value
    } finally {
      this.#running--
    }
  }

  async #runAndRecord(name: string, step: (context: StepContext) => unknown, where: string): Promise<unknown> {
    const key = this.#driver.isAtHand ? undefined : await this.#delivery.askForKey(name)
    this.#delivery.checkSteps()
    const called = step(new Context(this.#delivery, name, key))
    const given = isThenable(called) ? await unlessEnded(this.#driver, called) : called
    const { codec } = this.#queue.local
    const result = given === undefined ? undefined : encodeBody(given, codec, this.#queue.maxBodyBytes, where, 'result')
    // In front of the record: what could not be read back must not be one.
    const value = this.#decode(result, where)
    this.#delivery.checkSteps()
    const record = { token: this.#delivery.token, name, hasResult: result !== undefined, result }
    await this.#driver.ask((ticket, input) => input.recordStep({ ticket, ...record }))
    return value
  }

  #decode(encoded: Encoded, where: string): unknown {
    if (encoded === undefined) return undefined
    try {
      return decodeBody(encoded, this.#queue.local.codec)
    } catch (cause) {
      throw new AckboxError('ERR_INVALID_BODY', `${where}: the result cannot be decoded: ${messageOf(cause)}`, { cause })
    }
  }
}

class Context implements StepContext {
  readonly #delivery: SteppingDelivery
  readonly #name: string
  /** Known ahead where the engine does not answer at once. */
  readonly #key: string | undefined

  constructor(delivery: SteppingDelivery, name: string, key: string | undefined) {
    this.#delivery = delivery
    this.#name = name
    this.#key = key
  }

  get key(): string {
    return this.#key ?? this.#delivery.key(this.#name)
  }

  get signal(): AbortSignal {
    return this.#delivery.signal
  }
}

/** Checks the name of a step or key. */
export function checkStepName(name: unknown, where: string): asserts name is string {
  text(name, NAME_BYTES_MAX, 'the name', where)
}

function tooManySteps(name: string, where: string): AckboxError<'ERR_INVALID_OPTION'> {
  const message = `${where}: step '${name}': expected at most ${STEPS_MAX} steps of one message`
  return new AckboxError('ERR_INVALID_OPTION', message)
}

/** A name is used twice in one attempt. */
export function sameStepAgain(name: string, where: string): AckboxError<'ERR_INVALID_OPTION'> {
  const message = `${where}: expected each step of an attempt to have a name of its own, got '${name}' again`
  return new AckboxError('ERR_INVALID_OPTION', message)
}
