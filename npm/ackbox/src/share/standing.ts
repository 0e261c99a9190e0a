/**
 * How a tab stands to the one that drives: it finds it, notices when it is gone, and takes its place when it is its turn.
 *
 * All tabs wait in turn for the lock of the storage, which the browser gives to the next as soon as a tab ends. A tab that
 * is frozen keeps it: so the lock of one that is silent is taken away. What the frozen one then tries to write meets another
 * epoch and fails, and it stands in line like the others; what it still says is passed over for its epoch as well.
 */
import type { Clock } from '../clock.js'
import { AckboxError } from '../errors.js'
import type { Channel, Sharing, Storage, StorageOwner } from '../storage/storage.js'
import { isFenced } from '../storage/storage.js'
import type { Engine } from '../engine/engine.js'
import { onLeaving } from '../page-life.js'
import { Asking } from './asking.js'
import { failureOf } from './member.js'
import type { Outgoing } from './outgoing.js'
import { type Envelope, envelopeOf, type FromHub, type FromTab, PROTOCOL } from './protocol.js'
import { Seat } from './seat.js'
import type { TabEngine } from './tab-engine.js'

export interface StandingParts {
  readonly storage: Storage
  readonly sharing: Sharing
  readonly clock: Clock
  readonly createEngine: () => Engine
  /** The name of this tab. */
  readonly tab: string
  /** How long it waits for a tab that shares with nobody. */
  readonly lockWaitMs: number
}

export class Standing {
  readonly #parts: StandingParts
  readonly #asking: Asking
  #engine!: TabEngine
  #outgoing!: Outgoing
  #channel: Channel | undefined
  #die = (): void => {}
  #seat: Seat | undefined
  /** It drove, and what it had there is being put away. */
  #isStandingUp = false
  /** The hub that this tab speaks to; itself drives under `#seat`. */
  #hub: string | undefined
  /** How often this tab said hello. */
  #session = 0
  /** The latest owner that was heard of. */
  #epoch = 0
  /** That hub has no room for new messages. */
  #isFull = false
  /** Waiting in line for the lock. */
  #line: AbortController | undefined
  #begunAt = 0
  /** Its page is being left, or kept aside. */
  #isAway = false
  #forgetPage = (): void => {}
  #isClosing = false
  #ended = false

