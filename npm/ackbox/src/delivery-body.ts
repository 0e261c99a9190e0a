/** The body of a delivery, from its bytes to what its handler gets: decoded by the codec, judged by the schema. */
import { decodeBody } from './codec.js'
import { placeOf } from './delivery-options.js'
import { AckboxError } from './errors.js'
import type { LocalOptions } from './queue-options.js'
import { parse } from './schema.js'

/**
 * What reading a body gave: the body; why no reading will ever give one (`invalid`); or what a schema threw (`failed`),
 * which says nothing about the body and may work the next time.
 */
export type Reading =
  | { readonly kind: 'body'; readonly body: unknown }
  | { readonly kind: 'invalid'; readonly cause: unknown }
  | { readonly kind: 'failed'; readonly error: unknown }

/** The queue of a body. */
export interface BodySource {
  readonly name: string
  readonly local: LocalOptions
}

/** Reads the body of a message; a promise, which never rejects, only where the schema gives one. `raw`: text for JSON, bytes for a codec. */
export function readBody(raw: string | Uint8Array, { name, local }: BodySource, id: string): Reading | Promise<Reading> {
  const { codec, schema } = local
  let body: unknown
  try {
    body = decodeBody(raw, codec)
  } catch (cause) {
    return { kind: 'invalid', cause }
  }
  if (schema === undefined) return { kind: 'body', body }
  try {
    const parsed = parse(schema, body, placeOf(name, id, 'delivery'))
    if (parsed instanceof Promise) return parsed.then(({ output }) => ({ kind: 'body', body: output }), failed)
    return { kind: 'body', body: parsed.output }
  } catch (error) {
    return failed(error)
  }
}

/** What a schema finds is final. */
function failed(error: unknown): Reading {
  return AckboxError.is(error, 'ERR_INVALID_BODY') ? { kind: 'invalid', cause: error } : { kind: 'failed', error }
}
