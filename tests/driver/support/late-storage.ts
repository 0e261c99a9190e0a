/**
 * A storage in memory that answers when its clock says so, fails, and fills up: always with an answer in the end. What
 * was answered is durable; what a failed append leaves of itself is not told.
 */
import type { Clock, SegmentInfo, Storage } from 'ackbox'

/** What becomes of the next call of a kind. */
export interface StorageFault {
  readonly call: 'append' | 'read' | 'remove' | 'truncate'
  /** `late`: after `ms`; `clean`: nothing was written; `torn`: half of it was; `throws`: no promise at all. */
  readonly kind: 'late' | 'fails' | 'clean' | 'torn' | 'throws' | 'fails with nothing'
  readonly ms: number
}

export class LateStorage implements Storage {
  readonly durability = 'power-loss'
  /** Faults to come, the first of each kind of call next. */
  readonly faults: StorageFault[] = []
  readonly #segments: Map<number, Uint8Array>
  readonly #clock: Clock

  constructor(clock: Clock, segments = new Map<number, Uint8Array>()) {
    this.#clock = clock
    this.#segments = segments
  }

  open(): Promise<SegmentInfo[]> {
    const infos = [...this.#segments].map(([segment, { byteLength }]) => ({ segment, bytes: byteLength }))
    return Promise.resolve(infos.sort((a, b) => a.segment - b.segment))
  }

  append(segment: number, bytes: Uint8Array): Promise<void> {
    const written = bytes.slice()
    return this.#answer('append', (fault) => {
      if (fault === 'clean') throw Object.assign(new Error('no room'), { clean: true })
      const before = this.#segments.get(segment) ?? new Uint8Array()
      const part = fault === undefined ? written : written.subarray(0, fault === 'torn' ? written.byteLength >> 1 : 0)
      this.#segments.set(segment, Buffer.concat([before, part]))
    })
  }

  read(segment: number, offset: number, length: number): Promise<Uint8Array> {
    return this.#answer('read', () => this.#content(segment).slice(offset, offset + length))
  }

  truncate(segment: number, bytes: number): Promise<void> {
    return this.#answer('truncate', (fault) => {
      if (fault === undefined) this.#segments.set(segment, this.#content(segment).slice(0, bytes))
    })
  }

  remove(segment: number): Promise<void> {
    return this.#answer('remove', (fault) => {
      if (fault === undefined) this.#segments.delete(segment)
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** What a process that died now would leave behind. */
  copy(): LateStorage {
    return new LateStorage(this.#clock, new Map(this.#segments))
  }

  #content(segment: number): Uint8Array {
    const bytes = this.#segments.get(segment)
    if (bytes === undefined) throw new RangeError(`there is no segment ${segment}`)
    return bytes
  }

  #answer<T>(call: StorageFault['call'], perform: (fault: StorageFault['kind'] | undefined) => T): Promise<T> {
    const at = this.faults.findIndex((fault) => fault.call === call)
    const fault = at < 0 ? undefined : this.faults.splice(at, 1)[0]!
    if (fault?.kind === 'throws') throw new Error('the storage throws')
    return this.#wait(fault).then(() => {
      if (fault === undefined || fault.kind === 'late') return perform(undefined)
      perform(fault.kind)
      throw fault.kind === 'fails with nothing' ? undefined : new Error(`the storage ${fault.kind}`)
    })
  }

  #wait(fault: StorageFault | undefined): Promise<void> {
    if (fault === undefined || fault.ms === 0) return Promise.resolve()
    return new Promise((resolve) => this.#clock.setTimeout(resolve, fault.ms))
  }
}