  constructor(parts: StandingParts) {
    this.#parts = parts
    this.#asking = new Asking(parts.clock, {
      isConcerned: () => this.#mayTake && this.#engine.hasWork,
      ask: () => this.#seek(),
      owner: () => parts.sharing.owner(),
      silent: (owner) => this.#silent(owner),
    })
  }

  /** Whether there is no room for new messages, as far as is known. */
  get full(): boolean {
    return this.#seat?.isOpen === true ? this.#parts.storage.full === true : this.#isFull
  }

  /** Begins to look for the driver, and to wait for its place. */
  async begin(engine: TabEngine, outgoing: Outgoing): Promise<void> {
    this.#engine = engine
    this.#outgoing = outgoing
    this.#begunAt = this.#parts.clock.now()
    // A driver that hears of this tab looks whether it lives.
    this.#die = await this.#parts.sharing.live(this.#parts.tab)
    if (this.#ended) return this.#die()
    this.#forgetPage = onLeaving(
      () => this.#leavePage(),
      () => this.#comeBack(),
    )
    this.#lookOut()
  }

  /** There is work for whoever drives: is it there? */
  worked(): void {
    this.#asking.begin()
  }

  /** Something was left in the inbox. */
  left(): void {
    if (this.#seat !== undefined) this.#seat.hear({ ackbox: PROTOCOL, from: this.#parts.tab, say: 'left' })
    else this.#send({ say: 'left' })
  }

  /** Leaves in good order. */
  async close(): Promise<void> {
    this.#isClosing = true
    const seat = this.#seat
    if (seat !== undefined) await seat.close()
    else if (this.#hub !== undefined) this.#send({ say: 'bye', hub: this.#hub })
    await this.end()
  }

  /** Leaves at once. Idempotent. */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#forgetPage()
    this.#asking.end()
    this.#line?.abort(ended())
    const seat = this.#seat
    this.#seat = undefined
    await seat?.end()
    this.#outgoing.end()
    this.#channel?.close()
    this.#channel = undefined
    this.#die()
  }

  /** This is the end of the box in this tab. */
  async fail(error: unknown): Promise<void> {
    if (this.#ended) return
    await this.end().catch(() => {})
    this.#engine.fail(failureOf(error))
  }

  get #mayTake(): boolean {
    return this.#channel !== undefined && this.#seat === undefined && !this.#isStandingUp
  }

  #hear(data: unknown): void {
    const message = envelopeOf(data)
    if (message === undefined || this.#ended) return
    if (message.ackbox !== PROTOCOL) return this.#hearOtherVersion(message)
    const seat = this.#seat
    if (seat === undefined) return this.#hearHub(message)
    // It was robbed while it slept.
    const isPast = message.say === 'driving' && message.isOpen && message.epoch > seat.epoch
    if (!isPast) return seat.hear(message)
    void this.#standUp(seat)
    this.#hearHub(message)
  }

  /** A page that was loaded anew after an update takes the box over from those that were not. */
  #hearOtherVersion({ ackbox, say }: Envelope): void {
    if (say !== 'driving') return
    if (ackbox > PROTOCOL) {
      const message = 'another tab drives the box with a newer version of ackbox; load this page again to get that version'
      void this.fail(new AckboxError('ERR_NEWER_FORMAT', message))
    } else void this.#steal()
  }

  /** A message of whoever drives, to all or to this tab. */
  #hearHub(message: Envelope): void {
    if ('to' in message && message.to !== this.#parts.tab) return
    switch (message.say) {
      case 'driving':
        return this.#hearDriver(message)
      case 'leaving':
        if (message.hub === this.#hub) this.#forget()
        return
      case 'moved':
        this.#asking.heard()
        return this.#outgoing.moved(message.key, message.receipts)
      case 'refused':
        this.#asking.heard()
        return void this.#answer(message)
      default:
    }
    if (!('hub' in message) || message.hub !== this.#hub) return
    switch (message.say) {
      case 'welcome':
        return this.#engine.welcome(message.report)
      case 'stranger':
        if (message.session === this.#session) this.#follow(message.hub)
        return
      case 'outputs':
        this.#asking.heard()
        if (message.session === this.#session) this.#engine.receive(message.outputs)
        return
      case 'check':
        return this.#send({ say: 'here', hub: message.hub })
      default:
    }
  }

  #hearDriver({ hub, isOpen, epoch, isFull }: Extract<FromHub, { say: 'driving' }>): void {
    // One that was robbed, and does not know yet.
    if (isOpen && epoch < this.#epoch) return
    this.#asking.heard()
    if (isOpen) this.#isFull = isFull
    if (hub === this.#hub) return
    if (!isOpen) return this.#forget()
    this.#epoch = epoch
    this.#follow(hub)
  }

  /** What the hub in this tab says of what this tab has left. */
  #hearOwn(message: FromHub): void {
    if (message.say === 'moved') this.#outgoing.moved(message.key, message.receipts)
    else if (message.say === 'refused') void this.#answer(message)
  }

  async #answer({ hub, key, epoch, failure }: Extract<FromHub, { say: 'refused' }>): Promise<void> {
    const takenBack = await this.#outgoing.refused(key, epoch, failure)
    const answer = { say: 'told', hub, key, takenBack } as const
    if (this.#seat !== undefined) this.#seat.hear({ ackbox: PROTOCOL, from: this.#parts.tab, ...answer })
    else this.#send(answer)
  }

  /** Says hello to a hub, which knows nothing of this tab. */
  #follow(hub: string): void {
    const session = ++this.#session
    this.#hub = hub
    this.#engine.connect({
      hello: (calls) => this.#send({ say: 'hello', hub, session, calls }),
      send: (calls) => this.#send({ say: 'calls', hub, session, calls }),
    })
    this.#asking.begin()
  }

  #forget(): void {
    this.#hub = undefined
    this.#isFull = false
    this.#engine.disconnect()
  }

  #seek(): void {
    const hub = this.#hub
    this.#send({ say: 'seek', session: this.#session, ...(hub === undefined ? {} : { hub }) })
  }

  #send(message: FromTab | FromHub): void {
    this.#channel?.send({ ackbox: PROTOCOL, from: this.#parts.tab, ...message })
  }

  /** Waits for the lock until whoever has it ends. */
  #standInLine(): void {
    this.#own(false)
  }

  #silent({ isExclusive }: StorageOwner): void {
    if (!this.#mayTake) return
    if (!isExclusive) return this.#steal()
    const { clock, lockWaitMs } = this.#parts
    const waitedMs = clock.now() - this.#begunAt
    if (waitedMs < lockWaitMs) this.#asking.begin()
    else void this.fail(lockedAlone(waitedMs))
  }

  #steal(): void {
    if (this.#mayTake) this.#own(true)
  }

  /** In line for the lock, or in front of it. */
  #own(steal: boolean): void {
    this.#line?.abort(ended())
    const line = (this.#line = new AbortController())
    this.#parts.sharing.own({ steal, signal: line.signal, onLost: () => this.#lost() }).then(
      () => this.#drive(),
      (error: unknown) => {
        if (!line.signal.aborted) void this.fail(error)
      },
    )
  }

  /** The lock is this tab's. */
  #drive(): void {
    this.#line = undefined
    this.#asking.end()
    if (this.#ended) return void this.#parts.storage.close().catch(() => {})
    this.#forget()
    const seat = new Seat(this.#parts, {
      tab: this.#parts.tab,
      engine: this.#engine,
      send: (message) => this.#send(message),
      tell: (message) => this.#hearOwn(message),
      failed: (error) => void this.#unseat(seat, error),
      warned: (warning) => this.#engine.warn(warning),
    })
    this.#seat = seat
    seat.open().catch((error: unknown) => this.#unseat(seat, error))
  }

  /** Another tab took the lock, for this one said nothing for a while. */
  #lost(): void {
    const seat = this.#seat
    if (seat !== undefined) void this.#standUp(seat)
  }

  /** The engine or its storage has failed. */
  async #unseat(seat: Seat, error: unknown): Promise<void> {
    if (this.#seat !== seat || this.#isClosing || this.#ended) return
    if (isFenced(error)) return this.#standUp(seat)
    await this.fail(error)
  }

  /** Drives no more, and waits like the others. */
  async #standUp(seat: Seat): Promise<void> {
    if (this.#seat !== seat || this.#isClosing) return
    this.#seat = undefined
    this.#isStandingUp = true
    this.#epoch = Math.max(this.#epoch, seat.epoch)
    this.#engine.disconnect()
    await seat.end().catch(() => {})
    this.#isStandingUp = false
    if (!this.#ended && !this.#isAway) this.#lookOut()
  }

  /** Looks for the driver, and for its own place. */
  #lookOut(): void {
    this.#channel ??= this.#parts.sharing.channel((message) => this.#hear(message))
    this.#standInLine()
    this.#seek()
    this.#asking.begin()
  }

  /**
   * The browser cuts off what handlers are doing. How they end is about the page and not about their messages, so others
   * get those at once.
   */
  #leavePage(): void {
    if (this.#ended || this.#isAway) return
    this.#isAway = true
    this.#asking.end()
    this.#line?.abort(ended())
    const seat = this.#seat
    if (seat !== undefined) void this.#standUp(seat)
    else if (this.#hub !== undefined) this.#send({ say: 'bye', hub: this.#hub })
    this.#forget()
    // A page that is kept aside must not be spoken to.
    this.#channel?.close()
    this.#channel = undefined
  }

  #comeBack(): void {
    if (!this.#isAway) return
    this.#isAway = false
    if (!this.#ended && !this.#isStandingUp) this.#lookOut()
  }
}

function ended(): AckboxError<'ERR_CLOSED'> {
  return new AckboxError('ERR_CLOSED', 'this tab has closed the box')
}

function lockedAlone(waitedMs: number): AckboxError<'ERR_LOCKED'> {
  const message =
    'another tab or worker of this site has the box open and shares it with nobody; ' +
    `open it there with whenLocked 'share' too; waited for it for ${waitedMs} ms`
  return new AckboxError('ERR_LOCKED', message, { details: { sameProcess: false } })
}
