/** Listeners: isolated from each other and from the box, told only while no engine output is read. */
import { messageOf } from './error-info.js'
import { platform } from './clock.js'
import { AckboxError, invalidOption, unknownOption } from './errors.js'
import type { RecoveryReport } from './stats.js'
import type { CircuitState } from './engine/breaker.js'
import type { ErrorInfo, Reason } from './types.js'
import { callable, checkNames, flag, isThenable, optionalSignal } from './validate.js'

/** What happens in a queue, wherever it happens. Each is told once it is durable. */
export interface QueueEvents {
  enqueued: { readonly id: string }
  /** A delivery starts. */
  started: { readonly id: string; readonly attempt: number }
  completed: {
    readonly id: string
    readonly attempt: number
    /** From enqueue to the start of this attempt. */
    readonly waitMs: number
    /** From the start to the settlement. */
    readonly handleMs: number
  }
  /**
   * An attempt failed: its handler threw or took too long, or it was rejected. `retry` or `dead` says what follows, behind
   * it; in at-most-once nothing does, unless the body could not be decoded. Not told where no attempt is counted
   * (`RetryAfterError`, a shutdown), nor of a lost lease, which `stalled` tells.
   */
  failed: { readonly id: string; readonly attempt: number; readonly error?: ErrorInfo }
  /** There will be another attempt. */
  retry: {
    readonly id: string
    readonly attempt: number
    readonly delayMs: number
    readonly at: number
    readonly error?: ErrorInfo
  }
  /** A message became a dead letter. */
  dead: { readonly id: string; readonly attempt: number; readonly reason: Reason; readonly error?: ErrorInfo }
  /** A delivery lost its lease, which ends its attempt; `retry` or `dead` says what follows. */
  stalled: { readonly id: string; readonly attempt: number }
  /** An enqueue whose id was known. */
  duplicate: { readonly id: string }
  /** No unfinished message is left: none waits for its time, is ready or is being handled. */
  drained: Record<never, never>
  /** The circuit breaker of a worker changed its state; a `CircuitBreaker` is told of by each queue with a worker behind it. */
  circuit: {
    /** `undefined` for messages without one, and for a `CircuitBreaker`. */
    readonly destination: string | undefined
    readonly from: CircuitState
    readonly to: CircuitState
    /** When an open circuit lets a message through, in milliseconds since 1970; infinite if it is isolated. */
    readonly retryAt: number | undefined
  }
  paused: Record<never, never>
  resumed: Record<never, never>
}

/** What happens in one worker. */
export interface WorkerEvents {
  started: { readonly id: string; readonly attempt: number }
  /** The handler returned or threw; whether the settlement is durable is told by the queue's events. */
  finished: { readonly id: string; readonly attempt: number; readonly handleMs: number; readonly error?: unknown }
  paused: Record<never, never>
  resumed: Record<never, never>
}

/** An oddity that a person should know. */
export interface Warning {
  readonly message: string
  /** Where, if it is about one queue. */
  readonly queue?: string
  readonly cause?: unknown
}

/** What happens to a box. */
export interface BoxEvents {
  /** The box is unusable from now on. Told once. */
  error: AckboxError
  warning: Warning
  /** An existing journal was opened. Who listens later is told then. */
  recovered: RecoveryReport
}

/** Options of `on`. */
export interface ListenOptions {
  /** Ends listening. */
  readonly signal?: AbortSignal | undefined
  /** At most one event. Default false. */
  readonly once?: boolean | undefined
}

/** Registers a listener; what it returns removes it. */
export type Listen<E> = <K extends keyof E>(event: K, listener: (details: E[K]) => void, options?: ListenOptions) => () => void

interface Registration {
  readonly listener: (details: never) => unknown
  readonly off: () => void
  readonly once: boolean
}

/** Listens to every event, by its name. */
export type AnyListener<E> = (event: keyof E & string, details: E[keyof E]) => void

/** The listeners of one box, queue or worker. */
export class Emitter<E extends object> {
  readonly #where: string
  readonly #names: readonly (keyof E & string)[]
  readonly #report: (warning: Warning) => void
  readonly #changed: () => void
  readonly #registrations = new Map<keyof E, Set<Registration>>()
  readonly #any = new Set<AnyListener<E>>()

