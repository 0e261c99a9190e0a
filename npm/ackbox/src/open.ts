/** Opening a box, as users see it: what they may say. What it takes to open one is loaded when somebody does. */
import { defaultStorage } from '#default-storage'
import type { Box } from './api.js'
import type { Clock } from './clock.js'
import type { WasmSource } from './engine/engine.js'
import { checkWasmSource } from './engine/wasm-source.js'
import { invalidOption } from './errors.js'
import { loadedBefore } from './parts.js'
import { checkStorage, hasFunctions } from './storage/check-storage.js'
import type { Storage } from './storage/storage.js'
import type { Range } from './validate.js'
import { checkNames, choice, duration, flag, integer, MAX_MS, optionalSignal } from './validate.js'

/** Options of `open`. */
export interface OpenOptions {
  /**
   * What to do when another owner has the box. `'reject'` (the default in Node): `ERR_LOCKED`. `'wait'`: opens as soon as that
   * owner closes it or dies, or rejects with `ERR_LOCKED` after `lockWaitMs`. `'share'` (the default in browsers, where it can be:
   * with `indexedDbStorage`): all tabs and workers of the site work with the box, through the one that drives it; see the
   * page on browsers. Named, it is `ERR_UNSUPPORTED` where it cannot be. It waits like `'wait'` for a tab that has the box for itself.
   */
  readonly whenLocked?: 'reject' | 'wait' | 'share' | undefined
  /** How long `'wait'` waits, and `'share'` for one that does not share; 0 or more. Default 30,000. */
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
const MEMORY: Range = { min: 0, max: Number.MAX_SAFE_INTEGER }
const SEGMENT: Range = { min: 4 << 10, max: 1 << 30 }

/**
 * Opens a box, which is created if there is none.
 *
 * @param target a folder (default `./.ackbox`), in browsers the name of a database (default `ackbox`), or a storage
 * @throws `ERR_LOCKED`, `ERR_NOT_FOUND`, `ERR_CORRUPT`, `ERR_NEWER_FORMAT`, `ERR_STORAGE_FAILED`, `ERR_INVALID_OPTION`
 */
export async function open(target?: string | Storage, options: OpenOptions = {}): Promise<Box> {
  checkOptions(options)
  options.signal?.throwIfAborted()
  // Made now: what a relative folder stands for may be another one in a moment.
  const storage = typeof target === 'object' && target !== null ? injectedStorage(target) : namedStorage(target)
  const [{ openBox }, taken] = await Promise.all([loadedBefore.openBox ?? import('./open-box.js'), storage])
  return openBox(taken, options)
}

function checkOptions(options: OpenOptions): void {
  const where = 'open'
  checkNames(options, NAMES, where)
  const { whenLocked, lockWaitMs, readOnly, engine, wasm, maxMemoryBytes, segmentBytes, clock, seed, signal } = options
  if (whenLocked !== undefined) {
    choice(whenLocked, ['reject', 'wait', 'share'], 'whenLocked', where)
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

function namedStorage(target: unknown): Storage | Promise<Storage> {
  if (target === undefined || (typeof target === 'string' && target !== '')) return defaultStorage(target)
  throw invalidOption('a folder, the name of a database or a storage', target, 'open')
}
