/**
 * A storage in memory that a test can hold back, break, count and copy.
 *
 * An append becomes part of the journal at the moment its promise resolves, never earlier; so a
 * `copy()` is what a process that died right now leaves behind.
 */
import { AckboxError, type Storage } from 'ackbox'

interface HeldAppend {
  readonly perform: () => void
  readonly fail: (error: Error) => void
}

export class InjectedStorage implements Storage {
  readonly durability = 'power-loss'
  /** Appends that were asked for. */
  appends = 0
  /** The largest number of appends that were in flight at once. */
  appendsAtOnce = 0
  /** Bytes of all appends that resolved. */
  appendedBytes = 0
  /** Largest single append. */
  largestAppend = 0
  /** Segments that were removed, in order. */
  readonly removed: number[] = []
  /** Runs after each append, when its bytes are durable and before its promise resolves. */
  onAppended: ((segment: number, bytes: Buffer) => void) | undefined

  readonly #segments: Map<number, Buffer[]>
  #held: HeldAppend[] | undefined
  #bytes = 0
  #inFlight = 0
  #owned = false
  #failures: Error[] = []

  constructor(segments: Iterable<[number, Buffer[]]> = []) {
    this.#segments = new Map(segments)
    for (const segment of this.#segments.keys()) this.#bytes += this.content(segment).byteLength
  }

  async open(): Promise<{ segment: number; bytes: number }[]> {
    if (this.#owned) throw new AckboxError('ERR_LOCKED', 'injected storage: a box is open on it', { details: { sameProcess: true } })
    this.#owned = true
    return [...this.#segments.keys()]
      .sort((a, b) => a - b)
      .map((segment) => ({ segment, bytes: this.content(segment).byteLength }))
  }

  async append(segment: number, bytes: Uint8Array): Promise<void> {
    this.#checkOwned()
    this.appends += 1
    this.#inFlight += 1
    this.appendsAtOnce = Math.max(this.appendsAtOnce, this.#inFlight)
    const failure = this.#failures.shift()
    return new Promise<void>((resolve, reject) => {
      const fail = (error: Error): void => {
        this.#inFlight -= 1
        reject(error)
      }
      const perform = (): void => {
        this.#inFlight -= 1
        const written = Buffer.from(bytes)
        this.#write(segment, written)
        this.onAppended?.(segment, written)
        resolve()
      }
      if (this.#held !== undefined) this.#held.push({ perform, fail })
      else if (failure !== undefined) fail(failure)
      else perform()
    })
  }

  async read(segment: number, offset: number, length: number): Promise<Uint8Array> {
    this.#checkOwned()
    const bytes = Uint8Array.prototype.slice.call(this.content(segment), offset, offset + length)
    if (bytes.byteLength < length) throw new RangeError(`segment ${segment} has no ${length} bytes at ${offset}`)
    return bytes
  }

  async truncate(segment: number, bytes: number): Promise<void> {
    this.#checkOwned()
    this.#bytes -= this.content(segment).byteLength - bytes
    this.#segments.set(segment, [this.content(segment).subarray(0, bytes)])
  }

  async remove(segment: number): Promise<void> {
    this.#checkOwned()
    this.#bytes -= this.content(segment).byteLength
    this.#segments.delete(segment)
    this.removed.push(segment)
  }

  async close(): Promise<void> {
    this.#owned = false
  }

  /** From now on appends wait, not written, until `release` or `failHeld`. */
  hold(): void {
    this.#held ??= []
  }

  /** How many appends wait. */
  get held(): number {
    return this.#held?.length ?? 0
  }

  /** Writes what waits and holds nothing back any more. */
  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const append of held) append.perform()
  }

  /** Fails what waits, unwritten, and holds nothing back any more. */
  failHeld(error: Error): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const append of held) append.fail(error)
  }

  /** The next append rejects with this and writes nothing. */
  failNext(error: Error): void {
    this.#failures.push(error)
  }

  /** What a process that died now would leave behind. */
  copy(): InjectedStorage {
    return new InjectedStorage([...this.#segments].map(([segment, parts]) => [segment, [...parts]]))
  }

  /** All bytes of one segment. */
  content(segment: number): Buffer {
    const parts = this.#segments.get(segment)
    if (parts === undefined) throw new RangeError(`there is no segment ${segment}`)
    const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
    this.#segments.set(segment, [whole])
    return whole
  }

  /** Numbers of the segments that exist, oldest first. */
  get segments(): number[] {
    return [...this.#segments.keys()].sort((a, b) => a - b)
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.#bytes
  }

  #checkOwned(): void {
    if (!this.#owned) throw new AckboxError('ERR_CLOSED', 'injected storage: it is closed')
  }

  #write(segment: number, bytes: Buffer): void {
    const parts = this.#segments.get(segment) ?? []
    parts.push(bytes)
    this.#segments.set(segment, parts)
    this.#bytes += bytes.byteLength
    this.appendedBytes += bytes.byteLength
    this.largestAppend = Math.max(this.largestAppend, bytes.byteLength)
  }
}
