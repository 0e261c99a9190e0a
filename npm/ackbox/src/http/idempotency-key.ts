/**
 * `Idempotency-Key`, by which a server knows a request that comes again: the id of the message, as a string of structured
 * fields (RFC 9651), which is how the draft of the header wants it.
 */

/** Whatever such a string cannot hold, and the sign of the encoding itself, so that no two ids get one key. */
const ENCODED = /[^\x20-\x24\x26-\x7e]/gu
/** What has a meaning inside the quotes. */
const ESCAPED = /["\\]/g
/** One string without parameters; a header that came twice is none. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])+)"$/

/** `order-1` becomes `"order-1"`; what is no printable ASCII, and `%`, is percent-encoded as UTF-8. */
export function idempotencyKey(id: string): string {
  return `"${percentEncoded(id).replace(ESCAPED, '\\$&')}"`
}

/** The id that has this key; `undefined` if none has. */
export function idOfKey(key: string): string | undefined {
  const quoted = QUOTED.exec(key.trim())?.[1]
  if (quoted === undefined) return undefined
  const encoded = quoted.replaceAll(/\\(["\\])/g, '$1')
  try {
    const id = decodeURIComponent(encoded)
    // Two ways to write one id would be two keys for one message.
    return percentEncoded(id) === encoded ? id : undefined
  } catch {
    return undefined
  }
}

function percentEncoded(id: string): string {
  return id.replace(ENCODED, encodeURIComponent)
}
