/**
 * How a tab stands to the one that drives: it finds it, notices when it is gone, and takes its place when it is its turn.
 *
 * All tabs wait in turn for the lock of the storage, which the browser gives to the next as soon as a tab ends. A tab that
 * is frozen keeps it: so whoever has work asks whether the driver is there, and takes the lock away if it says nothing for a
 * second. What the frozen one then tries to write meets another epoch and fails, and it stands in line like the others.
 */
import { type Clock, eventLoopTurn, type TimerHandle } from '../clock.js'
import { AckboxError } from '../errors.js'
import type { Channel, Sharing, Storage } from '../storage/storage.js'
import { isFenced } from '../storage/storage.js'
import type { Engine } from '../engine/engine.js'
import { failureOf } from './member.js'
import type { Outgoing } from './outgoing.js'
import { type Envelope, envelopeOf, type FromHub, type FromTab, PROTOCOL } from './protocol.js'
import { Seat } from './seat.js'
import type { Link, TabEngine } from './tab-engine.js'

export interface StandingParts {
  readonly storage: Storage
  readonly sharing: Sharing
  readonly clock: Clock
  readonly createEngine: () => Engine
  /** The name of this tab. */
  readonly tab: string
}

/** No word of the driver for so long: it is frozen. */
const SILENCE_MS = 1_000
/** Who waits for an answer much longer was not there itself. */
const ASLEEP_MS = 3 * SILENCE_MS
/** Whoever has work asks again so long after an answer. */
const ASK_AGAIN_MS = 1_000

export class Standing {
  readonly #parts: StandingParts
  #engine!: TabEngine
  #outgoing!: Outgoing
  #channel: Channel | undefined
  #die = (): void => {}
  #seat: Seat | undefined
  /** The hub that this tab speaks to; itself drives under `#seat`. */
  #hub: string | undefined
  /** Waiting in line for the lock. */
  #line: AbortController | undefined
  /** It was asked whether the driver is there, and no word of it came since. */
  #isAsking = false
  #timer: TimerHandle | undefined
  #ended = false

  constructor(parts: StandingParts) {
    this.#parts = parts
  }

  /** Whether this tab drives. */
  get drives(): boolean {
    return this.#seat?.isOpen === true
  }

