/**
 * A storage that fails on demand, around any other storage.
 */

import { AckboxError, invalidOption } from '../errors.js'
import { checkStorage } from '../storage/check-storage.js'
import { notOpen } from '../storage/refusals.js'
import type { Durability, Room, SegmentInfo, Storage } from '../storage/storage.js'
import { checkNames, choice, integer, type Range, text } from '../validate.js'

const ERRNO_BYTES_MAX = 64
const KEPT: Range = { min: 0, max: Number.MAX_SAFE_INTEGER }

/** One fault, in one append. */
export interface AppendFault {
  /** Which append fails, counted from 1 over all openings. */
  append: number
  /**
   * What happens. `'fail'`: it rejects and wrote nothing that is known of. `'clean'`: it rejects and says that it
   * wrote nothing, so that the box lives. `'torn'`: it rejects after a part of its bytes. `'crash'`: the process ends
   * here, as far as the storage goes: the append and every later call reject, and the storage beneath is as after a
   * restart.
   */
  kind: 'fail' | 'clean' | 'torn' | 'crash'
  /** The `code` of the error that is its cause, as the operating system names it. Default `'EIO'`. */
  errno?: string | undefined
  /** How many of the append's bytes arrive all the same. Default: half of them for `'torn'`, else none. */
  keepBytes?: number | undefined
}

/** Options of `faultyStorage`. */
export interface FaultyStorageOptions {
  /** The faults, in any order; more can be added with `plan`. Default: none. */
  faults?: readonly AppendFault[] | undefined
  /** What it claims to promise, and what a crash drops accordingly. Default: that of the storage beneath. */
  durability?: Durability | undefined
}

/** A storage that fails on demand. */
export interface FaultyStorage extends Storage {
  /** Appends so far, over all openings, the failed ones included. */
  readonly appends: number
  /** True between a crash and the next `open`. */
  readonly crashed: boolean
  /** Adds a fault. */
  plan(fault: AppendFault): void
  /**
   * Ends the process here, as far as the storage goes. What a power cut would lose is lost: with `'power-loss'` nothing
   * that an append reported, else what was appended to the youngest segment since it began or since `open`.
   */
  crash(): Promise<void>
}

/**
 * ```ts
 * const storage = faultyStorage(memoryStorage(), { faults: [{ append: 3, kind: 'fail', errno: 'ENOSPC' }] })
 * ```
 */
export function faultyStorage(storage: Storage, options: FaultyStorageOptions = {}): FaultyStorage {
  const where = 'faultyStorage'
  checkStorage(storage, 'a storage', where)
  checkNames(options, ['faults', 'durability'], where)
  const { faults, durability } = options
  if (faults !== undefined && !Array.isArray(faults)) throw invalidOption('faults to be an array', faults, where)
  if (durability !== undefined) choice(durability, ['power-loss', 'process-crash', 'none'], 'durability', where)
  return new FaultInjector(storage, options)
}

class FaultInjector implements FaultyStorage {
  readonly durability: Durability
  readonly #beneath: Storage
  readonly #faults = new Map<number, AppendFault>()
  /** Bytes of each segment, and how many of them survive a crash. */
  readonly #segments = new Map<number, { bytes: number; safe: number }>()
  #state: 'open' | 'closed' | 'crashed' = 'closed'
  #failure: AckboxError | undefined
  #appends = 0
  /** Where the storage beneath can be looked at, this one can. */
  readonly openReader?: NonNullable<Storage['openReader']>

  constructor(beneath: Storage, options: FaultyStorageOptions) {
    this.#beneath = beneath
    this.durability = options.durability ?? beneath.durability
    for (const fault of options.faults ?? []) this.plan(fault)
    const { openReader } = beneath
    if (openReader !== undefined) this.openReader = () => openReader.call(beneath)
  }

  get appends(): number {
    return this.#appends
  }

  get crashed(): boolean {
    return this.#state === 'crashed'
  }

  get full(): boolean {
    return this.#beneath.full ?? false
  }

  get room(): Room | undefined {
    return this.#beneath.room
  }

  get persisted(): boolean | undefined {
    return this.#beneath.persisted
  }

