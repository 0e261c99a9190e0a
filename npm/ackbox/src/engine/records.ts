/**
 * The hand-written half of the record codec: areas, text and cursors. What the records are is
 * described in crates/wire, which prints the other half, wire.gen.ts.
 *
 * Records are little-endian, and so is every platform that runs JavaScript with typed arrays in
 * practice; numbers lie on multiples of their size, so they are read in place.
 */

/** A part of memory that records are written to or read from. Starts on a multiple of 8. */
export interface Area {
  readonly buffer: ArrayBuffer
  readonly offset: number
  readonly length: number
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * What Node's own class has for reading and writing texts: a short one takes half the time of a `TextDecoder` or
 * `TextEncoder`, and less still without the checks of `toString` and `write`, which its declarations know alone.
 */
interface Letters {
  utf8Slice(start: number, end: number): string
  utf8Write(text: string, offset: number, length: number): number
}

const NodeBuffer = (globalThis as { Buffer?: typeof Buffer }).Buffer

/** The letters of an area; none where a platform has no `Buffer`, or one without these methods. */
function lettersOf({ buffer, offset, length }: Area): Letters | undefined {
  const letters = NodeBuffer?.from(buffer, offset, length) as Partial<Letters> | undefined
  const isWhole = typeof letters?.utf8Slice === 'function' && typeof letters.utf8Write === 'function'
  return isWhole ? (letters as Letters) : undefined
}

/** Texts up to this length are written letter by letter: a call into the encoder costs more. */
const shortText = 40

/** Bytes that `value` takes at most. */
export function roomFor(value: string | Uint8Array): number {
  return typeof value === 'string' ? value.length * 3 : value.length
}

/** Writes records one behind the other into an area that grows when they do not fit. */
export class RecordWriter {
  /** Bytes written since the last `clear`. */
  length = 0
  protected u32!: Uint32Array
  protected f64!: Float64Array
  private bytes!: Uint8Array
  private letters: Letters | undefined
  private readonly grow: (length: number) => void

  /**
   * `grow` attaches an area of at least `length` bytes that begins with what was written. It is
   * called for an area that was detached as well, whose views have no length any more.
   */
  constructor(area: Area, grow: (length: number) => void) {
    this.grow = grow
    this.attach(area)
  }

  /** Continues in `area`, which holds what was written. */
  attach(area: Area): void {
    this.bytes = new Uint8Array(area.buffer, area.offset, area.length)
    this.letters = lettersOf(area)
    this.u32 = new Uint32Array(area.buffer, area.offset, area.length >>> 2)
    this.f64 = new Float64Array(area.buffer, area.offset, area.length >>> 3)
  }

  /** What was written, as a view. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  /** Writes again from the start. */
  clear(): void {
    this.length = 0
  }

  /** Makes room and begins a record; nothing of it counts before `finish`. */
  protected begin(kind: number, room: number): number {
    const end = this.length + room + 8
    if (end > this.bytes.length) this.grow(end)
    this.u32[this.length >>> 2] = kind
    return this.length
  }

  /** Writes a tail and returns its length. */
  protected put(at: number, value: string | Uint8Array): number {
    const { bytes } = this
    if (typeof value !== 'string') {
      bytes.set(value, at)
      return value.length
    }
    if (value.length <= shortText) {
      let index = 0
      for (; index < value.length; index++) {
        const code = value.charCodeAt(index)
        if (code > 0x7f) break
        bytes[at + index] = code
      }
      if (index === value.length) return index
    }
    return this.letters?.utf8Write(value, at, bytes.length - at) ?? encoder.encodeInto(value, bytes.subarray(at)).written
  }

  protected finish(start: number, end: number): void {
    this.length = (end + 7) & ~7
    this.u32[(start + 4) >>> 2] = this.length - start
  }
}

/** Walks records in an area. */
export class RecordReader {
  /** Kind of the current record. */
  kind = 0
  /** Where the current record starts. Its views read from here. */
  start = 0
  u32!: Uint32Array
  f64!: Float64Array
  private bytes!: Uint8Array
  private letters: Letters | undefined
  private following = 0
  private end = 0

  constructor(area: Area) {
    this.attach(area)
  }

  /** Continues in `area`, which holds what the one before held. */
  attach(area: Area): void {
    this.bytes = new Uint8Array(area.buffer, area.offset, area.length)
    this.letters = lettersOf(area)
    this.u32 = new Uint32Array(area.buffer, area.offset, area.length >>> 2)
    this.f64 = new Float64Array(area.buffer, area.offset, area.length >>> 3)
  }

  /** Stands before the first of `length` bytes of records. */
  rewind(length: number): void {
    this.following = 0
    this.end = length
  }

  /** Moves to the next record; false if there is none. */
  next(): boolean {
    if (this.following >= this.end) return false
    this.start = this.following
    this.kind = this.u32[this.start >>> 2]!
    this.following = this.start + this.u32[(this.start + 4) >>> 2]!
    return true
  }

  /** Bytes as a view, valid until anything else is asked of the engine or written into its input. */
  view(at: number, length: number): Uint8Array {
    return this.bytes.subarray(at, at + length)
  }

  /** Bytes as text. Never throws: what is not UTF-8 becomes U+FFFD, one bad body must not stop the rest. */
  text(at: number, length: number): string {
    if (length === 0) return ''
    return this.letters?.utf8Slice(at, at + length) ?? decoder.decode(this.view(at, length))
  }
}

/** Reads the parts of the record at which its reader stands. */
export class RecordView {
  protected readonly from: RecordReader

  constructor(from: RecordReader) {
    this.from = from
  }
}
