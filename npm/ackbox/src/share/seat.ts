/**
 * The seat of the driver: the real engine on the storage, with its hub and its mover, from when this tab owns the storage
 * until it does not.
 */
import { type Clock, registerBusy, type TimerHandle } from '../clock.js'
import { Driver } from '../driver.js'
import type { Engine } from '../engine/engine.js'
import type { OpenReport } from '../engine/objects.js'
import { AckboxError } from '../errors.js'
import type { Warning } from '../events.js'
import { announceRelease } from '../lock-wait.js'
import { checkSegments } from '../storage-port.js'
import { isFenced, type Sharing, type Storage } from '../storage/storage.js'
import { Hub } from './hub.js'
import type { Member } from './member.js'
import { Mover } from './mover.js'
import type { Envelope, FromHub, Output } from './protocol.js'
import type { Link, TabEngine } from './tab-engine.js'

/** What a seat is made on. */
export interface SeatParts {
  readonly storage: Storage
  readonly sharing: Sharing
  readonly clock: Clock
  readonly createEngine: () => Engine
}

/** Who sits there. */
export interface SeatHost {
  /** The name of this tab. */
  readonly tab: string
  readonly engine: TabEngine
  readonly send: (message: FromHub) => void
  /** A message to this very tab. */
  readonly tell: (message: FromHub) => void
  readonly failed: (error: unknown) => void
  readonly warned: (warning: Warning) => void
}

/** A tab that has deliveries is asked so often whether it is there; who does not answer until the next time is gone. */
const CHECK_MS = 10_000

export class Seat {
  /** The name of its hub. */
  readonly hub: string = crypto.randomUUID()
  readonly #parts: SeatParts
  readonly #host: SeatHost
  readonly #hub: Hub
  readonly #over = new AbortController()
  #driver: Driver | undefined
  #mover: Mover | undefined
  #report: OpenReport | undefined
  #epoch = 0
  /** What everybody was told of the room. */
  #saidFull = false
  #opening: Promise<void> | undefined
  #timer: TimerHandle | undefined
  #unregister = (): void => {}

  constructor(parts: SeatParts, host: SeatHost) {
    this.#parts = parts
    this.#host = host
    this.#hub = new Hub({ failed: host.failed, warned: host.warned })
  }

  /** Whether it serves. */
  get isOpen(): boolean {
    return this.#mover !== undefined
  }

  /** Counts up with each owner of the storage; 0 until it is open. */
  get epoch(): number {
    return this.#epoch
  }

