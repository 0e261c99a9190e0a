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
import type { Sharing, Storage } from '../storage/storage.js'
import { Hub } from './hub.js'
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

  /** Opens the storage, which is owned, and reads it back; then serves this tab and all others. */
  async open(): Promise<void> {
    const { storage, sharing, clock } = this.#parts
    const segments = checkSegments(await storage.open())
    this.#checkNotOver()
    const driver = (this.#driver = new Driver(this.#parts.createEngine(), clock, storage, this.#hub))
    this.#unregister = registerBusy(clock, () => driver.busy())
    const report = (this.#report = await driver.request<OpenReport>({ op: 'open', segments }))
    this.#checkNotOver()
    const { tab, failed, warned } = this.#host
    this.#mover = new Mover(driver, sharing.owned(), report.moved, {
      moved: (to, key, receipts) => this.#tell({ say: 'moved', hub: this.hub, to, key, receipts }),
      refused: (to, key, failure) => this.#tell({ say: 'refused', hub: this.hub, to, key, failure }),
      warned: (message) => warned({ message }),
      failed,
    })
    this.#host.engine.connect(this.#linkHere(tab))
    this.#host.engine.welcome(report)
    this.#host.send({ say: 'driving', hub: this.hub, isOpen: true })
    this.#checkLater()
    void this.#mover.begin().catch(failed)
  }

  /** A tab says something to this hub, or to whoever drives. */
  hear(message: Envelope): void {
    const { from } = message
    const member = this.#hub.members.get(from)
    if (member !== undefined) member.isHeard = true
    switch (message.say) {
      case 'seek':
        return this.#host.send({ say: 'driving', hub: this.hub, isOpen: this.isOpen })
      case 'left':
        return this.#mover?.look()
      default:
    }
    if (!('hub' in message) || message.hub !== this.hub) return
    switch (message.say) {
      case 'ping':
        return this.#host.send({ say: 'driving', hub: this.hub, isOpen: this.isOpen })
      case 'hello':
        return this.#welcome(from, message.calls)
      case 'calls':
        if (member === undefined) return this.#host.send({ say: 'stranger', hub: this.hub, to: from })
        return this.#hub.take(member, message.calls)
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
      for (const id of [...this.#hub.members.keys()]) this.#hub.leave(id)
      this.#mover?.end()
      await this.#mover?.settled()
      if (this.#driver?.isEnded === false) await this.#driver.request({ op: 'close' })
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
      await this.#parts.storage.close()
    } finally {
      announceRelease()
    }
  }

  #checkNotOver(): void {
    if (this.#over.signal.aborted) throw this.#over.signal.reason
  }

  #welcome(id: string, calls: Parameters<Hub['take']>[1]): void {
    if (this.#report === undefined) return
    const { signal } = this.#over
    const member = this.#hub.join(id, (outputs) => this.#host.send({ say: 'outputs', hub: this.hub, to: id, outputs }))
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
  #linkHere(tab: string): Link {
    const member = this.#hub.join(tab, (outputs: readonly Output[]) => this.#host.engine.receive(outputs))
    return {
      hello: (calls) => this.#hub.take(member, calls),
      send: (calls) => this.#hub.take(member, calls),
      now: (call) => this.#hub.now(member, call),
    }
  }

  /** A tab that is frozen keeps its lock, but not its deliveries. */
  #checkLater(): void {
    this.#timer = this.#parts.clock.setTimeout(() => {
      for (const member of [...this.#hub.members.values()]) {
        if (member.id === this.#host.tab || member.deliveries.size === 0) continue
        if (!member.isHeard) this.#hub.leave(member.id)
        else {
          member.isHeard = false
          this.#host.send({ say: 'check', hub: this.hub, to: member.id })
        }
      }
      this.#checkLater()
    }, CHECK_MS)
    this.#timer.unref()
  }
}

function closed(): AckboxError<'ERR_CLOSED'> {
  return new AckboxError('ERR_CLOSED', 'this tab does not drive the box any more')
}