  /** Begins to look for the driver, and to wait for its place. */
  async begin(engine: TabEngine, outgoing: Outgoing): Promise<void> {
    this.#engine = engine
    this.#outgoing = outgoing
    this.#channel = this.#parts.sharing.channel((message) => this.#hear(message))
    this.#die = await this.#parts.sharing.live(this.#parts.tab)
    if (this.#ended) return this.#die()
    this.#standInLine()
    this.#send({ say: 'seek' })
    this.worked()
  }

  /** There is work for whoever drives: is it there? */
  worked(): void {
    if (this.#ended || this.#channel === undefined || this.#isAsking || this.#seat !== undefined || !this.#engine.hasWork) return
    this.#isAsking = true
    const askedAt = this.#parts.clock.now()
    this.#send(this.#hub === undefined ? { say: 'seek' } : { say: 'ping', hub: this.#hub })
    this.#after(SILENCE_MS, () => void this.#lookForAnswer(askedAt))
  }

  /** Something was left in the inbox. */
  left(): void {
    if (this.#seat !== undefined) this.#seat.hear({ ackbox: PROTOCOL, from: this.#parts.tab, say: 'left' })
    else this.#send({ say: 'left' })
  }

  /** Leaves in good order. */
  async close(): Promise<void> {
    const seat = this.#seat
    if (seat !== undefined) await seat.close()
    else if (this.#hub !== undefined) this.#send({ say: 'bye', hub: this.#hub })
    await this.end()
  }

  /** Leaves at once. Idempotent. */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    if (this.#timer !== undefined) this.#parts.clock.clearTimeout(this.#timer)
    this.#line?.abort(ended())
    const seat = this.#seat
    this.#seat = undefined
    await seat?.end()
    this.#outgoing.end()
    this.#channel?.close()
    this.#die()
  }

  /** This is the end of the box in this tab. */
  async fail(error: unknown): Promise<void> {
    if (this.#ended) return
    await this.end().catch(() => {})
    this.#engine.fail(failureOf(error))
  }

  #hear(data: unknown): void {
    const message = envelopeOf(data)
    if (message === undefined || this.#ended) return
    if (message.ackbox !== PROTOCOL) return this.#hearOtherVersion(message)
    if (this.#seat !== undefined) return this.#seat.hear(message)
    this.#hearHub(message)
  }

  /** A page that was loaded anew after an update takes the box over from those that were not. */
  #hearOtherVersion({ ackbox, say }: Envelope): void {
    if (say !== 'driving') return
    if (ackbox > PROTOCOL) {
      const message = 'another tab drives the box with a newer version of ackbox; load this page again to get that version'
      void this.fail(new AckboxError('ERR_NEWER_FORMAT', message))
    } else if (this.#seat === undefined) void this.#steal()
  }

  /** A message of whoever drives, to all or to this tab. */
  #hearHub(message: Envelope): void {
    if ('to' in message && message.to !== this.#parts.tab) return
    switch (message.say) {
      case 'driving':
        this.#heard()
        return this.#follow(message.hub, message.isOpen, message.hub !== this.#hub)
      case 'stranger':
        if (message.hub === this.#hub) this.#follow(message.hub, true, true)
        return
      case 'leaving':
        if (message.hub === this.#hub) this.#forget()
        return
      case 'moved':
        this.#heard()
        return this.#outgoing.moved(message.key, message.receipts)
      case 'refused':
        this.#heard()
        return void this.#answer(message)
      default:
    }
    if (!('hub' in message) || message.hub !== this.#hub) return
    if (message.say === 'welcome') this.#engine.welcome(message.report)
    else if (message.say === 'outputs') {
      this.#heard()
      this.#engine.receive(message.outputs)
    } else if (message.say === 'check') this.#send({ say: 'here', hub: message.hub })
  }

  /** What the hub in this tab says of what this tab has left. */
  #hearOwn(message: FromHub): void {
    if (message.say === 'moved') this.#outgoing.moved(message.key, message.receipts)
    else if (message.say === 'refused') void this.#answer(message)
  }

  async #answer({ hub, key, failure }: Extract<FromHub, { say: 'refused' }>): Promise<void> {
    const takenBack = await this.#outgoing.refused(key, failure)
    const answer = { say: 'told', hub, key, takenBack } as const
    if (this.#seat !== undefined) this.#seat.hear({ ackbox: PROTOCOL, from: this.#parts.tab, ...answer })
    else this.#send(answer)
  }

  #follow(hub: string, isOpen: boolean, isNew: boolean): void {
    if (!isNew) return
    if (!isOpen) return this.#engine.disconnect()
    this.#hub = hub
    const link: Link = {
      hello: (calls) => this.#send({ say: 'hello', hub, calls }),
      send: (calls) => this.#send({ say: 'calls', hub, calls }),
    }
    this.#engine.connect(link)
    this.worked()
  }

  #forget(): void {
    this.#hub = undefined
    this.#engine.disconnect()
  }

  #send(message: FromTab | FromHub): void {
    this.#channel?.send({ ackbox: PROTOCOL, from: this.#parts.tab, ...message })
  }

  #after(ms: number, then: () => void): void {
    const { clock } = this.#parts
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer)
    this.#timer = clock.setTimeout(then, ms)
    this.#timer.unref()
  }

  /** A word of the driver: it is there. */
  #heard(): void {
    if (!this.#isAsking) return
    this.#isAsking = false
    this.#after(ASK_AGAIN_MS, () => this.worked())
  }

  async #lookForAnswer(askedAt: number): Promise<void> {
    // What was sent may wait behind the timer.
    await eventLoopTurn()
    if (this.#ended || this.#seat !== undefined || !this.#isAsking) return
    this.#isAsking = false
    if (this.#parts.clock.now() - askedAt > ASLEEP_MS) this.worked()
    else await this.#steal()
  }

  /** Waits for the lock until whoever has it ends. */
  #standInLine(): void {
    const line = (this.#line = new AbortController())
    this.#parts.sharing.own({ steal: false, signal: line.signal, onLost: () => this.#lost() }).then(
      () => this.#drive(),
      (error: unknown) => {
        if (!line.signal.aborted) void this.fail(error)
      },
    )
  }

  async #steal(): Promise<void> {
    if (await this.#parts.sharing.isExclusive()) return this.fail(lockedAlone())
    if (this.#ended || this.#seat !== undefined) return
    this.#line?.abort(ended())
    const line = (this.#line = new AbortController())
    try {
      await this.#parts.sharing.own({ steal: true, signal: line.signal, onLost: () => this.#lost() })
      this.#drive()
    } catch (error) {
      if (!line.signal.aborted) void this.fail(error)
    }
  }

  /** The lock is this tab's. */
  #drive(): void {
    this.#line = undefined
    this.#isAsking = false
    if (this.#ended) return void this.#parts.storage.close().catch(() => {})
    this.#engine.disconnect()
    this.#hub = undefined
    const seat = new Seat(this.#parts, {
      tab: this.#parts.tab,
      engine: this.#engine,
      send: (message) => this.#send(message),
      tell: (message) => this.#hearOwn(message),
      failed: (error) => void this.#unseat(seat, error),
      warned: (warning) => this.#engine.warn(warning),
    })
    this.#seat = seat
    this.#send({ say: 'driving', hub: seat.hub, isOpen: false })
    seat.open().catch((error: unknown) => this.#unseat(seat, error))
  }

  /** Another tab took the lock, for this one said nothing for a while. */
  #lost(): void {
    const seat = this.#seat
    if (seat !== undefined) void this.#standUp(seat)
  }

  /** The engine or its storage has failed. */
  async #unseat(seat: Seat, error: unknown): Promise<void> {
    if (this.#seat !== seat || this.#ended) return
    if (isFenced(error)) return this.#standUp(seat)
    await this.fail(error)
  }

  /** Drives no more, and waits like the others. */
  async #standUp(seat: Seat): Promise<void> {
    if (this.#seat !== seat) return
    this.#seat = undefined
    this.#engine.disconnect()
    await seat.end().catch(() => {})
    if (this.#ended) return
    this.#standInLine()
    this.#send({ say: 'seek' })
    this.worked()
  }
}

function ended(): AckboxError<'ERR_CLOSED'> {
  return new AckboxError('ERR_CLOSED', 'this tab has closed the box')
}

function lockedAlone(): AckboxError<'ERR_LOCKED'> {
  const message = "another tab or worker of this site has the box open and shares it with nobody; open it there with whenLocked 'share' too"
  return new AckboxError('ERR_LOCKED', message, { details: { sameProcess: false } })
}
