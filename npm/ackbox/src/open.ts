/** Opening a box: the engine is loaded, the storage taken, the journal read back. */
import { defaultStorage, SEGMENT_BYTES_DEFAULT } from '#default-storage'
import { loadEngine } from '#engine'
import type { Box } from './api.js'
import { EmbeddedBox } from './box.js'
import { type Clock, systemClock } from './clock.js'
import type { Engine, EngineModule, WasmSource } from './engine/engine.js'
import { checkWasmSource } from './engine/wasm-source.js'
import { messageOf } from './error-info.js'
import { AckboxError, invalidOption } from './errors.js'
import { GuardedClock } from './guarded-clock.js'
import { openWhenFree } from './lock-wait.js'
import { unlessAborted } from './pending.js'
import { checkSegments } from './storage-port.js'
import { checkStorage, hasFunctions } from './storage/check-storage.js'
import { ReadOnlyStorage } from './storage/read-only.js'
import { type FileLocking, type SegmentInfo, type Storage, type StorageReader, USE_FILE_LOCK } from './storage/storage.js'
import type { Range } from './validate.js'
import { checkNames, choice, duration, flag, integer, MAX_MS, optionalSignal, unsupported } from './validate.js'

/** Options of `open`. */
export interface OpenOptions {
  /**
   * What to do when another owner has the box. `'reject'` (the default): `ERR_LOCKED`. `'wait'`: opens as soon as that
   * owner closes it or dies, or rejects with `ERR_LOCKED` after `lockWaitMs`.
   */
  readonly whenLocked?: 'reject' | 'wait' | undefined
  /** How long `'wait'` waits, 0 or more. Default 30,000. */
  readonly lockWaitMs?: number | undefined
  /**
   * Looks at the box without owning it, also while its owner works: as it was on the disk when it was opened, leases
   * included. `queue`, `queues`, `stats`, `health`, `get`, `peek` and the reading calls of `dead` work, everything else is
   * `ERR_UNSUPPORTED`; options of queues are checked and change nothing, functions, `codec` and `schema` apart. Nothing is
   * ever written, no lock is taken, no time passes. `ERR_NOT_FOUND` if there is no box, or no queue of a name; a
   * storage of one's own needs `openReader`. Default false.
   */
  readonly readOnly?: boolean | undefined
  /**
   * Default `'auto'`: native where it loads, else WebAssembly. The environment variable `ACKBOX_ENGINE` forces one and
   * fails loudly.
   */
  readonly engine?: 'native' | 'wasm' | 'auto' | undefined
  /** The WebAssembly, instead of the one in the package: an address, or what is there already. */
  readonly wasm?: WasmSource | undefined
  /** Bytes of message bodies kept in memory; the rest is read back from storage. Default 64 MiB. */
  readonly maxMemoryBytes?: number | undefined
  /** Size at which a segment of the journal is closed, 4 KiB to 1 GiB. Default 64 MiB, in browsers 4 MiB. */
  readonly segmentBytes?: number | undefined
  /** Source of time. Default: the system's. */
  readonly clock?: Clock | undefined
  /** Fixes the jitter of a box that is created now. Default: random. */
  readonly seed?: string | number | undefined
  /** Gives up opening. */
  readonly signal?: AbortSignal | undefined
}

const NAMES = ['whenLocked', 'lockWaitMs', 'readOnly', 'engine', 'wasm', 'maxMemoryBytes', 'segmentBytes', 'clock', 'seed', 'signal']
const LOCK_WAIT: Range = { min: 0, max: MAX_MS }
const LOCK_WAIT_MS_DEFAULT = 30_000
const MEMORY: Range = { min: 0, max: Number.MAX_SAFE_INTEGER }
const SEGMENT: Range = { min: 4 << 10, max: 1 << 30 }
/** What an engine draws its keys and the number of its run from. */
const ENTROPY_BYTES = 32

/**
 * Opens a box, which is created if there is none.
 *
 * @param target a folder (default `./.ackbox`), in browsers the name of a database (default `ackbox`), or a storage
 * @throws `ERR_LOCKED`, `ERR_NOT_FOUND`, `ERR_CORRUPT`, `ERR_NEWER_FORMAT`, `ERR_STORAGE_FAILED`, `ERR_INVALID_OPTION`
 */
export async function open(target?: string | Storage, options: OpenOptions = {}): Promise<Box> {
  checkOptions(options)
  const { signal } = options
  const clock = new GuardedClock(options.clock ?? systemClock())
  signal?.throwIfAborted()
  const storage = typeof target === 'object' && target !== null ? injectedStorage(target) : namedStorage(target)
  const module = await unlessAborted(loadEngine({ engine: options.engine, wasm: options.wasm }), signal)
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

function checkOptions(options: OpenOptions): void {
  const where = 'open'
  checkNames(options, NAMES, where)
  const { whenLocked, lockWaitMs, readOnly, engine, wasm, maxMemoryBytes, segmentBytes, clock, seed, signal } = options
  if (whenLocked !== undefined) {
    const given = choice(whenLocked as string, ['reject', 'wait', 'share'], 'whenLocked', where)
    if (given === 'share') throw unsupported(`whenLocked '${given}'`, where)
  }
  if (lockWaitMs !== undefined) duration(lockWaitMs, LOCK_WAIT, 'lockWaitMs', where)
  flag(readOnly, 'readOnly', where)
  if (engine !== undefined) choice(engine, ['native', 'wasm', 'auto'], 'engine', where)
  if (wasm !== undefined) checkWasmSource(wasm, where)
  if (maxMemoryBytes !== undefined) integer(maxMemoryBytes, MEMORY, 'maxMemoryBytes', where)
  if (segmentBytes !== undefined) integer(segmentBytes, SEGMENT, 'segmentBytes', where)
  if (clock !== undefined && !hasFunctions(clock, ['now', 'setTimeout', 'clearTimeout'])) {
    throw invalidOption('clock to have now, setTimeout and clearTimeout', clock, where)
  }
  if (seed !== undefined && typeof seed !== 'string' && !Number.isFinite(seed)) {
    throw invalidOption('seed to be a string or a number', seed, where)
  }
  optionalSignal(signal, where)
}

function injectedStorage(target: object): Storage {
  checkStorage(target, 'a folder, the name of a database or a storage', 'open')
  return target
}

function namedStorage(target: unknown): Storage {
  if (target === undefined || (typeof target === 'string' && target !== '')) return defaultStorage(target)
  throw invalidOption('a folder, the name of a database or a storage', target, 'open')
}

function createEngine(module: EngineModule, storage: Storage, options: OpenOptions, clock: Clock): Engine {
  const { maxMemoryBytes, segmentBytes = SEGMENT_BYTES_DEFAULT, seed, readOnly } = options
  const config = {
    durability: storage.durability,
    ...(maxMemoryBytes === undefined ? {} : { maxMemoryBytes }),
    segmentBytes,
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