  /** Opens the storage, which is owned, and reads it back; then serves this tab and all others. */
  open(): Promise<void> {
    return (this.#opening = this.#open())
  }

  async #open(): Promise<void> {
    this.#sayDriving()
    const { storage, sharing, clock } = this.#parts
    const segments = checkSegments(await storage.open())
    this.#checkNotOver()
    const inbox = sharing.owned()
    this.#epoch = inbox.epoch
    const driver = (this.#driver = new Driver(this.#parts.createEngine(), clock, storage, this.#hub))
    this.#unregister = registerBusy(clock, () => driver.busy())
    const report = (this.#report = await driver.request<OpenReport>({ op: 'open', segments }))
    this.#checkNotOver()
    const { tab, failed, warned } = this.#host
    const { hub } = this
    const mover = new Mover(driver, inbox, report.moved, {
      isFull: () => this.#isFull(),
      moved: (to, key, receipts) => this.#tell({ say: 'moved', hub, to, key, receipts }),
      refused: (to, key, failure) => this.#tell({ say: 'refused', hub, to, key, epoch: inbox.epoch, failure }),
      warned: (message) => warned({ message }),
      failed,
    })
    await mover.begin()
    this.#checkNotOver()
    this.#mover = mover
    this.#host.engine.connect(this.#linkHere(tab, mover))
    this.#host.engine.welcome(report)
    this.#sayDriving()
    mover.look()
  }

  /** A tab says something to this hub, or to whoever drives. */
  hear(message: Envelope): void {
    const { from } = message
    const member = this.#hub.members.get(from)
    if (member !== undefined) member.isHeard = true
    switch (message.say) {
      case 'seek':
        this.#sayDriving()
        break
      case 'left':
        return this.#mover?.look()
      default:
    }
    if (!('hub' in message) || message.hub !== this.hub) return
    switch (message.say) {
      case 'seek':
        return void this.#knows(member, message)
      case 'hello':
        return this.#welcome(from, message.session, message.calls)
      case 'calls':
        if (this.#knows(member, message)) this.#hub.take(member, message.calls)
        return
      case 'told':
        return this.#mover?.answered(from, message.key, message.takenBack)
      case 'bye':
        return this.#hub.leave(from)
      default:
    }
  }

  /** Ends in good order: everything is durable, and the storage is free for the next. */
  async close(): Promise<void> {
    try {
      for (const { id } of this.#others()) this.#hub.leave(id)
      this.#mover?.end()
      await this.#mover?.settled()
      if (this.#driver?.isEnded === false) await this.#driver.request({ op: 'close' })
      // What was asked for before is answered.
      this.#hub.outputsRead()
    } catch (error) {
      // One that was robbed meanwhile has nothing to close.
      if (!this.#over.signal.aborted && !isFenced(error)) throw error
    } finally {
      await this.end()
    }
  }

  /** Ends at once: nothing is written any more. Idempotent. */
  async end(): Promise<void> {
    if (this.#over.signal.aborted) return
    this.#over.abort(closed())
    this.#unregister()
    if (this.#timer !== undefined) this.#parts.clock.clearTimeout(this.#timer)
    this.#mover?.end()
    this.#driver?.end(closed)
    this.#host.send({ say: 'leaving', hub: this.hub })
    try {
      // What is being opened can be closed only then.
      await this.#opening?.catch(() => {})
      await this.#parts.storage.close()
    } finally {
      announceRelease()
    }
  }

  #checkNotOver(): void {
    if (this.#over.signal.aborted) throw this.#over.signal.reason
  }

  #sayDriving(): void {
    const isFull = (this.#saidFull = this.#parts.storage.full === true)
    this.#host.send({ say: 'driving', hub: this.hub, isOpen: this.isOpen, epoch: this.#epoch, isFull })
  }

  /** Whether there is no room for new messages; everybody is told when that changes. */
  #isFull(): boolean {
    const isFull = this.#parts.storage.full === true
    if (isFull !== this.#saidFull) this.#sayDriving()
    return isFull
  }

  /** Whether a tab is the member that it takes itself for; it is told if not. */
  #knows(member: Member | undefined, { from, session }: { readonly from: string; readonly session: number }): member is Member {
    const isKnown = member?.session === session
    if (!isKnown) this.#host.send({ say: 'stranger', hub: this.hub, to: from, session })
    return isKnown
  }

  #welcome(id: string, session: number, calls: Parameters<Hub['take']>[1]): void {
    if (this.#report === undefined) return
    const { signal } = this.#over
    const send = (outputs: readonly Output[]): void => {
      this.#host.send({ say: 'outputs', hub: this.hub, to: id, session, outputs })
      this.#checkLater()
    }
    const member = this.#hub.join(id, session, send)
    this.#host.send({ say: 'welcome', hub: this.hub, to: id, report: this.#report })
    this.#hub.take(member, calls)
    // However it ends: closed, killed, crashed.
    this.#parts.sharing.gone(id, signal).then(
      () => {
        if (this.#hub.members.get(id) === member) this.#hub.leave(id)
      },
      () => {},
    )
  }

  #tell(message: FromHub & { readonly to: string }): void {
    if (message.to === this.#host.tab) this.#host.tell(message)
    else this.#host.send(message)
  }

  /** The way to the hub in the tab of the hub. */
  #linkHere(tab: string, mover: Mover): Link {
    const member = this.#hub.join(tab, 0, (outputs) => {
      if (!this.#over.signal.aborted) this.#host.engine.receive(outputs)
    })
    return {
      hello: (calls) => this.#hub.take(member, calls),
      send: (calls) => this.#hub.take(member, calls),
      now: (call) => this.#hub.now(member, call),
      hasMoved: (key) => mover.hasMoved(key),
    }
  }

  /** Members in other tabs. */
  #others(): Member[] {
    return [...this.#hub.members.values()].filter(({ id }) => id !== this.#host.tab)
  }

  /** A tab that is frozen keeps its lock, but not its deliveries: while others have any, they are asked. */
  #checkLater(): void {
    if (this.#timer !== undefined || this.#over.signal.aborted || !this.#others().some(({ deliveries }) => deliveries.size > 0)) return
    this.#timer = this.#parts.clock.setTimeout(() => {
      this.#timer = undefined
      for (const member of this.#others()) this.#check(member)
      this.#checkLater()
    }, CHECK_MS)
    this.#timer.unref()
  }

  #check(member: Member): void {
    if (member.deliveries.size === 0) return
    if (!member.isHeard) return this.#hub.leave(member.id)
    member.isHeard = false
    this.#host.send({ say: 'check', hub: this.hub, to: member.id })
  }
}

function closed(): AckboxError<'ERR_CLOSED'> {
  return new AckboxError('ERR_CLOSED', 'this tab does not drive the box any more')
}