  /** `changed` is called when an event got its first listener or lost its last. */
  constructor(
    where: string,
    names: readonly (keyof E & string)[],
    report: (warning: Warning) => void,
    changed: () => void = () => {},
  ) {
    this.#where = where
    this.#names = names
    this.#report = report
    this.#changed = changed
  }

  /** Adds a listener. `earlier` is what happened before; it alone is told of that, in a microtask. */
  on<K extends keyof E & string>(
    event: K,
    listener: (details: E[K]) => void,
    options: ListenOptions = {},
    earlier?: E[K],
  ): () => void {
    const where = `${this.#where}: on`
    if (typeof event !== 'string') throw invalidOption('the name of an event', event, where)
    if (!this.#names.includes(event)) throw unknownEvent(event, this.#names, where)
    callable(listener, 'the listener', where)
    checkNames(options, ['signal', 'once'], where)
    optionalSignal(options.signal, where)
    const once = flag(options.once, 'once', where)
    if (options.signal?.aborted === true) return () => {}
    const off = (): void => {
      options.signal?.removeEventListener('abort', off)
      this.#remove(event, registration)
    }
    const registration = { listener, off, once }
    options.signal?.addEventListener('abort', off)
    this.#add(event, registration)
    if (earlier !== undefined) platform.queueMicrotask(() => this.#tell(event, registration, earlier))
    return off
  }

  /** Listens to every event. The listener must not throw. */
  onAny(listener: AnyListener<E>): () => void {
    this.#any.add(listener)
    if (this.#any.size === 1) this.#changed()
    return () => {
      if (this.#any.delete(listener) && this.#any.size === 0) this.#changed()
    }
  }

  /** Whether anybody listens. */
  has(event: keyof E): boolean {
    return this.#any.size > 0 || this.#registrations.has(event)
  }

  /** Tells all listeners of an event; a listener that throws or rejects is reported. */
  emit<K extends keyof E & string>(event: K, details: E[K]): void {
    const registrations = this.#registrations.get(event) ?? []
    for (const registration of [...registrations]) this.#tell(event, registration, details)
    for (const listener of [...this.#any]) listener(event, details)
  }

  #tell<K extends keyof E & string>(event: K, registration: Registration, details: E[K]): void {
    // Another listener may have removed this one in the meantime.
    if (this.#registrations.get(event)?.has(registration) !== true) return
    if (registration.once) registration.off()
    try {
      const returned: unknown = registration.listener(details as never)
      if (isThenable(returned)) Promise.resolve(returned).catch((cause: unknown) => this.#complain(event, cause))
    } catch (cause) {
      this.#complain(event, cause)
    }
  }

  #complain(event: string, cause: unknown): void {
    // A failing listener of warnings cannot be told about itself.
    if (event === 'warning') defaultReport(`${this.#where}: a listener of 'warning' failed`, cause)
    else this.#report({ message: `${this.#where}: a listener of '${event}' failed`, cause })
  }

  #add(event: keyof E, registration: Registration): void {
    const registrations = this.#registrations.get(event)
    if (registrations !== undefined) {
      registrations.add(registration)
      return
    }
    this.#registrations.set(event, new Set([registration]))
    this.#changed()
  }

  #remove(event: keyof E, registration: Registration): void {
    const registrations = this.#registrations.get(event)
    if (registrations?.delete(registration) !== true || registrations.size > 0) return
    this.#registrations.delete(event)
    this.#changed()
  }
}

/** Where errors and warnings go that nobody listens to. */
export function defaultReport(message: string, cause?: unknown): void {
  const text = cause === undefined ? message : `${message}: ${messageOf(cause)}`
  const host = (globalThis as { process?: { emitWarning?: (text: string, type: string) => void } }).process
  if (typeof host?.emitWarning === 'function') host.emitWarning(text, 'AckboxWarning')
  else console.error(`ackbox: ${text}`)
}

function unknownEvent(event: string, names: readonly string[], where: string): AckboxError {
  const { message } = unknownOption(event, names, where)
  const text = message.replace('unknown option', 'unknown event').replace('known options', 'known events')
  return new AckboxError('ERR_INVALID_OPTION', text)
}
