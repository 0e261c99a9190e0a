/**
 * `Idempotency-Key`, by which a server knows a request that comes again: the id of the message, as a string of structured
 * fields (RFC 9651), which is how the draft of the header wants it.
 */

/** Whatever such a string cannot hold, and the sign of the encoding itself, so that no two ids get one key. */
const ENCODED = /[^\x20-\x24\x26-\x7e]/gu
/** What has a meaning inside the quotes. */
const ESCAPED = /["\\]/g

/** `order-1` becomes `"order-1"`; what is no printable ASCII, and `%`, is percent-encoded as UTF-8. */
export function idempotencyKey(id: string): string {
  return `"${id.replace(ENCODED, encodeURIComponent).replace(ESCAPED, '\\$&')}"`
}
