/**
 * Reading the body of a request, of which nothing is believed: it is counted as it comes, and given up where it is too
 * large, too slow, or more than all requests together may keep in memory.
 */
import type { Clock } from '../clock.js'
import { unlessAborted } from '../pending.js'
import type { ByteStream } from './body.js'
import { Refusal } from './problem.js'

/** What bodies under way may take in memory, all together. */
export class Room {
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Takes so much more, or says that there is no room. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#maxBytes) return false
    this.#bytes += bytes
    return true
  }

  give(bytes: number): void {
    this.#bytes -= bytes
  }
}

/** How a body is read. */
export interface BodyLimits {
  readonly room: Room
  readonly maxBytes: number
  readonly timeoutMs: number
  readonly clock: Clock
  /** Of a refusal for lack of room. */
  readonly retryAfter: Readonly<Record<string, string>>
}

/** A body that came whole. Its room is to be given back. */
export interface ReadBody {
  readonly bytes: Uint8Array
  release(): void
}

/** What grows as it fills: chunks of one byte would cost a hundred each. */
const BUFFER_BYTES_MIN = 4_096

/** @throws `Refusal` if it cannot be had */
export async function readBody(request: Request, limits: BodyLimits): Promise<ReadBody> {
  const { maxBytes, timeoutMs, clock } = limits
  if (Number(request.headers.get('content-length')) > maxBytes) throw tooLarge(maxBytes)
  const buffer = new GrowingBuffer(limits)
  const stream = request.body as ByteStream | null
  if (stream === null) return buffer
  const controller = new AbortController()
  const expire = (): void => controller.abort(new Refusal('body-too-slow', `expected the whole body within ${timeoutMs} ms`))
  const timer = clock.setTimeout(expire, timeoutMs)
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await unlessAborted(reader.read(), controller.signal)
      if (done || value === undefined) return buffer
      buffer.add(value)
    }
  } catch (error) {
    buffer.release()
    reader.cancel().catch(() => {})
    throw error instanceof Refusal ? error : new Refusal('body-invalid', 'expected a whole body, it was cut off')
  } finally {
    clock.clearTimeout(timer)
  }
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal('body-too-large', `expected at most ${maxBytes} bytes`)
}

class GrowingBuffer implements ReadBody {
  readonly #limits: BodyLimits
  #bytes = new Uint8Array(0)
  #used = 0

  constructor(limits: BodyLimits) {
    this.#limits = limits
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#used)
  }

  add(chunk: Uint8Array): void {
    const { maxBytes } = this.#limits
    const needed = this.#used + chunk.length
    if (needed > maxBytes) throw tooLarge(maxBytes)
    if (needed > this.#bytes.length) this.#grow(Math.max(needed, Math.min(2 * this.#bytes.length, maxBytes), BUFFER_BYTES_MIN))
    this.#bytes.set(chunk, this.#used)
    this.#used = needed
  }

  release(): void {
    this.#limits.room.give(this.#bytes.length)
    this.#bytes = new Uint8Array(0)
    this.#used = 0
  }

  #grow(length: number): void {
    const { room, retryAfter } = this.#limits
    if (!room.take(length - this.#bytes.length)) {
      throw new Refusal('full', 'too many requests at once', { headers: retryAfter })
    }
    const bytes = new Uint8Array(length)
    bytes.set(this.#bytes.subarray(0, this.#used))
    this.#bytes = bytes
  }
}