  plan(fault: AppendFault): void {
    checkNames(fault, ['append', 'kind', 'errno', 'keepBytes'], 'faultyStorage: fault')
    choice(fault.kind, ['fail', 'clean', 'torn', 'crash'], 'kind', 'faultyStorage: fault')
    if (!Number.isInteger(fault.append) || fault.append <= this.#appends) {
      throw invalidOption(`append to be a whole number above ${this.#appends}`, fault.append, 'faultyStorage: fault')
    }
    if (fault.errno !== undefined) text(fault.errno, ERRNO_BYTES_MAX, 'errno', 'faultyStorage: fault')
    if (fault.keepBytes !== undefined) integer(fault.keepBytes, KEPT, 'keepBytes', 'faultyStorage: fault')
    this.#faults.set(fault.append, fault)
  }

  async open(): Promise<SegmentInfo[]> {
    const segments = await this.#beneath.open()
    this.#segments.clear()
    for (const { segment, bytes } of segments) this.#segments.set(segment, { bytes, safe: bytes })
    this.#failure = undefined
    this.#state = 'open'
    return segments
  }

  async append(segment: number, bytes: Uint8Array): Promise<void> {
    this.#checkOpen('append')
    this.#appends += 1
    if (this.#failure !== undefined) throw this.#failure
    const fault = this.#faults.get(this.#appends)
    if (fault !== undefined) return this.#fail(fault, segment, bytes)
    await this.#write(segment, bytes)
    if (this.crashed) this.#checkOpen('append')
    this.#becomeSafe(segment)
  }

  async read(segment: number, offset: number, length: number): Promise<Uint8Array> {
    this.#checkOpen('read')
    return this.#beneath.read(segment, offset, length)
  }

  async truncate(segment: number, bytes: number): Promise<void> {
    this.#checkOpen('truncate')
    await this.#beneath.truncate(segment, bytes)
    this.#segments.set(segment, { bytes, safe: bytes })
  }

  async remove(segment: number): Promise<void> {
    this.#checkOpen('remove')
    await this.#beneath.remove(segment)
    this.#segments.delete(segment)
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    await this.#beneath.close()
  }

  async crash(): Promise<void> {
    if (this.#state !== 'open') throw notOpen('faulty storage', 'crash')
    this.#state = 'crashed'
    for (const [segment, { bytes, safe }] of this.#segments) {
      if (safe === 0) await this.#beneath.remove(segment)
      else if (safe < bytes) await this.#beneath.truncate(segment, safe)
    }
    await this.#beneath.close()
  }

  async #fail(fault: AppendFault, segment: number, bytes: Uint8Array): Promise<never> {
    const error = failure(this.#appends, fault)
    if (fault.kind === 'clean') throw Object.assign(error, { clean: true })
    this.#failure = error
    const kept = keptBytes(fault, bytes.byteLength)
    if (kept > 0) await this.#write(segment, bytes.subarray(0, kept))
    if (fault.kind === 'crash') {
      if (kept > 0) this.#becomeSafe(segment, this.#segments.get(segment)?.bytes)
      await this.crash()
    }
    throw error
  }

  async #write(segment: number, bytes: Uint8Array): Promise<void> {
    await this.#beneath.append(segment, bytes)
    const known = this.#segments.get(segment) ?? { bytes: 0, safe: 0 }
    this.#segments.set(segment, { ...known, bytes: known.bytes + bytes.byteLength })
  }

  /** What an append that succeeded makes safe: itself, or in weaker modes all segments before its own. */
  #becomeSafe(
    segment: number,
    bytes = this.durability === 'power-loss' ? this.#segments.get(segment)?.bytes : undefined,
  ): void {
    for (const [number, state] of this.#segments) {
      if (number < segment) state.safe = state.bytes
      else if (number === segment && bytes !== undefined) state.safe = bytes
    }
  }

  #checkOpen(call: string): void {
    if (this.#state === 'open') return
    if (this.#state === 'closed') throw notOpen('faulty storage', call)
    throw (
      this.#failure ??
      new AckboxError('ERR_STORAGE_FAILED', `faulty storage: expected no crash before ${call}, but there was one`)
    )
  }
}

function keptBytes(fault: AppendFault, length: number): number {
  if (fault.kind === 'torn') return Math.min(length, fault.keepBytes ?? length >> 1)
  return fault.kind === 'crash' ? Math.min(length, fault.keepBytes ?? 0) : 0
}

function failure(append: number, { kind, errno = 'EIO' }: AppendFault): AckboxError<'ERR_STORAGE_FAILED'> {
  const cause = Object.assign(new Error(`${errno}: injected, append`), { code: errno, syscall: 'append' })
  return new AckboxError(
    'ERR_STORAGE_FAILED',
    `faulty storage: append ${append} was planned to end in '${kind}': ${errno}`,
    { cause },
  )
}
