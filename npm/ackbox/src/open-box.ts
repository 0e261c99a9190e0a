/** Opening a box: the engine is loaded, the storage taken, the journal read back. */
import { FREE_OWNER_DEATHS, SEGMENT_BYTES_DEFAULT, WHEN_LOCKED_DEFAULT } from '#default-storage'
import { loadEngine } from '#engine'
import type { Box } from './api.js'
import { EmbeddedBox } from './box.js'
import { type Clock, systemClock } from './clock.js'
import type { Engine, EngineModule } from './engine/engine.js'
import { messageOf } from './error-info.js'
import { AckboxError } from './errors.js'
import { GuardedClock } from './guarded-clock.js'
import { openWhenFree } from './lock-wait.js'
import type { OpenOptions } from './open.js'
import { unlessAborted } from './pending.js'
import { FREE_TAB_DEATHS, openShared, sharingOf } from './share/open-shared.js'
import { checkSegments } from './storage-port.js'
import { ReadOnlyStorage } from './storage/read-only.js'
import { type FileLocking, type SegmentInfo, type Storage, type StorageReader, USE_FILE_LOCK } from './storage/storage.js'

const LOCK_WAIT_MS_DEFAULT = 30_000
/** What an engine draws its keys and the number of its run from. */
const ENTROPY_BYTES = 32

/** Opens a box on a storage; the options are checked. */
export async function openBox(storage: Storage, options: OpenOptions): Promise<Box> {
  const { signal } = options
  const clock = new GuardedClock(options.clock ?? systemClock())
  signal?.throwIfAborted()
  const module = await unlessAborted(loadEngine({ engine: options.engine, wasm: options.wasm }), signal)
  const { readOnly, whenLocked = WHEN_LOCKED_DEFAULT, lockWaitMs = LOCK_WAIT_MS_DEFAULT } = options
  if (readOnly !== true && whenLocked === 'share') {
    const sharing = sharingOf(storage)
    if (sharing !== undefined) {
      const create = (): Engine => createEngine(module, storage, options, clock, FREE_TAB_DEATHS)
      return await openShared({ storage, sharing, module, clock, createEngine: create, lockWaitMs, signal })
    }
    // By default, what can be shared is.
    if (options.whenLocked === 'share') throw cannotShare()
  }
  const engine = createEngine(module, storage, options, clock)

  const taking = options.readOnly === true ? lookAt(storage, signal) : take(module, storage, options, clock)
  const taken = await taking.catch((error: unknown) => {
    engine.free()
    throw error
  })
  const box = new EmbeddedBox(engine, clock, taken.storage, options.readOnly === true)
  try {
    await unlessAborted(box.recover(checkSegments(taken.segments)), signal)
    signal?.throwIfAborted()
  } catch (error) {
    await box.abandon().catch(() => {})
    throw error
  }
  return box
}

function cannotShare(): AckboxError<'ERR_UNSUPPORTED'> {
  const message =
    "open: whenLocked 'share' needs indexedDbStorage, Web Locks and BroadcastChannel; browsers give the locks to pages from https: or localhost"
  return new AckboxError('ERR_UNSUPPORTED', message)
}

function createEngine(module: EngineModule, storage: Storage, options: OpenOptions, clock: Clock, freeOwnerDeaths = FREE_OWNER_DEATHS): Engine {
  const { maxMemoryBytes, segmentBytes = SEGMENT_BYTES_DEFAULT, seed, readOnly } = options
  const config = {
    durability: storage.durability,
    ...(maxMemoryBytes === undefined ? {} : { maxMemoryBytes }),
    segmentBytes,
    freeOwnerDeaths,
    ...(seed === undefined ? {} : { seed: String(seed) }),
    ...(readOnly === true ? { readOnly } : {}),
  }
  // Drawn here for either engine, so that nothing but its inputs makes one differ from the other.
  return module.create(clock.now(), config, crypto.getRandomValues(new Uint8Array(ENTROPY_BYTES)))
}

/** A storage, and what is in it. */
interface Taken {
  readonly storage: Storage
  readonly segments: readonly SegmentInfo[]
}

/** An injected storage may throw where it should reject. */
async function openReader(storage: Storage): Promise<StorageReader> {
  return storage.openReader!()
}

/** What is in the storage now, without ownership; an opening that was given up meanwhile lets go of it. */
async function lookAt(storage: Storage, signal: AbortSignal | undefined): Promise<Taken> {
  if (typeof storage.openReader !== 'function') {
    const message = 'open: readOnly: this storage can be opened by its owner only, for it has no openReader'
    throw new AckboxError('ERR_UNSUPPORTED', message)
  }
  const opening = openReader(storage)
  try {
    const reader = await unlessAborted(opening, signal)
    return { storage: new ReadOnlyStorage(storage.durability, reader), segments: reader.segments }
  } catch (error) {
    if (signal?.aborted === true) void opening.then((reader) => reader.close()).catch(() => {})
    throw storageError(error, signal)
  }
}

/** Takes ownership of the storage; an opening that was given up meanwhile gives it back. */
async function take(module: EngineModule, storage: Storage, options: OpenOptions, clock: Clock): Promise<Taken> {
  const { whenLocked, lockWaitMs = LOCK_WAIT_MS_DEFAULT, signal } = options
  const { lockFile } = module
  if (lockFile !== undefined && USE_FILE_LOCK in storage) {
    ;(storage as Storage & FileLocking)[USE_FILE_LOCK](lockFile)
  }
  const opening = whenLocked === 'wait' ? openWhenFree(storage, { lockWaitMs, clock, signal }) : openNow(storage)
  try {
    return { storage, segments: await unlessAborted(opening, signal) }
  } catch (error) {
    if (signal?.aborted === true) void opening.then(() => storage.close()).catch(() => {})
    throw storageError(error, signal)
  }
}

/** An injected storage may throw where it should reject. */
async function openNow(storage: Storage): Promise<SegmentInfo[]> {
  return storage.open()
}

/** What the storage says in codes of the contract stays; everything else is a failure of the storage. */
function storageError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (AckboxError.is(error) || (signal?.aborted === true && error === signal.reason)) return error
  return new AckboxError('ERR_STORAGE_FAILED', `open: the storage cannot be opened: ${messageOf(error)}`, { cause: error })
}
