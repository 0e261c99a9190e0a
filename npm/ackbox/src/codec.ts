/** Bodies, results and headers as bytes, and back. What the engine sees is opaque to it. */
import { messageOf } from './error-info.js'
import { AckboxError, describe, invalidOption } from './errors.js'
import { isThenable, utf8Length } from './validate.js'

/** How bodies become bytes. JSON unless a queue has one of these. */
export interface Codec<T> {
  /** Called when a message is enqueued. What it throws, or a promise, rejects the enqueue with `ERR_INVALID_BODY`. */
  encode(body: T): Uint8Array
  /**
   * Called when a message is delivered. If it throws, or gives a promise, the message is dead-lettered as `invalid`.
   *
   * Called by `get`, `peek`, `watch` and dead letters as well: there the message is shown without `body`, and the first
   * one of a queue is told of by `warning`.
   */
  decode(bytes: Uint8Array): T
}

/** A codec for bodies that are bytes already. */
export const bytes: Codec<Uint8Array> = Object.freeze({
  encode(body: Uint8Array): Uint8Array {
    if (body instanceof Uint8Array) return body
    throw new TypeError(`expected a Uint8Array, got ${describe(body)}`)
  },
  decode: (body: Uint8Array): Uint8Array => body,
})

const HEADERS_BYTES_MAX = 4_096

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

/** JSON text or the bytes of the queue's codec, at most `maxBytes` of them. `what` is encoded is told by errors. */
export function encodeBody(
  body: unknown,
  codec: Codec<never> | undefined,
  maxBytes: number,
  where: string,
  what = 'body',
): string | Uint8Array {
  if (body === undefined) {
    throw new AckboxError('ERR_INVALID_BODY', `${where}: expected a ${what}, got undefined`)
  }
  let encoded: string | Uint8Array | undefined
  try {
    encoded = codec === undefined ? jsonOf(body) : atOnce(codec.encode(body as never), 'a Uint8Array from codec.encode')
  } catch (cause) {
    throw new AckboxError('ERR_INVALID_BODY', `${where}: the ${what} cannot be encoded: ${messageOf(cause)}`, { cause })
  }
  if (encoded === undefined || (codec !== undefined && !(encoded instanceof Uint8Array))) {
    const [wanted, got] =
      codec === undefined ? [`a ${what} that JSON can hold`, body] : ['a Uint8Array from codec.encode', encoded]
    throw new AckboxError('ERR_INVALID_BODY', `${where}: expected ${wanted}, got ${describe(got)}`)
  }
  checkSize(encoded, maxBytes, what, 'maxBodyBytes', where)
  return encoded
}

/**
 * A body from its JSON text, or from the bytes of the queue's codec.
 *
 * @throws what the codec throws, and a `TypeError` where it gives a promise
 */
export function decodeBody(encoded: string | Uint8Array, codec: Codec<never> | undefined): unknown {
  return codec === undefined ? JSON.parse(encoded as string) : atOnce(codec.decode(encoded as Uint8Array), 'a value from codec.decode')
}

/** JSON text. A promise would become `{}`, and what was meant would be lost without a word. */
function jsonOf(value: unknown): string | undefined {
  if (isThenable(value)) throw new TypeError('it is a promise: await it first')
  return JSON.stringify(value) as string | undefined
}

/** What a codec gave: it has to be there at once. */
function atOnce<V>(value: V, wanted: string): V {
  if (!isThenable(value)) return value
  // Its own failure would be nobody's.
  Promise.resolve(value).catch(() => {})
  throw new TypeError(`expected ${wanted}, got a promise: a codec cannot wait`)
}

/** JSON text of a result; empty for `undefined`. */
export function encodeResult(result: unknown, maxBytes: number, where: string): string {
  if (result === undefined) return ''
  let encoded: string | undefined
  try {
    encoded = jsonOf(result)
  } catch (cause) {
    throw new AckboxError('ERR_INVALID_BODY', `${where}: the result cannot be encoded: ${messageOf(cause)}`, { cause })
  }
  if (encoded === undefined) {
    throw new AckboxError('ERR_INVALID_BODY', `${where}: expected a result that JSON can hold, got ${describe(result)}`)
  }
  checkSize(encoded, maxBytes, 'result', 'maxResultBytes', where)
  return encoded
}

/** A result from its JSON text. */
export function decodeResult(encoded: string): unknown {
  return encoded === '' ? undefined : JSON.parse(encoded)
}

/** Bytes that text or bytes take. */
export function encodedBytes(encoded: string | Uint8Array): number {
  return typeof encoded === 'string' ? utf8Length(encoded) : encoded.byteLength
}

function checkSize(encoded: string | Uint8Array, maxBytes: number, what: string, option: string, where: string): void {
  // A unit of a string takes at most 3 bytes, so most need no exact count.
  if (encoded.length * 3 <= maxBytes) return
  const size = encodedBytes(encoded)
  if (size <= maxBytes) return
  throw new AckboxError(
    'ERR_BODY_TOO_LARGE',
    `${where}: expected a ${what} of at most ${maxBytes} bytes (${option}), got ${size} bytes`,
  )
}

/** JSON text of headers; empty for none. */
export function encodeHeaders(headers: unknown, where: string): string {
  if (headers === undefined) return ''
  checkHeaders(headers, where)
  const encoded = JSON.stringify(headers)
  if (encoded === '{}') return ''
  const size = utf8Length(encoded)
  if (size > HEADERS_BYTES_MAX) {
    throw new AckboxError(
      'ERR_INVALID_OPTION',
      `${where}: expected headers to be at most ${HEADERS_BYTES_MAX} bytes of JSON, got ${size} bytes`,
    )
  }
  return encoded
}

function checkHeaders(headers: unknown, where: string): asserts headers is Record<string, string> {
  // A `Map` or `Headers` has no properties to show: it would be kept as nothing.
  const isList = Array.isArray(headers) || (headers !== null && typeof headers === 'object' && Symbol.iterator in headers)
  if (typeof headers !== 'object' || headers === null || isList) {
    throw invalidOption('headers to be an object of strings', headers, where)
  }
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== 'string') throw invalidOption(`headers.${name} to be a string`, value, where)
  }
}

/** Headers from their JSON text. */
export function decodeHeaders(encoded: string): Readonly<Record<string, string>> {
  return encoded === '' ? NO_HEADERS : (JSON.parse(encoded) as Record<string, string>)
}

/** Checks the `codec` option of a queue. */
export function checkCodec(codec: unknown, where: string): void {
  if (codec === bytes) return
  // An object of a library may have more than these two.
  const { encode, decode } = (codec ?? {}) as Partial<Codec<unknown>>
  if (typeof encode !== 'function' || typeof decode !== 'function') {
    throw invalidOption('codec to have the functions encode and decode', codec, where)
  }
}
