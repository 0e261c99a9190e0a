/**
 * Performs the storage effects of the engine. They are collected while outputs are read and started afterwards,
 * because a storage may be code of the user; each is answered into the engine's input when it is done.
 */
import type { AppendView, ReadView, RemoveView, TruncateView, Writer } from './engine/wire.gen.js'
import { AckboxError, describe } from './errors.js'
import { isCleanFailure, type SegmentInfo, type Storage } from './storage/storage.js'

/** Smallest buffer for appends; it doubles until the largest append fits. */
const BUFFER_BYTES_MIN = 64 << 10

/** Performs one effect; what it gives writes the answer. */
type Call = () => Promise<() => void>

export class StoragePort {
  /** What the storage last failed with. */
  lastError: unknown
  /** The last append found no room: it is asked again some time. */
  isShort = false
  readonly #storage: Storage
  readonly #input: Writer
  readonly #answered: () => void
  readonly #underWay = new Set<Promise<void>>()
  #collected: Call[] = []
  #stopped = false
  /** One append is in flight at a time, so one buffer holds its bytes until it settles. */
  #buffer = new Uint8Array(BUFFER_BYTES_MIN)

  /** `answered` is called when there is new input. */
  constructor(storage: Storage, input: Writer, answered: () => void) {
    this.#storage = storage
    this.#input = input
    this.#answered = answered
  }

  /** A promise that settles when one of the calls under way is answered; `undefined` if there is none. */
  busy(): Promise<void> | undefined {
    return this.#underWay.values().next().value
  }

  append(view: AppendView): void {
    const { segment } = view
    const content = view.bytes()
    const { length } = content
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(2 ** Math.ceil(Math.log2(length)))
    this.#buffer.set(content)
    const bytes = this.#buffer.subarray(0, length)
    this.#collect(
      async () => {
        await this.#storage.append(segment, bytes)
        this.isShort = false
        return () => this.#input.appended()
      },
      (error) => {
        const clean = (this.isShort = isCleanFailure(error))
        this.#input.appendFailed({ clean })
      },
    )
  }

  read(view: ReadView): void {
    const { read, segment, offset, length } = view
    this.#collect(
      async () => {
        const bytes = await this.#storage.read(segment, offset, length)
        checkLength(bytes, segment, offset, length)
        return () => this.#input.chunk({ read, bytes })
      },
      () => this.#input.readFailed({ read }),
    )
  }

  truncate(view: TruncateView): void {
    const { segment, length } = view
    this.#collect(
      async () => {
        await this.#storage.truncate(segment, length)
        return () => this.#input.truncated()
      },
      () => this.#input.maintenanceFailed(),
    )
  }

  remove(view: RemoveView): void {
    const { segment } = view
    this.#collect(
      async () => {
        await this.#storage.remove(segment)
        return () => this.#input.removed({ segment })
      },
      () => this.#input.maintenanceFailed(),
    )
  }

  /** Starts what was collected. */
  start(): void {
    if (this.#collected.length === 0) return
    const collected = this.#collected
    this.#collected = []
    for (const call of collected) this.#run(call)
  }

  /** Answers nothing any more: the engine is not called again. */
  stop(): void {
    this.#stopped = true
    this.#collected = []
  }

  #collect(perform: Call, failed: (error: unknown) => void): void {
    this.#collected.push(async () => {
      try {
        return await perform()
      } catch (error) {
        this.lastError = error
        return () => failed(error)
      }
    })
  }

  #run(call: Call): void {
    const underWay = call().then((answer) => {
      this.#underWay.delete(underWay)
      if (this.#stopped) return
      answer()
      this.#answered()
    })
    this.#underWay.add(underWay)
  }
}

/** The engine counts on whole chunks; an injected storage may err. */
function checkLength(bytes: unknown, segment: number, offset: number, length: number): asserts bytes is Uint8Array {
  // Those of other realms are bytes too.
  const isBytes = Object.prototype.toString.call(bytes) === '[object Uint8Array]'
  if (isBytes && (bytes as Uint8Array).byteLength === length) return
  const got = isBytes ? (bytes as Uint8Array).byteLength : describe(bytes)
  throw new AckboxError(
    'ERR_STORAGE_FAILED',
    `storage.read: expected ${length} bytes at offset ${offset} of segment ${segment}, got ${got}`,
  )
}

/** What `storage.open` has to list. */
export function checkSegments(segments: unknown): SegmentInfo[] {
  const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
  const isSegment = (info: Partial<SegmentInfo> | null | undefined): boolean => isCount(info?.segment) && isCount(info?.bytes)
  if (Array.isArray(segments) && segments.every(isSegment)) return segments
  const got = Array.isArray(segments) ? describe(segments.find((info) => !isSegment(info))) : describe(segments)
  throw new AckboxError('ERR_STORAGE_FAILED', `storage.open: expected a list of { segment, bytes }, got ${got}`)
}
