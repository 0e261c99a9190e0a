/** Opening a box that several tabs share: the engine of this tab is the way to the one that drives. */
import { EmbeddedBox } from '../box.js'
import type { Engine, EngineModule } from '../engine/engine.js'
import { AckboxError } from '../errors.js'
import type { GuardedClock } from '../guarded-clock.js'
import { unlessAborted } from '../pending.js'
import { SHARE, type Shareable, type Sharing, type Storage } from '../storage/storage.js'
import { failureOf } from './member.js'
import { Outgoing } from './outgoing.js'
import { Standing } from './standing.js'
import { TabEngine } from './tab-engine.js'

/** Deaths of its tab that a message survives without cost: pages are reloaded all the time. */
export const FREE_TAB_DEATHS = 20

/** How a storage is shared; `undefined` if it cannot be, here or at all. */
export function sharingOf(storage: Storage): Sharing | undefined {
  return SHARE in storage ? (storage as Storage & Shareable)[SHARE]() : undefined
}

export interface SharedParts {
  readonly storage: Storage
  readonly sharing: Sharing
  readonly module: EngineModule
  readonly clock: GuardedClock
  readonly createEngine: () => Engine
  /** How long it waits for a tab that shares with nobody. */
  readonly lockWaitMs: number
  readonly signal: AbortSignal | undefined
}

export async function openShared({ storage, sharing, module, clock, createEngine, lockWaitMs, signal }: SharedParts): Promise<EmbeddedBox> {
  const tab = crypto.randomUUID()
  const standing = new Standing({ storage, sharing, clock, createEngine, tab, lockWaitMs })
  let outgoing: Outgoing | undefined
  const connecting = sharing.connect((why) => {
    const loss = new AckboxError('ERR_STORAGE_FAILED', `the box cannot be used any more: ${why}`)
    outgoing?.lose(failureOf(loss))
    void standing.fail(loss)
  })
  const inbox = await unlessAborted(connecting, signal).catch((error: unknown) => {
    void connecting.then((late) => late.close()).catch(() => {})
    throw error
  })
  outgoing = new Outgoing(tab, clock, inbox, () => standing.left())
  const engine = new TabEngine(module.kind, outgoing, {
    worked: () => standing.worked(),
    close: () => standing.close(),
    freed: () => void standing.end().catch(() => {}),
  })
  const box = new EmbeddedBox(engine, clock, new Seen(storage, sharing, standing), false)
  engine.onUnemployed = (number, { code, message }) => {
    box.inbox.workers.get(number)?.kill(new AckboxError(code as 'ERR_INVALID_OPTION', message))
  }
  try {
    await unlessAborted(Promise.all([standing.begin(engine, outgoing), box.recover([])]), signal)
  } catch (error) {
    await box.abandon().catch(() => {})
    throw error
  }
  return box
}

/** The storage as the box of a tab sees it: it asks how it stands, and has nothing to write. */
class Seen implements Storage {
  readonly durability: Storage['durability']
  readonly #storage: Storage
  readonly #sharing: Sharing
  readonly #standing: Standing

  constructor(storage: Storage, sharing: Sharing, standing: Standing) {
    this.durability = storage.durability
    this.#storage = storage
    this.#sharing = sharing
    this.#standing = standing
  }

  get full(): boolean {
    return this.#standing.full
  }

  get room(): Storage['room'] {
    return this.#storage.room
  }

  get persisted(): boolean | undefined {
    return this.#sharing.persisted
  }

  open = notHere
  append = notHere
  read = notHere
  truncate = notHere
  remove = notHere

  async close(): Promise<void> {}
}

async function notHere(): Promise<never> {
  throw new Error('the storage of a shared box is used by its hub alone')
}
