/**
 * Tabs of one origin in one process: each has Web Locks and a BroadcastChannel of its own, which the test can take away as
 * browsers do. A tab that is killed loses its locks and is heard no more, but its code runs on: what it still does to the
 * database must not matter. One that is frozen keeps its locks, and hears later what was said; its timers fire later too.
 */
import './indexed-db.ts'
import { type Box, type Clock, open, type OpenOptions } from 'ackbox'
import { indexedDbStorage } from 'ackbox/indexeddb'
import { onTestFinished } from 'vitest'

import { deleteDatabase, freshName } from './indexed-db.ts'
import { watchDatabases } from './tabs-clock.ts'

interface Request {
  readonly tab: Tab
  readonly name: string
  readonly grant: () => void
  readonly refuse: (error: unknown) => void
}

/** What all tabs of a site share. */
export class Origin {
  readonly name = freshName()
  readonly held = new Map<string, Request>()
  readonly waiting: Request[] = []
  readonly channels = new Set<FakeChannel>()
  /** Locks are not taken away: who tries waits in front of all others. */
  keepsLocks = false
  readonly #tabs: Tab[] = []

  constructor() {
    watchDatabases()
    onTestFinished(async () => {
      for (const tab of this.#tabs) tab.thaw()
      for (const tab of this.#tabs) await tab.box?.close({ timeoutMs: 0 }).catch(() => {})
      await deleteDatabase(this.name)
    })
  }

  async tab(options: OpenOptions = {}): Promise<Tab & { readonly box: Box }> {
    const tab = new Tab(this)
    this.#tabs.push(tab)
    await tab.open(options)
    return tab as Tab & { readonly box: Box }
  }

  /** A tab in which no box is opened by this. */
  strange(): Tab {
    return new Tab(this)
  }

  /** The tab whose box drives. */
  get driver(): Tab | undefined {
    return this.held.get(`ackbox:${this.name}`)?.tab
  }

  release(request: Request): void {
    if (this.held.get(request.name) !== request) return
    this.held.delete(request.name)
    const next = this.waiting.findIndex(({ name }) => name === request.name)
    if (next < 0) return
    const [first] = this.waiting.splice(next, 1)
    this.held.set(request.name, first!)
    first!.grant()
  }
}

export class Tab {
  readonly origin: Origin
  readonly client = crypto.randomUUID()
  box: Box | undefined
  isFrozen = false
  isDead = false
  /** What fell due while it was frozen. */
  #late: (() => void)[] = []

  constructor(origin: Origin) {
    this.origin = origin
  }

  async open(options: OpenOptions = {}): Promise<Box> {
    const storage = this.within(() => indexedDbStorage({ name: this.origin.name }))
    const { clock } = options
    this.box = await open(storage, { whenLocked: 'share', ...options, ...(clock === undefined ? {} : { clock: this.#clockOf(clock) }) })
    return this.box
  }

  /** What the browser tells it comes later while it is frozen. */
  whenAwake(tell: () => void): void {
    if (this.isFrozen) this.#late.push(tell)
    else tell()
  }

  /** The same time, whose timers wait while the tab is frozen. */
  #clockOf(clock: Clock): Clock {
    const fire = (fn: () => void): void => this.whenAwake(() => void (this.isDead || fn()))
    return Object.assign(Object.create(clock) as Clock, {
      setTimeout: (fn: () => void, ms: number) => clock.setTimeout(() => fire(fn), ms),
    })
  }

  /** Calls something where the platform is that of this tab. */
  within<T>(run: () => T): T {
    const names = ['navigator', 'BroadcastChannel'] as const
    const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name))
    const tab = this
    class Channel extends FakeChannel {
      constructor(name: string) {
        super(tab, name)
      }
    }
    Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { locks: locksOf(this), storage: { persisted: async () => true } } })
    Object.defineProperty(globalThis, 'BroadcastChannel', { configurable: true, value: Channel })
    try {
      return run()
    } finally {
      names.forEach((name, at) => {
        delete (globalThis as Record<string, unknown>)[name]
        if (before[at] !== undefined) Object.defineProperty(globalThis, name, before[at])
      })
    }
  }

  /** Ends it without a word. */
  kill(): void {
    this.isDead = true
    const { held, waiting, channels } = this.origin
    for (const channel of [...channels]) if (channel.tab === this) channels.delete(channel)
    for (let at = waiting.length - 1; at >= 0; at--) if (waiting[at]!.tab === this) waiting.splice(at, 1)
    for (const request of [...held.values()]) if (request.tab === this) this.origin.release(request)
    this.box = undefined
  }

  freeze(): void {
    this.isFrozen = true
  }

  thaw(): void {
    this.isFrozen = false
    for (const channel of this.origin.channels) if (channel.tab === this) channel.catchUp()
    for (const tell of this.#late.splice(0)) setImmediate(tell)
  }
}

class FakeChannel {
  onmessage: ((event: { readonly data: unknown }) => void) | null = null
  readonly tab: Tab
  readonly #name: string
  #late: unknown[] = []

  constructor(tab: Tab, name: string) {
    this.tab = tab
    this.#name = name
    tab.origin.channels.add(this)
  }

  /** What a frozen tab says, it says later: in a browser it does not even get that far. */
  postMessage(message: unknown): void {
    const data = structuredClone(message)
    this.tab.whenAwake(() => this.#post(data))
  }

  #post(data: unknown): void {
    if (this.tab.isDead) return
    for (const other of [...this.tab.origin.channels]) {
      if (other !== this && other.#name === this.#name) setImmediate(() => other.#hear(data))
    }
  }

  close(): void {
    this.tab.origin.channels.delete(this)
  }

  catchUp(): void {
    for (const data of this.#late.splice(0)) setImmediate(() => this.#hear(data))
  }

  #hear(data: unknown): void {
    if (this.tab.isFrozen) this.#late.push(data)
    else if (this.tab.origin.channels.has(this)) this.onmessage?.({ data })
  }
}

type Granted = (lock: { readonly name: string } | null) => unknown
interface Options {
  readonly ifAvailable?: boolean
  readonly steal?: boolean
  readonly signal?: AbortSignal
}

function locksOf(tab: Tab): Pick<LockManager, 'request' | 'query'> {
  const { origin } = tab
  const request = (name: string, options: Options, granted: Granted): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const own: Request = {
        tab,
        name,
        grant: () =>
          void Promise.resolve()
            .then(() => granted({ name }))
            .then(resolve, reject)
            .finally(() => origin.release(own)),
        refuse: reject,
      }
      const holder = origin.held.get(name)
      if (tab.isDead) return
      if (holder === undefined) {
        origin.held.set(name, own)
        return own.grant()
      }
      if (options.ifAvailable === true) return void Promise.resolve(granted(null)).then(resolve, reject)
      if (options.steal === true) {
        if (origin.keepsLocks) return void origin.waiting.unshift(own)
        origin.held.set(name, own)
        holder.tab.whenAwake(() => holder.refuse(new DOMException('stolen', 'AbortError')))
        return own.grant()
      }
      origin.waiting.push(own)
      options.signal?.addEventListener('abort', () => {
        const at = origin.waiting.indexOf(own)
        if (at < 0) return
        origin.waiting.splice(at, 1)
        reject(options.signal!.reason)
      })
    })
  const query = async () => ({ held: [...origin.held.values()].map(({ name, tab }) => ({ name, clientId: tab.client })), pending: [] })
  return { request: request as never, query: query as never }
}
